//! `cargo xtask demo`: the whole way on a local AWS.
//!
//! - [`client`]: S3 and SQS, as far as it needs them

mod client;

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::emulator::{Emulator, log_path};
use crate::run::say;
use crate::stack::Stack;
use crate::tools;
use client::Client;

const STACK: &str = "s3-sqs-bridge";

/// How long the changes may take to arrive.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The history: a key, and whether it is written or deleted. Made within a second or two.
const HISTORY: [(&str, bool); 9] = [
    ("accounts/1.json", true),
    ("accounts/2.json", true),
    ("accounts/1.json", true),
    ("accounts/1.json", true),
    ("accounts/2.json", false),
    ("reports/red flower+50%.jpg", true),
    ("accounts/1.json", false),
    ("accounts/1.json", true),
    ("reports/ünï/日本 & <tag>.txt", true),
];

/// Starts, builds, deploys, shows, stops.
///
/// # Errors
/// When a step fails; what was started is stopped.
pub(crate) fn show() -> anyhow::Result<()> {
    let tools = tools::install()?;
    let emulator = Emulator::start(&tools)?;
    let stack = Stack::new(&tools, &emulator);
    stack.build()?;
    stack.deploy(STACK, &[])?;
    say("writing a small history, and reading what arrives");
    walk(&stack, &Client::new(emulator.endpoint()))?;
    say("stopping the local AWS");
    println!("its log, with the functions' own: {}", log_path().display());
    Ok(())
}

/// Changes the bucket, reads what realtime tells of it, replays it and reads it again.
fn walk(stack: &Stack<'_>, client: &Client) -> anyhow::Result<()> {
    let bucket = stack.output(STACK, "BucketName")?;
    let queue = stack.output(STACK, "QueueUrl")?;
    println!("bucket {bucket}\nqueue  {queue}\n");
    let mut versions = Vec::new();
    for (number, (key, written)) in HISTORY.iter().enumerate() {
        println!("{}  {key}", if *written { "put   " } else { "delete" });
        versions.push(if *written {
            client.put(&bucket, key, &format!("state {number}"))?
        } else {
            client.delete(&bucket, key)?
        });
    }
    let everything = HISTORY.len();
    let read = |source: &str| {
        client.receive(&queue, everything, TIMEOUT, |event| {
            event["source"] == source
        })
    };
    let realtime = read("realtime")?;
    table(
        "realtime: what arrived the moment it happened",
        &realtime,
        &versions,
    );
    println!("\n$ sam remote invoke Reseed --stack-name {STACK}");
    let mut sam = stack.command("sam");
    sam.args(["remote", "invoke", "Reseed", "--stack-name", STACK]);
    let answer = sam.output().context("starting sam")?;
    println!("{}", String::from_utf8_lossy(&answer.stdout).trim());
    if !answer.status.success() {
        let error = String::from_utf8_lossy(&answer.stderr);
        bail!("sam remote invoke failed: {error}");
    }
    let mut replay = read("reseed")?;
    replay.sort_by_key(|event| event["sequence"].as_u64()); // across keys, the queue's groups are parallel
    table(
        "reseed: the whole history again, by sequence",
        &replay,
        &versions,
    );
    if ids(&realtime) != ids(&replay) || replay.len() != everything {
        bail!("realtime and reseed do not report the same {everything} changes");
    }
    println!(
        "\nBoth streams report the same {everything} changes, with the same event ids.\n\
         S3 notifies in no order, so realtime may show an older change of a key last: compare `sequencer`, or\n\
         deploy with LiveOrder=exact. A reseed is always in order.\n\n\
         What to try next:\n  \
         cargo xtask up          leave such a stack running, to play with\n  \
         README.md, \"Deploy on AWS\"      the same on AWS: `sam` is in .local/tools/bin"
    );
    Ok(())
}

fn ids(events: &[Value]) -> Vec<&str> {
    let mut ids: Vec<_> = events.iter().map(|event| text(event, "eventId")).collect();
    ids.sort_unstable();
    ids
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}

fn table(title: &str, events: &[Value], versions: &[String]) {
    println!("\n{title}");
    println!(
        "{:>4} {:>6}  {:<34} {:<28} eventId",
        "#", "change", "eventName", "key"
    );
    for event in events {
        let change = versions.iter().position(|v| v == text(event, "versionId"));
        println!(
            "{:>4} {:>6}  {:<34} {:<28} {}",
            event["sequence"]
                .as_u64()
                .map_or("-".to_owned(), |n| n.to_string()),
            change.map_or("?".to_owned(), |n| (n + 1).to_string()),
            text(event, "eventName"),
            text(event, "key"),
            text(event, "eventId"),
        );
    }
}
