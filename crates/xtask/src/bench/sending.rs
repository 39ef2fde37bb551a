//! Sending, and whole jobs.

use anyhow::ensure;
use serde_json::Value;

use super::Programs;
use super::cases::{peer, per, rate, reseed, start};
use super::measure::Measured;
use super::page::Page;
use super::server::Server;
use crate::run::say;

/// The same job by what a user would write.
pub(super) fn peers(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
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

/// Sending, at no latency and at 8 ms a request: what is beyond the scan, which a dry run measures.
pub(super) fn sending(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
    say("sending");
    let versions = 300_000;
    let server = start(programs, "hashed", versions, &[])?;
    let (scan, _) = reseed(programs, &server, &["--dry-run"])?;
    page.table(
        "Sending 300,000 events, without the scan (CPU: from stored run to acknowledged message, the merge included)",
        &["job", "a send", "events/s", "CPU an event", "requests", "messages"],
    );
    for (name, latency, options) in [
        ("order by key, 64 lanes", "8", vec![]),
        ("order by key, 64 lanes", "0", vec![]),
        (
            "one total order, packed by 1,500 (1 MiB)",
            "8",
            packed("1500"),
        ),
        ("one total order, packed by 100", "8", packed("100")),
        ("one total order, packed by 100", "0", packed("100")),
        (
            "one total order, batched",
            "8",
            vec!["--order", "bucket", "--delivery", "batched"],
        ),
    ] {
        let server = start(programs, "hashed", versions, &["--send-ms", latency])?;
        let (measured, stats) = send(programs, &server, versions, &options)?;
        page.row(&[
            name.to_owned(),
            format!("{latency} ms"),
            format!("{:.0}", rate(versions, measured.seconds - scan.seconds)),
            format!("{:.1} µs", per(measured.cpu - scan.cpu, versions)),
            stats["sends"].to_string(),
            stats["messages"].to_string(),
        ]);
    }
    Ok(())
}

/// One total order, packed.
fn packed(records: &'static str) -> Vec<&'static str> {
    let order = ["--order", "bucket", "--format", "s3"];
    [&order[..], &["--records-per-message", records]].concat()
}

/// A job into the server's queue. Everything must arrive, each group in order.
fn send(
    programs: &Programs,
    server: &Server,
    versions: u64,
    options: &[&str],
) -> anyhow::Result<(Measured, Value)> {
    let queue = server.queue();
    let arguments = [&["--queue-url", &queue], options].concat();
    let (measured, _) = reseed(programs, server, &arguments)?;
    let stats = server.stats()?;
    ensure!(
        stats["distinct"] == versions && stats["outOfOrder"] == 0,
        "{versions} versions: {stats}"
    );
    Ok((measured, stats))
}

/// A whole reseed of a million versions at 60 ms a page and 8 ms a send, against the loop that it
/// replaces.
pub(super) fn whole(programs: &Programs, page: &mut Page) -> anyhow::Result<()> {
    say("a whole reseed of a million versions");
    let slow = ["--list-ms", "60", "--send-ms", "8"];
    page.table(
        "A whole reseed at 60 ms a page and 8 ms a send, against one awaited SendMessage an event",
        &[
            "program",
            "versions",
            "seconds",
            "events/s",
            "times the loop",
        ],
    );
    let server = start(programs, "hashed", 2_000, &slow)?;
    let measured = peer(programs, &server, "node", "origin")?;
    let origin = rate(2_000, measured.seconds);
    let row = |name: &str, versions: u64, seconds: f64| {
        let fast = rate(versions, seconds);
        [
            name.to_owned(),
            versions.to_string(),
            format!("{seconds:.1}"),
            format!("{fast:.0}"),
            format!("{:.0}", fast / origin),
        ]
    };
    page.row(&row(
        "the loop (JavaScript SDK v3)",
        2_000,
        measured.seconds,
    ));
    for (name, options) in [
        ("order by key, 64 lanes", vec![]),
        ("one total order, packed to 1 MiB", packed("1500")),
    ] {
        let server = start(programs, "hashed", 1_000_000, &slow)?;
        let (measured, _) = send(programs, &server, 1_000_000, &options)?;
        page.row(&row(name, 1_000_000, measured.seconds));
    }
    Ok(())
}
