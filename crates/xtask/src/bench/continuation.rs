//! How soon a killed job goes on.
//!
//! When it is killed is decided by how far it is, never by time: a fast machine would be done by then, a
//! slow one not yet sending.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::Programs;
use super::cases::{State, start};
use super::measure::peak_mib;
use super::page::Page;
use crate::run::say;

/// When a job is killed, and how fast it may go so that it is not over by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stop {
    /// Events that it has written.
    after: u64,
    /// Events a second, at most.
    max_rate: u64,
}

impl Stop {
    /// Half-way, or after a million events. From there on the job has ten seconds' work left, however fast
    /// the machine is.
    fn of(versions: u64) -> Self {
        let after = (versions / 2).min(1_000_000);
        Self {
            after,
            max_rate: (after / 10).max(1),
        }
    }
}

/// Jobs of so many versions, killed while they send, and continued.
///
/// # Errors
/// When a job ends by itself; with what it said.
pub(super) fn continuation(
    programs: &Programs,
    page: &mut Page,
    sizes: &[u64],
) -> anyhow::Result<()> {
    say("continuing killed jobs");
    page.table(
        "A killed job continued by a new process, until its first event",
        &["versions in the plan", "ms", "peak memory by then"],
    );
    for versions in sizes {
        let (took, peak_mib) = continued(programs, *versions)?;
        page.row(&[
            versions.to_string(),
            took.as_millis().to_string(),
            format!("{peak_mib:.0} MiB"),
        ]);
    }
    Ok(())
}

/// A job killed while it sends, and continued: how long until its first event, and the memory it had by then in MiB.
fn continued(programs: &Programs, versions: u64) -> anyhow::Result<(Duration, f64)> {
    let server = start(programs, "hashed", versions, &[])?;
    let state = State::new("bench-state")?;
    let out = state.0.join("events");
    let said = state.0.join("said");
    let stop = Stop::of(versions);
    let program = |arguments: &[&str]| -> anyhow::Result<Running> {
        let mut command = Command::new(programs.target.join("s3-sqs-bridge"));
        command.arg("reseed").args(arguments).arg("--state");
        command.arg(&state.0).stdout(Stdio::null());
        command.stderr(File::create(&said)?);
        let child = server.client(&mut command).spawn()?;
        let said = said.clone();
        Ok(Running { child, said })
    };
    let rate = stop.max_rate.to_string();
    let path = out.to_str().context("a path that is not UTF-8")?;
    let mut job = program(&["--bucket", "load", "--out", path, "--max-rate", &rate])?;
    let mut lines = Lines::of(out.clone());
    job.wait_until(|| Ok(lines.count()? >= stop.after))?;
    job.kill()?;
    let name = std::fs::read_dir(state.0.join("jobs"))?
        .next()
        .context("the job left no state")??
        .file_name();
    // Nothing is changed in it, or the job would not go on. A line that the kill cut short is removed first,
    // and is shorter than what comes in its place.
    let length = length(&out);
    let begin = Instant::now();
    let mut job = program(&["--resume", name.to_str().context("a strange job id")?])?;
    job.wait_until(|| Ok(self::length(&out) > length))?;
    let took = begin.elapsed();
    let peak_mib = peak_mib(job.child.id());
    job.kill()?;
    Ok((took, peak_mib))
}

/// A program that runs, and where its messages go.
struct Running {
    child: Child,
    said: PathBuf,
}

impl Running {
    /// Waits until something holds; an error if the program ends before.
    fn wait_until(
        &mut self,
        mut holds: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        while !holds()? {
            if let Some(status) = self.child.try_wait()? {
                let said = std::fs::read_to_string(&self.said).unwrap_or_default();
                ensure!(holds()?, "the job ended too early ({status}): {said}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn kill(mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "the job ended before it was killed");
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After an error; otherwise it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// Counts the lines of a file that grows.
struct Lines {
    path: PathBuf,
    file: Option<File>,
    count: u64,
}

impl Lines {
    fn of(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            count: 0,
        }
    }

    /// How many there are by now; 0 when the file is not there yet.
    fn count(&mut self) -> anyhow::Result<u64> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else {
            return Ok(0);
        };
        let mut buffer = vec![0; 1024 * 1024];
        loop {
            let read = file.read(&mut buffer).context("reading the job's output")?;
            if read == 0 {
                return Ok(self.count);
            }
            let lines = buffer[..read].iter().filter(|byte| **byte == b'\n');
            self.count += lines.count() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_whatever_size_a_job_has_ten_seconds_left_when_it_is_killed() {
        for versions in [20, 1_000, 1_000_000, 2_000_000, 50_000_000] {
            let stop = Stop::of(versions);
            assert!(stop.after < versions);
            assert!((versions - stop.after) / stop.max_rate >= 10, "{stop:?}");
        }
    }

    /// A job that is played: a shell script that writes events to `$OUT`.
    fn played(folder: &Path, script: &str) -> (Running, Lines) {
        let (out, said) = (folder.join("out"), folder.join("said"));
        let child = Command::new("sh")
            .args(["-c", script])
            .env("OUT", &out)
            .stderr(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        (Running { child, said }, Lines::of(out))
    }

    #[test]
    fn a_job_is_killed_at_its_event_on_a_fast_machine_and_on_a_slow_one() {
        let fast = "yes | head -n 50000 > $OUT; exec sleep 600";
        let slow =
            "sleep 0.5; for n in 1 2 3 4 5 6; do echo y >> $OUT; sleep 0.1; done; exec sleep 600";
        for (script, after) in [(fast, 50_000), (slow, 5)] {
            let folder = tempfile::tempdir().unwrap();
            let (mut job, mut lines) = played(folder.path(), script);
            job.wait_until(|| Ok(lines.count()? >= after)).unwrap();
            assert!(lines.count >= after);
            job.kill().unwrap();
        }
    }

    #[test]
    fn a_job_that_ends_by_itself_is_told_with_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo y > $OUT; echo the file was changed >&2; exit 1";
        let (mut job, mut lines) = played(folder.path(), script);
        let error = job.wait_until(|| Ok(lines.count()? >= 2)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("the file was changed"), "{error}");
    }
}
