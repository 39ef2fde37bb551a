//! A sign of life of programs that take long: what runs, since when, and how far it is.
//!
//! On a terminal one line is rewritten; elsewhere, as in a log, a line is printed every ten seconds.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};

use crate::run::shown;

/// How often it is looked whether the program has ended.
const TICK: Duration = Duration::from_millis(100);
/// How often the line of a terminal is rewritten.
const REWRITE: Duration = Duration::from_secs(1);
/// How often a line is printed where there is no terminal.
const PRINT: Duration = Duration::from_secs(10);
/// The same for what runs beside a program that tells more.
const BESIDE: Duration = Duration::from_secs(30);
/// Characters of the program's last line that are shown.
const SHOWN: usize = 60;

/// What a program has written so far.
#[derive(Debug, Default)]
struct Output {
    all: Vec<u8>,
    /// Its last line that is not empty.
    last: String,
    /// Crates that cargo has named as it began with them.
    crates: usize,
}

impl Output {
    fn take(&mut self, line: &[u8]) {
        self.all.extend_from_slice(line);
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        let begins = ["Compiling ", "Checking ", "Documenting "];
        if begins.iter().any(|word| line.starts_with(word)) {
            self.crates += 1;
        }
        if !line.is_empty() {
            line.clone_into(&mut self.last);
        }
    }
}

/// Runs a program to its end and tells about it meanwhile. Its output is kept for an error.
///
/// # Errors
/// When it cannot be started or fails; the error shows the command and its output.
pub fn watch(what: &str, command: &mut Command) -> anyhow::Result<()> {
    watch_counting(what, command, &|| 0)
}

/// The same beside a program that writes to the terminal, too: a line every half minute, none rewritten.
///
/// # Errors
/// As [`watch`].
pub fn watch_beside(what: &str, command: &mut Command) -> anyhow::Result<()> {
    watch_every(BESIDE, false, what, command, &|| 0)
}

/// The same for a program that keeps cargo's output to itself: `crates` counts what was compiled so far.
///
/// # Errors
/// As [`watch`].
pub fn watch_counting(
    what: &str,
    command: &mut Command,
    crates: &dyn Fn() -> usize,
) -> anyhow::Result<()> {
    let terminal = std::io::stdout().is_terminal();
    let pause = if terminal { REWRITE } else { PRINT };
    watch_every(pause, terminal, what, command, crates)
}

fn watch_every(
    pause: Duration,
    rewrite: bool,
    what: &str,
    command: &mut Command,
    crates: &dyn Fn() -> usize,
) -> anyhow::Result<()> {
    let mut next = pause;
    let result = run_with(command, |elapsed, output| {
        if elapsed >= next {
            next = elapsed + pause;
            let line = sign(what, elapsed, output.crates.max(crates()), &output.last);
            show(rewrite, &line);
        }
    });
    if rewrite {
        show(rewrite, "");
    }
    let took = result?;
    println!("{what}: done, {} s", took.as_secs());
    Ok(())
}

/// Runs it, and hands what it has written so far to `tell` again and again. Tells how long it took.
fn run_with(
    command: &mut Command,
    mut tell: impl FnMut(Duration, &Output),
) -> anyhow::Result<Duration> {
    let shown = shown(command);
    let begin = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{shown}` could not be started"))?;
    let output = Arc::new(Mutex::new(Output::default()));
    let readers = [
        child.stdout.take().map(|pipe| read(pipe, &output)),
        child.stderr.take().map(|pipe| read(pipe, &output)),
    ];
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        tell(begin.elapsed(), &lock(&output));
        std::thread::sleep(TICK);
    };
    for reader in readers.into_iter().flatten() {
        // A reader ends with its pipe, and what it could not read is not shown.
        let _ = reader.join();
    }
    if !status.success() {
        let output = lock(&output);
        bail!(
            "`{shown}` failed ({status})\n{}",
            String::from_utf8_lossy(&output.all)
        );
    }
    Ok(begin.elapsed())
}

fn read(pipe: impl Read + Send + 'static, output: &Arc<Mutex<Output>>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            lock(&output).take(&line);
            line.clear();
        }
    })
}

fn lock(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is told while it runs.
fn sign(what: &str, elapsed: Duration, crates: usize, last: &str) -> String {
    let far = match crates {
        0 => String::new(),
        _ => format!(", {crates} crates so far"),
    };
    let last: String = last.chars().take(SHOWN).collect();
    let colon = if last.is_empty() { "" } else { ": " };
    format!("{what}: {} s{far}{colon}{last}", elapsed.as_secs())
}

/// Rewrites the terminal's line, or prints one.
fn show(rewrite: bool, line: &str) {
    if rewrite {
        print!("\r\x1b[2K{line}");
        // A sign of life that cannot be shown is no reason to stop.
        let _ = std::io::stdout().flush();
    } else {
        println!("{line}");
    }
}

/// How many crates cargo has compiled below a target folder since `begin`, whatever the platform and
/// profile.
pub fn compiled_since(target: &Path, begin: SystemTime) -> usize {
    let folders = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    // target/PROFILE/deps and target/PLATFORM/PROFILE/deps.
    let profiles = folders(target)
        .into_iter()
        .flat_map(|path| std::iter::once(path.clone()).chain(folders(&path)));
    let files = profiles.flat_map(|path| folders(&path.join("deps")));
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "d"))
        .filter_map(|path| path.metadata().and_then(|file| file.modified()).ok())
        .filter(|changed| *changed >= begin)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn it_tells_again_and_again_how_far_a_program_is() {
        let mut signs = Vec::new();
        let script = "echo '   Compiling one v1'; echo '    Checking two v2' >&2; sleep 0.5";
        run_with(&mut shell(script), |elapsed, output| {
            signs.push(sign("building", elapsed, output.crates, &output.last));
        })
        .unwrap();
        assert!(signs.len() >= 3, "{signs:?}");
        let last = signs.last().unwrap();
        assert!(
            last.starts_with("building: 0 s, 2 crates so far: "),
            "{last}"
        );
    }

    #[test]
    fn a_failure_shows_the_command_and_all_it_wrote() {
        let script = "echo to one; echo to the other >&2; printf unfinished; exit 3";
        let error = watch("failing", &mut shell(script))
            .unwrap_err()
            .to_string();
        for part in ["sh -c", "to one", "to the other", "unfinished", "3"] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }

    #[test]
    fn a_long_last_line_is_cut_at_a_character() {
        let line = sign("x", Duration::from_secs(65), 0, &"ü".repeat(100));
        assert_eq!(line, format!("x: 65 s: {}", "ü".repeat(SHOWN)));
    }

    #[test]
    fn crates_are_counted_for_each_platform_and_only_the_new_ones() {
        let target = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = target.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        write("debug/deps/old-1.d");
        std::thread::sleep(Duration::from_millis(400));
        // File systems round their times.
        let begin = SystemTime::now() - Duration::from_millis(200);
        write("debug/deps/new-1.d");
        write("x86_64-unknown-linux-gnu/debug/deps/new-2.d");
        write("x86_64-unknown-linux-gnu/debug/deps/libnew-2.rlib");
        assert_eq!(compiled_since(target.path(), begin), 2);
        assert_eq!(compiled_since(&target.path().join("none"), begin), 0);
    }
}
