//! What is compared.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::Programs;
use super::measure::{Measured, measure};
use super::page::Page;
use super::server::Server;
use crate::run::say;

/// Where the program under test keeps its plan.
struct State(std::path::PathBuf);

impl State {
    fn new() -> anyhow::Result<Self> {
        let path = crate::local().join("bench-state");
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
fn reseed(
    programs: &Programs,
    server: &Server,
    arguments: &[&str],
) -> anyhow::Result<(Measured, Value)> {
    let state = State::new()?;
    let mut command = Command::new(programs.target.join("s3-sqs-bridge"));
    command.args(["reseed", "--json", "--bucket", "load", "--state"]);
    command.arg(&state.0).args(arguments);
    let measured = measure(server.client(&mut command))?;
    let end = serde_json::from_str(&measured.output)?;
    Ok((measured, end))
}

fn peer(programs: &Programs, server: &Server, name: &str, mode: &str) -> anyhow::Result<Measured> {
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

fn start(programs: &Programs, shape: &str, versions: u64, more: &[&str]) -> anyhow::Result<Server> {
    let versions = versions.to_string();
    let mut arguments = vec!["--shape", shape, "--versions", &versions];
    arguments.extend(more);
    Server::start(programs, &arguments)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per(total: f64, count: u64) -> f64 {
    total * 1e6 / count as f64
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// Reading pages alone, one stream, no latency: CPU a version.
pub fn reading(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
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
pub fn scanning(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
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

/// 60 ms a page: one stream against 64.
pub fn latency(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
    say("scanning at 60 ms a page");
    let slow = ["--list-ms", "60"];
    let single = 200_000;
    let server = start(programs, "hashed", single, &slow)?;
    let (measured, _) = reseed(programs, &server, &["--dry-run", "--listers", "1"])?;
    let single = rate(single, measured.seconds);
    page.table(
        &format!(
            "At 60 ms a page, 2 million versions, 64 in flight; one stream: {single:.0} versions/s"
        ),
        &[
            "bucket",
            "versions/s",
            "times one stream",
            "requests",
            "pages needed",
        ],
    );
    for shape in ["hashed", "dated", "hot-prefix"] {
        let server = start(programs, shape, 2_000_000, &slow)?;
        let (measured, _) = reseed(programs, &server, &["--dry-run"])?;
        let fast = rate(2_000_000, measured.seconds);
        page.row(&[
            shape.to_owned(),
            format!("{fast:.0}"),
            format!("{:.1}", fast / single),
            server.stats()?["lists"].to_string(),
            "2000".to_owned(),
        ]);
    }
    Ok(())
}

/// The same job by what a user would write.
pub fn peers(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
    say("the whole job, against what a user would write");
    page.table(
        "The whole job (list, order, send), 100,000 versions",
        &[
            "program",
            "latency",
            "events/s",
            "CPU an event",
            "peak memory",
        ],
    );
    for (latency, server) in [
        ("none", &[][..]),
        (
            "60 ms a page, 8 ms a send",
            &["--list-ms", "60", "--send-ms", "8"][..],
        ),
    ] {
        for (name, mode, versions) in [
            ("this project, 64 lanes", "", 100_000_u64),
            ("JavaScript SDK v3, batches of 10", "reseed", 100_000),
            (
                "JavaScript SDK v3, one awaited SendMessage an event",
                "origin",
                5_000,
            ),
            ("boto3, batches of 10", "reseed", 100_000),
        ] {
            let server = start(programs, "hashed", versions, server)?;
            let measured = if name.starts_with("this") {
                reseed(programs, &server, &["--queue-url", &server.queue()])?.0
            } else if name.starts_with("boto3") {
                peer(programs, &server, "boto3", mode)?
            } else {
                peer(programs, &server, "node", mode)?
            };
            let stats = server.stats()?;
            ensure!(stats["distinct"] == versions, "{name}: {stats}");
            page.row(&[
                name.to_owned(),
                latency.to_owned(),
                format!("{:.0}", rate(versions, measured.seconds)),
                format!("{:.1} µs", per(measured.cpu, versions)),
                format!("{:.0} MiB", measured.peak_mib),
            ]);
        }
    }
    Ok(())
}

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
