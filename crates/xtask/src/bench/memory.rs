//! Large buckets: memory, and how soon a killed job continues.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::Programs;
use super::cases::{State, per, reseed, start};
use super::page::Page;
use crate::run::say;

/// Scan and merge of ever larger buckets, events thrown away.
pub fn memory(programs: &Programs, page: &mut Page, sizes: &[u64]) -> anyhow::Result<()> {
    say("memory");
    page.table(
        "Scan and merge with a budget of 256 MiB (`--memory 256 --out /dev/null`)",
        &["versions", "peak memory", "CPU an event", "seconds"],
    );
    for versions in sizes {
        let server = start(programs, "hashed", *versions, &[])?;
        let arguments = ["--out", "/dev/null", "--memory", "256"];
        let (measured, end) = reseed(programs, &server, &arguments)?;
        ensure!(end["checkpoint"] == *versions, "{end}");
        page.row(&[
            versions.to_string(),
            format!("{:.0} MiB", measured.peak_mib),
            format!("{:.2} µs", per(measured.cpu, *versions)),
            format!("{:.0}", measured.seconds),
        ]);
    }
    Ok(())
}

/// A job killed while it sends, and continued: how long until its first event.
pub fn continuation(programs: &Programs, page: &mut Page, versions: u64) -> anyhow::Result<()> {
    say("continuing a killed job");
    let server = start(programs, "hashed", versions, &[])?;
    let state = State::new()?;
    let out = state.0.join("events");
    let program = |arguments: &[&std::ffi::OsStr]| {
        let mut command = Command::new(programs.target.join("s3-sqs-bridge"));
        command.arg("reseed").args(arguments).arg("--state");
        command.arg(&state.0).stderr(Stdio::null());
        server.client(&mut command).spawn()
    };
    let mut child = program(&[
        "--bucket".as_ref(),
        "load".as_ref(),
        "--out".as_ref(),
        out.as_ref(),
    ])?;
    wait_for_events(&out, &mut child)?;
    std::thread::sleep(Duration::from_secs(10));
    child.kill()?;
    child.wait()?;
    let job = std::fs::read_dir(state.0.join("jobs"))?
        .next()
        .context("the job left no state")??;
    std::fs::File::create(&out)?; // empty again
    let begin = Instant::now();
    let mut child = program(&["--resume".as_ref(), &job.file_name()])?;
    wait_for_events(&out, &mut child)?;
    let took = begin.elapsed();
    child.kill()?;
    child.wait()?;
    page.table(
        "A killed job continued by a new process, until its first event",
        &["versions in the plan", "ms"],
    );
    page.row(&[versions.to_string(), took.as_millis().to_string()]);
    Ok(())
}

fn wait_for_events(out: &Path, child: &mut Child) -> anyhow::Result<()> {
    while std::fs::metadata(out).map_or(0, |file| file.len()) == 0 {
        ensure!(child.try_wait()?.is_none(), "the job ended too early");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
