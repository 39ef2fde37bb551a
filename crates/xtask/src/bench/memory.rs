//! Large buckets: memory of a reseed, and of a comparison.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::Programs;
use super::cases::{State, per, reseed, start};
use super::measure::{Measured, measure};
use super::page::Page;
use super::server::Server;
use crate::run::say;

/// Versions of a bucket that is also scanned into many small runs, at most.
const MOST_SMALL: u64 = 60_000_000;

/// Scan and merge of ever larger buckets, events thrown away.
pub(super) fn memory(programs: &Programs, page: &mut Page, sizes: &[u64]) -> anyhow::Result<()> {
    say("memory");
    let small: Vec<_> = sizes
        .iter()
        .filter(|size| **size <= MOST_SMALL)
        .copied()
        .collect();
    for (title, memory, sizes) in [
        (
            "Scan and merge with a budget of 256 MiB (`--memory 256 --out /dev/null`)",
            "256",
            sizes,
        ),
        (
            "Scan and merge with a budget of 16 MiB, which makes as many runs of 60 million versions as 256 MiB of a billion",
            "16",
            &small,
        ),
    ] {
        table(programs, page, (title, "versions"), sizes, |server| {
            let arguments = ["--out", "/dev/null", "--memory", memory];
            let (measured, end) = reseed(programs, server, &arguments)?;
            Ok((measured, end["checkpoint"].clone()))
        })?;
    }
    Ok(())
}

/// As many events against as many versions, piped from a reseed into `verify`.
pub(super) fn verify(programs: &Programs, page: &mut Page, sizes: &[u64]) -> anyhow::Result<()> {
    say("verify");
    let title = "A copy against its bucket (`reseed --out - | verify --events -`): `verify` alone, but for the seconds";
    let what = (title, "events and versions");
    table(programs, page, what, sizes, |server| {
        let (sending, comparing) = (State::new("verify-from")?, State::new("verify-to")?);
        let program = programs.target.join("s3-sqs-bridge");
        let mut reseed = Command::new(&program);
        reseed.args(["reseed", "--bucket", "load", "--out", "-", "--state"]);
        let mut reseed = (server.client(reseed.arg(&sending.0)).stdout(Stdio::piped()))
            .stderr(Stdio::null())
            .spawn()
            .context("starting the reseed")?;
        let lines = reseed.stdout.take().context("it has no output")?;
        let mut verify = Command::new(&program);
        verify.args([
            "verify", "--bucket", "load", "--events", "-", "--json", "--state",
        ]);
        let measured = measure(server.client(verify.arg(&comparing.0).stdin(lines)));
        let ended = reseed.wait()?;
        let measured = measured?;
        ensure!(ended.success(), "the reseed failed ({ended})");
        let end: Value = serde_json::from_str(&measured.output)?;
        Ok((measured, end["compared"].clone()))
    })
}

/// A row for each size, of what `run` took. It answers how many versions it worked on, too.
fn table(
    programs: &Programs,
    page: &mut Page,
    (title, counted): (&str, &str),
    sizes: &[u64],
    run: impl Fn(&Server) -> anyhow::Result<(Measured, Value)>,
) -> anyhow::Result<()> {
    page.table(title, &[counted, "peak memory", "CPU an event", "seconds"]);
    for versions in sizes {
        let server = start(programs, "hashed", *versions, &[])?;
        let (measured, done) = run(&server)?;
        ensure!(done == *versions, "{done} of {versions}");
        page.row(&[
            versions.to_string(),
            format!("{:.0} MiB", measured.peak_mib),
            format!("{:.2} µs", per(measured.cpu, *versions)),
            format!("{:.0}", measured.seconds),
        ]);
    }
    Ok(())
}
