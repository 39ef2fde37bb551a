//! The stack is upgraded and rolled back while a job is in flight. No event may be lost.
//!
//! Lambda lets an invocation end before it takes a function's old version away; the emulator kills
//! it, so this is also two crashes.

use std::process::Command;
use std::time::Duration;

use e2e::{Stack, UPGRADED_STACK};
use serde_json::json;

const EVENTS: usize = 600;
const TIMEOUT: Duration = Duration::from_mins(5);

/// `sam deploy` of what is built, with other parameters.
fn deploy(parameters: &[&str]) {
    let output = Command::new("sam")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["deploy", "--no-confirm-changeset", "--no-progressbar"])
        .args([
            "--no-fail-on-empty-changeset",
            "--stack-name",
            UPGRADED_STACK,
        ])
        .arg("--parameter-overrides")
        .args(parameters)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_and_a_rollback_lose_no_event_of_a_job_in_flight() {
    let stack = Stack::connect(UPGRADED_STACK).await.unwrap();
    for number in 0..EVENTS {
        stack.put(&format!("upgrade/{number}"), "1").await.unwrap();
    }
    let queue = stack.create_queue("upgrade").await.unwrap();
    let input = json!({ "prefix": "upgrade/", "maxRate": 10, "queueUrl": queue });
    let job = stack.reseed(input).await.unwrap();
    let job = job["jobId"].as_str().unwrap().to_owned();
    let mut events = stack.receive(&queue, 20, TIMEOUT, |_| true).await.unwrap();
    deploy(&["LeaseSeconds=15", "LogLevel=debug", "ReseedMemory=1536"]);
    let status = stack
        .reseed(json!({ "action": "status", "jobId": job }))
        .await
        .unwrap();
    assert_eq!(status["phase"], "sending", "it is in flight: {status}");
    let more = stack.receive(&queue, 100, TIMEOUT, |_| true).await.unwrap();
    events.extend(more);
    deploy(&["LeaseSeconds=15", "LogLevel=info", "ReseedMemory=1024"]);
    let status = stack
        .reseed(json!({ "action": "status", "jobId": job }))
        .await
        .unwrap();
    assert_eq!(status["phase"], "sending", "it is in flight: {status}");
    let rest = EVENTS - events.len();
    events.extend(
        stack
            .receive(&queue, rest, TIMEOUT, |_| true)
            .await
            .unwrap(),
    );
    let mut sequences: Vec<u64> = events.iter().map(e2e::Received::sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=EVENTS as u64).collect::<Vec<_>>());
    stack.wait_for(&job, "done", TIMEOUT).await.unwrap();
}
