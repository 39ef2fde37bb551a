//! History, then live, while the stack is upgraded, the job is paused and resumed, and the stack is rolled
//! back. Nothing live may come before the history's end, and nothing may be lost.
//!
//! The emulator kills what runs in a function that is deployed anew, so each deploy is also a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use e2e::jobs::history_among;
use e2e::{Received, Stack};
use serde_json::{Value, json};
use tokio::time::sleep;

const KEYS: usize = 4;
/// Changes of each key before the job.
const BEFORE: usize = 8;
/// A hang ends; the job waits for two and a half minutes and sends for forty seconds.
const TIMEOUT: Duration = Duration::from_mins(15);
/// Nothing came for so long: all has come.
const QUIET: Duration = Duration::from_secs(6);

const PARAMETERS: [(&str, &str); 3] = [
    ("LiveOrder", "exact"),
    ("Ingestion", "buffered"),
    ("LeaseSeconds", "15"),
];
/// Both functions and the buffer's mapping are changed.
const UPGRADE: [(&str, &str); 3] = [
    ("LogLevel", "debug"),
    ("ReseedMemory", "1536"),
    ("BatchSize", "50"),
];

/// The version ids of each key, in the order in which they were written.
type Written = BTreeMap<String, Vec<String>>;

/// One change of each key.
async fn change(stack: &Stack, written: &mut Written) {
    for number in 0..KEYS {
        let key = format!("k{number}");
        let versions = written.entry(key.clone()).or_default();
        let version = if versions.len() % 5 == 3 {
            stack.delete(&key).await
        } else {
            stack.put(&key, &versions.len().to_string()).await
        };
        versions.push(version.unwrap());
    }
}

/// Enables the buffer's mapping, as an operator or a deploy may at any time: the hold alone keeps live out.
async fn enable_mapping(stack: &Stack) {
    let mapping = stack.buffer_mapping().await.unwrap();
    let update = stack.lambda.update_event_source_mapping();
    let updated = update.uuid(mapping).enabled(true).send().await;
    // The SDK cannot read the emulator's answer, in which a parameter's number is a text.
    let is_done = updated.as_ref().err().is_none_or(|error| {
        let answer = error.raw_response();
        answer.is_some_and(|answer| answer.status().is_success())
    });
    assert!(is_done, "{updated:?}");
}

/// The job's hold stands, by its own word and by realtime's.
async fn is_held(stack: &Stack, job: &str) {
    let asked = json!({ "action": "status", "jobId": job });
    let status = stack.reseed_again(&asked).await.unwrap();
    assert_eq!(status["hold"]["owner"], job, "{status:#}");
    let health = json!({ "action": "health" });
    let health = stack.invoke("RealtimeFunction", &health).await.unwrap();
    let refused = health.unwrap_err().to_string();
    assert!(refused.contains(job), "{refused}");
}

async fn until(stack: &Stack, job: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    stack.until(job, TIMEOUT, is_there).await.unwrap()
}

/// Everything that is in the queue and comes, until the last change of each key has come and nothing comes any more.
async fn read(stack: &Stack, written: &Written) -> Vec<Received> {
    let begin = Instant::now();
    let mut all: Vec<Received> = Vec::new();
    loop {
        let url = stack.output("QueueUrl");
        let more = stack.receive(url, usize::MAX, QUIET, |_| true).await;
        let more = more.unwrap();
        let is_quiet = more.is_empty();
        all.extend(more);
        let told: BTreeSet<&str> = all.iter().map(|m| m.text("versionId")).collect();
        let missing = written
            .values()
            .filter_map(|versions| versions.last())
            .find(|last| !told.contains(last.as_str()));
        if missing.is_none() && is_quiet {
            return all;
        }
        assert!(begin.elapsed() < TIMEOUT, "{missing:?} did not come");
    }
}

/// From the job's first message on: the history, nothing live amid it, then what happened; of each key every
/// version, first arrivals in order.
fn check(messages: &[Received], written: &Written) {
    let history = history_among(messages);
    assert!(history.end() + 1 < messages.len(), "nothing live came");
    let mut told = Written::new();
    for message in &messages[*history.start()..] {
        let versions = told.entry(message.text("key").to_owned()).or_default();
        let version = message.text("versionId").to_owned();
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    assert_eq!(told, *written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_outlasts_an_upgrade_a_pause_and_a_rollback() {
    let mut stack = Stack::create("then-upgrade", &PARAMETERS).await.unwrap();
    let mut written = Written::new();
    for _ in 0..BEFORE {
        change(&stack, &mut written).await;
    }
    let input = json!({ "then": "live", "maxRate": 1 });
    let job = stack.start(input).await.unwrap();

    // While it waits.
    until(&stack, &job, |status| {
        status["handover"]["waitedMs"].as_u64() >= Some(5_000)
    })
    .await;
    change(&stack, &mut written).await;
    let upgraded = [&PARAMETERS[..], &UPGRADE].concat();
    stack = stack.change(&upgraded).await.unwrap();
    enable_mapping(&stack).await;
    change(&stack, &mut written).await;
    is_held(&stack, &job).await;

    // While it sends, and stands still.
    until(&stack, &job, |status| {
        status["checkpoint"]["sequence"].as_u64() >= Some(4)
    })
    .await;
    let pause = json!({ "action": "pause", "jobId": job });
    stack.reseed_again(&pause).await.unwrap();
    until(&stack, &job, |status| status["phase"] == "paused").await;
    change(&stack, &mut written).await;
    enable_mapping(&stack).await;
    sleep(QUIET).await; // realtime finds it held
    is_held(&stack, &job).await;
    let resume = json!({ "action": "resume", "jobId": job });
    stack.reseed_again(&resume).await.unwrap();

    // While it sends again.
    until(&stack, &job, |status| {
        status["checkpoint"]["sequence"].as_u64() >= Some(10)
    })
    .await;
    stack = stack.change(&PARAMETERS).await.unwrap();
    is_held(&stack, &job).await;
    change(&stack, &mut written).await;
    let done = until(&stack, &job, |status| status["phase"] == "done").await;
    assert_eq!(done["handover"]["step"], "released");
    assert!(done.get("hold").is_none(), "{done:#}");

    // What went back to the buffer comes in six minutes; the key's next change brings it sooner.
    change(&stack, &mut written).await;
    let messages = read(&stack, &written).await;
    check(&messages, &written);
    println!(
        "{} messages, {} events replayed",
        messages.len(),
        done["checkpoint"]["sequence"]
    );
    stack.remove().await.unwrap();
}
