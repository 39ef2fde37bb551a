//! Running a program and measuring it: CPU, peak memory, time.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Linux counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

/// What a program took.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// Seconds by the clock.
    pub seconds: f64,
    /// Seconds of processor time, user and system.
    pub cpu: f64,
    /// The most memory it had, MiB (`VmHWM`).
    pub peak_mib: f64,
    /// Its standard output.
    pub output: String,
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started, or fails.
pub(super) fn measure(command: &mut Command) -> anyhow::Result<Measured> {
    let shown = format!("{command:?}");
    let before = cpu_of_children()?;
    let begin = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {shown}"))?;
    let mut stdout = child.stdout.take().context("it has no output")?;
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        stdout.read_to_string(&mut output).map(|_| output)
    });
    let mut peak = 0.0_f64;
    let status = loop {
        peak = peak.max(peak_mib(child.id()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = cpu_of_children()? - before;
    let output = reader
        .join()
        .map_err(|_| anyhow::anyhow!("reading its output failed"))??;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(Measured {
        seconds,
        cpu,
        peak_mib: peak,
        output,
    })
}

/// The most memory that a running process has had, MiB; 0 when it is gone.
pub(super) fn peak_mib(pid: u32) -> f64 {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .ok()
        .and_then(|status| {
            let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
            let kib: u32 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(f64::from(kib) / 1024.0)
        })
        .unwrap_or(0.0)
}

/// Processor time of all children that have ended: `cutime` and `cstime` of proc(5).
fn cpu_of_children() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("this measures on Linux only")?;
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    let (user, system) = ticks(13)
        .zip(ticks(14))
        .context("/proc/self/stat is not as proc(5) says")?;
    Ok((user + system) / TICKS)
}
