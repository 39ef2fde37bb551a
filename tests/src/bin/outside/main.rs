//! What `cargo xtask outside` runs against a server that it has started: a history, replays of it, and
//! live notifications.
//!
//! - [`worlds`]: the buckets, and what is written to them
//! - [`live`]: notifications by HTTP, and what realtime makes of them

mod live;
mod worlds;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use bridge_aws::sdk;
use e2e::aws;
use e2e::history::History;
use e2e::history::replayed::{Replay, Ties, reseed};
use live::Notified;
use tokio::task::JoinSet;
use worlds::World;

/// How many listers a replay is run with.
const LISTERS: [usize; 2] = [1, 64];

#[tokio::main]
async fn main() -> ExitCode {
    match check().await {
        Ok(0) => {
            println!("\nall of it holds");
            ExitCode::SUCCESS
        }
        Ok(faults) => {
            println!("\n{faults} of the buckets did not come out as written");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How many buckets did not come out as written.
async fn check() -> anyhow::Result<usize> {
    let folder = std::env::var_os("OUTSIDE_FOLDER").map(PathBuf::from);
    let folder = folder.context("run by `cargo xtask outside`, which sets OUTSIDE_FOLDER")?;
    let config = aws::load().await;
    let s3 = sdk::s3(&config);
    let listener = live::Listener::start().await?;
    let sns = aws_sdk_sns::Client::new(&config);
    let topic = listener.topic(&sns).await?;
    let begin = Instant::now();
    let mut writing = JoinSet::new();
    for world in worlds::all() {
        e2e::history::create_bucket(&s3, world.bucket).await?;
        live::notify(&s3, world.bucket, &topic).await?;
        let s3 = s3.clone();
        writing.spawn(async move { anyhow::Ok((world.write(&s3).await?, world)) });
    }
    let mut written = Vec::new();
    while let Some(world) = writing.join_next().await {
        written.push(world.context("a writer panicked")??);
    }
    println!("written in {:.0} s", begin.elapsed().as_secs_f64());
    let notified = listener.all().await;
    let mut faults = 0;
    for (truth, world) in written {
        println!("\n{}: {}", world.bucket, world.what);
        println!("  {}", truth.summary());
        let notified = notified.of(world.bucket);
        faults += usize::from(!holds(&world, &truth, &notified, &folder));
    }
    Ok(faults)
}

/// Replays a bucket and compares; prints what does not hold.
fn holds(world: &World, truth: &History, notified: &Notified, folder: &std::path::Path) -> bool {
    let mut first: Option<Replay> = None;
    let mut holds = true;
    for listers in LISTERS {
        let begin = Instant::now();
        let compared = reseed(folder, world.bucket, listers, None).and_then(|replay| {
            replay.compare(truth, Ties::Ordered)?;
            Ok(replay)
        });
        let took = begin.elapsed().as_secs_f64();
        match compared {
            Ok(replay) => {
                let pages = &replay.report["counts"]["pages"];
                let events = replay.events.len();
                println!(
                    "  {listers} listers: {events} events as written, {pages} pages, {took:.1} s"
                );
                let same = first.get_or_insert_with(|| replay.clone()).without_job()
                    == replay.without_job();
                if !same {
                    println!(
                        "  {listers} listers: NOT the sequence of {} listers",
                        LISTERS[0]
                    );
                    holds = false;
                }
            }
            Err(error) => {
                println!("  {listers} listers: NOT as written, {took:.1} s: {error:#}");
                holds = false;
            }
        }
    }
    match notified.compare(truth, first.as_ref()) {
        Ok(found) => println!("  live: {found}"),
        Err(error) => {
            println!("  live: NOT as written: {error:#}");
            holds = false;
        }
    }
    holds
}
