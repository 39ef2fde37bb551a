//! A program that is measured while it runs.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    begin: Instant,
}

impl Process {
    /// Starts `program` with nothing in its environment but `environment`, and reads what it writes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &[PathBuf], environment: &[(String, String)]) -> io::Result<Self> {
        let (first, arguments) = program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(first);
        command
            .args(arguments)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let begin = Instant::now();
        let mut child = command.spawn()?;
        if let Some(mut stdout) = child.stdout.take() {
            std::thread::spawn(move || io::copy(&mut stdout, &mut io::sink()));
        }
        Ok(Self { child, begin })
    }

    /// When it was started.
    #[must_use]
    pub fn begin(&self) -> Instant {
        self.begin
    }

    /// Processor time of all its threads that live, as the scheduler counts it.
    ///
    /// # Errors
    /// When it is gone, or the kernel does not count.
    pub fn cpu(&self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let told = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let first = told.split_whitespace().next().and_then(|n| n.parse().ok());
            nanoseconds += first.unwrap_or(0u64);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// The most memory it had, KiB (`VmHWM`).
    ///
    /// # Errors
    /// When it is gone.
    pub fn peak_kib(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.ok_or_else(|| io::Error::other("no VmHWM"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
