//! Reading and scanning; how programs are run.

use std::path::PathBuf;
use std::process::Command;

use anyhow::ensure;
use serde_json::Value;

use super::Programs;
use super::measure::{Measured, measure};
use super::page::Page;
use super::server::Server;
use crate::run::say;

/// Where the program under test keeps its plan.
pub(super) struct State(pub(super) PathBuf);

impl State {
    /// An empty one of this name.
    pub(super) fn new(name: &str) -> anyhow::Result<Self> {
        let path = crate::local().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `s3-sqs-bridge reseed` with its end as JSON.
pub(super) fn reseed(
    programs: &Programs,
    server: &Server,
    arguments: &[&str],
) -> anyhow::Result<(Measured, Value)> {
    let state = State::new("bench-state")?;
    let mut command = Command::new(programs.target.join("s3-sqs-bridge"));
    command.args(["reseed", "--json", "--bucket", "load", "--state"]);
    command.arg(&state.0).args(arguments);
    let measured = measure(server.client(&mut command))?;
    let end = serde_json::from_str(&measured.output)?;
    Ok((measured, end))
}

pub(super) fn peer(
    programs: &Programs,
    server: &Server,
    name: &str,
    mode: &str,
) -> anyhow::Result<Measured> {
    let mut command = match name {
        "boto3" => Command::new(programs.peers.join("python/bin/python")),
        _ => Command::new("node"),
    };
    let script = if name == "boto3" {
        "reseed.py"
    } else {
        "reseed.mjs"
    };
    command.arg(programs.peers.join(script)).arg(mode);
    measure(server.client(&mut command))
}

pub(super) fn start(
    programs: &Programs,
    shape: &str,
    versions: u64,
    more: &[&str],
) -> anyhow::Result<Server> {
    let versions = versions.to_string();
    let mut arguments = vec!["--shape", shape, "--versions", &versions];
    arguments.extend(more);
    Server::start(programs, &arguments)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn per(total: f64, count: u64) -> f64 {
    total * 1e6 / count as f64
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// Reading pages alone, one stream, no latency: CPU a version.
pub(super) fn reading(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
    say("reading pages, one stream, no latency");
    page.table(
        "Reading pages alone, one stream, no latency",
        &[
            "reader",
            "versions",
            "CPU a version",
            "versions/s",
            "peak memory",
        ],
    );
    for (name, versions) in [
        ("this project", 2_000_000),
        ("aws-sdk-s3", 1_000_000),
        ("JavaScript SDK v3 (list, sort)", 200_000),
        ("boto3 (list, sort)", 100_000),
    ] {
        let server = start(programs, "hashed", versions, &[])?;
        let example = programs.target.join("examples/read_pages");
        let measured = match name {
            "this project" => measure(server.client(Command::new(example).arg("bridge")))?,
            "aws-sdk-s3" => measure(server.client(Command::new(example).arg("sdk")))?,
            "boto3 (list, sort)" => peer(programs, &server, "boto3", "list")?,
            _ => peer(programs, &server, "node", "list")?,
        };
        ensure!(
            measured.output.trim() == versions.to_string(),
            "{name} read {} of {versions} versions",
            measured.output.trim()
        );
        page.row(&[
            name.to_owned(),
            versions.to_string(),
            format!("{:.2} µs", per(measured.cpu, versions)),
            format!("{:.0}", rate(versions, measured.seconds)),
            format!("{:.0} MiB", measured.peak_mib),
        ]);
    }
    Ok(())
}

/// From the first request to sorted runs on disk, no latency.
pub(super) fn scanning(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
    say("scanning to sorted runs on disk, no latency");
    page.table(
        "From pages to sorted runs on disk (`--dry-run`), no latency, 2 million versions",
        &["bucket", "CPU a version", "versions/s", "peak memory"],
    );
    for shape in ["hashed", "dated", "hot-prefix", "one-key", "non-ascii"] {
        let server = start(programs, shape, 2_000_000, &[])?;
        let (measured, end) = reseed(programs, &server, &["--dry-run"])?;
        ensure!(end["planned"]["events"] == 2_000_000, "{shape}: {end}");
        page.row(&[
            shape.to_owned(),
            format!("{:.2} µs", per(measured.cpu, 2_000_000)),
            format!("{:.0}", rate(2_000_000, measured.seconds)),
            format!("{:.0} MiB", measured.peak_mib),
        ]);
    }
    Ok(())
}

/// 60 ms a page: one stream against 64, 100 and 256.
pub(super) fn latency(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
    say("scanning at 60 ms a page");
    let slow = ["--list-ms", "60"];
    let single = 200_000;
    let server = start(programs, "hashed", single, &slow)?;
    let (measured, _) = reseed(programs, &server, &["--dry-run", "--listers", "1"])?;
    let single = rate(single, measured.seconds);
    page.table(
        &format!(
            "At 60 ms a page, 2 million versions, by pages in flight; one stream: {single:.0} versions/s"
        ),
        &[
            "bucket",
            "in flight",
            "versions/s",
            "times one stream",
            "CPU a version",
            "requests",
            "pages needed",
            "most in flight, after",
            "peak memory",
        ],
    );
    for shape in ["hashed", "dated", "hot-prefix", "one-key", "non-ascii"] {
        for listers in ["64", "100", "256"] {
            let server = start(programs, shape, 2_000_000, &slow)?;
            let arguments = ["--dry-run", "--listers", listers];
            let (measured, end) = reseed(programs, &server, &arguments)?;
            ensure!(end["planned"]["events"] == 2_000_000, "{shape}: {end}");
            let fast = rate(2_000_000, measured.seconds);
            let stats = server.stats()?;
            page.row(&[
                shape.to_owned(),
                listers.to_owned(),
                format!("{fast:.0}"),
                format!("{:.1}", fast / single),
                format!("{:.2} µs", per(measured.cpu, 2_000_000)),
                stats["lists"].to_string(),
                "2000".to_owned(),
                format!("{}, {} ms", stats["mostAtOnce"], stats["mostAfterMs"]),
                format!("{:.0} MiB", measured.peak_mib),
            ]);
        }
    }
    Ok(())
}
