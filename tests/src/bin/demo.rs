//! The demo that `cargo xtask demo` runs on the deployed stack.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use e2e::{Received, Stack};

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

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let name = std::env::var("BRIDGE_STACK").unwrap_or_else(|_| "s3-sqs-bridge".to_owned());
    let stack = Stack::connect(&name).await?;
    let queue = stack.output("QueueUrl").to_owned();
    println!("bucket {}\nqueue  {queue}\n", stack.output("BucketName"));

    let mut versions = Vec::new();
    for (number, (key, written)) in HISTORY.iter().enumerate() {
        let version = if *written {
            stack.put(key, &format!("state {number}")).await?
        } else {
            stack.delete(key).await?
        };
        println!("{}  {key}", if *written { "put   " } else { "delete" });
        versions.push(version);
    }

    let everything = HISTORY.len();
    let patience = Duration::from_mins(1);
    let realtime = stack.receive(&queue, everything, patience, |m| {
        m.text("source") == "realtime"
    });
    let realtime = realtime.await?;
    show(
        "realtime: what arrived the moment it happened",
        &realtime,
        &versions,
    );

    println!("\n$ sam remote invoke Reseed --stack-name {name}");
    let sam = Command::new("sam")
        .args(["remote", "invoke", "Reseed", "--stack-name", &name])
        .output()
        .context("starting sam")?;
    println!("{}", String::from_utf8_lossy(&sam.stdout).trim());
    if !sam.status.success() {
        bail!(
            "sam remote invoke failed: {}",
            String::from_utf8_lossy(&sam.stderr)
        );
    }

    let replay = stack.receive(&queue, everything, patience, |m| {
        m.text("source") == "reseed"
    });
    let mut replay = replay.await?;
    replay.sort_by_key(Received::sequence); // across keys, the queue's groups are parallel
    show(
        "reseed: the whole history again, by sequence",
        &replay,
        &versions,
    );

    let ids = |events: &[Received]| {
        let mut ids: Vec<_> = events
            .iter()
            .map(|e| e.text("eventId").to_owned())
            .collect();
        ids.sort_unstable();
        ids
    };
    if ids(&realtime) != ids(&replay) || replay.len() != everything {
        bail!("realtime and reseed do not report the same {everything} changes");
    }
    println!(
        "\nBoth streams report the same {everything} changes, with the same event ids.\n\n\
         What to try next:\n  \
         cargo xtask up          leave such a stack running, to play with\n  \
         sam build && sam deploy      the same on AWS"
    );
    Ok(())
}

fn show(title: &str, events: &[Received], versions: &[String]) {
    println!("\n{title}");
    println!(
        "{:>4} {:>6}  {:<34} {:<28} eventId",
        "#", "change", "eventName", "key"
    );
    for event in events {
        let change = versions.iter().position(|v| v == event.text("versionId"));
        println!(
            "{:>4} {:>6}  {:<34} {:<28} {}",
            event.body["sequence"]
                .as_u64()
                .map_or("-".to_owned(), |n| n.to_string()),
            change.map_or("?".to_owned(), |n| (n + 1).to_string()),
            event.text("eventName"),
            event.text("key"),
            event.text("eventId"),
        );
    }
}
