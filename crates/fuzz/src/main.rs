//! `cargo xtask fuzz`: each target for some minutes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use bridge_fuzz::run::{Finding, MOST_TIME, attempt, run};
use bridge_fuzz::targets::{TARGETS, Target};
use clap::Parser;

/// Breaks documents at random and feeds them to their readers, until one panics, allocates more than
/// 256 MiB or takes more than ten seconds.
#[derive(Parser)]
#[command(name = "cargo xtask fuzz")]
struct Arguments {
    /// page, notification, request, plan, manifest, job, state or queue; all of them if none is named
    target: Option<String>,
    /// Minutes a target
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// The first input's seed; by default another one each time
    #[arg(long)]
    seed: Option<u64>,
    /// Feed this one file
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
}

/// When the input that is being tried was begun, and how to repeat it.
static BEGUN: Mutex<Option<(Instant, String)>> = Mutex::new(None);

fn begin_input(begun: Option<(Instant, String)>) {
    *BEGUN.lock().unwrap_or_else(PoisonError::into_inner) = begun;
}

/// Ends the process when an input takes much too long: nothing else can.
fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((begun, repeat)) = &*begun
            && begun.elapsed() > 2 * MOST_TIME
        {
            eprintln!("error: an input takes too long; {repeat}");
            std::process::exit(1);
        }
    }
}

fn main() -> ExitCode {
    // Panics are findings, or are caught where they happen (docs/decisions/0003).
    std::panic::set_hook(Box::new(|_| {}));
    match fuzz(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(arguments: &Arguments) -> anyhow::Result<()> {
    let is_wanted = |target: &&Target| match &arguments.target {
        None => true,
        Some(name) => name == target.name,
    };
    let targets: Vec<&Target> = TARGETS.iter().filter(is_wanted).collect();
    if targets.is_empty() {
        let names = TARGETS.map(|target| target.name).join(", ");
        bail!("there is no such target; there are {names}");
    }
    if let Some(path) = &arguments.input {
        let input = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        return match attempt(targets[0], &input) {
            Ok((accepted, bytes)) => {
                println!("accepted: {accepted}, {bytes} bytes allocated at most");
                Ok(())
            }
            Err(what) => bail!("{} {what}", targets[0].name),
        };
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local/fuzz");
    std::fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    std::thread::spawn(watch);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = arguments
        .seed
        .unwrap_or(since.map_or(0, |since| since.as_secs()));
    let time = Duration::try_from_secs_f64(arguments.minutes * 60.0)
        .context("--minutes: allowed is a number of minutes")?;
    for target in targets {
        long(target, seed, time, &folder)?;
    }
    Ok(())
}

/// One target for its time.
fn long(target: &Target, seed: u64, time: Duration, folder: &Path) -> anyhow::Result<()> {
    let current = folder.join(format!("{}.input", target.name));
    let repeat = repeat(target, &current);
    println!(
        "{}: seed {seed}; if the process dies, {repeat}",
        target.name
    );
    let begin = Instant::now();
    let result = run(target, seed, Some(&current), |_| {
        begin_input(Some((Instant::now(), repeat.clone())));
        begin.elapsed() < time
    })?;
    begin_input(None);
    match result {
        Ok(tried) => {
            println!(
                "{}: {} inputs in {} s, {} accepted, {} KiB allocated at most, nothing found",
                target.name,
                tried.inputs,
                begin.elapsed().as_secs(),
                tried.accepted,
                tried.most_memory / 1024
            );
            std::fs::remove_file(&current).ok();
            Ok(())
        }
        Err(Finding {
            number,
            input,
            what,
        }) => {
            let kept = folder.join(format!("{}-{seed}-{number}.input", target.name));
            std::fs::write(&kept, input)?;
            let again = self::repeat(target, &kept);
            bail!(
                "{} {what} (seed {seed}, input {number}): {again}",
                target.name
            )
        }
    }
}

fn repeat(target: &Target, input: &Path) -> String {
    let input = input.display();
    format!(
        "repeat it with `cargo xtask fuzz {} --input {input}`",
        target.name
    )
}
