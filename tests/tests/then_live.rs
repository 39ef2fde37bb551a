//! History, then live, on the deployed template, with writers going on all the time and a process that is killed.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::jobs::history_among;
use e2e::{Received, Stack};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

const KEYS: usize = 4;
/// Changes of each key before.
const BEFORE: usize = 8;
/// Between two changes of a key; also of a test, which takes some four minutes.
const PAUSE: Duration = Duration::from_millis(1_500);
/// What the job waits for: realtime's minute, the grace of half a minute, and a minute more.
const TIMEOUT: Duration = Duration::from_mins(8);
/// Nothing came for so long: all has come.
const QUIET: Duration = Duration::from_secs(6);
/// How long after its notification a version may be dated: see `bridge_core::live::hold::MOST_AHEAD`.
const AROUND: i64 = 10_000;

const PARAMETERS: [(&str, &str); 3] = [
    ("LiveOrder", "newest"),
    ("Ingestion", "buffered"),
    ("LeaseSeconds", "15"),
];

/// The version ids of each key, in the order in which they were written.
type Written = BTreeMap<String, Vec<String>>;

/// When each version is dated, ms.
type Dates = BTreeMap<String, i64>;

async fn change(stack: &Stack, key: &str, step: usize) -> String {
    let changed = if step % 5 == 3 {
        stack.delete(key).await
    } else {
        stack.put(key, &step.to_string()).await
    };
    changed.unwrap()
}

/// One writer a key, until it is told to stop.
async fn write(stack: &Stack, prefix: &str, most: usize, stop: &AtomicBool) -> Written {
    let writers = (0..KEYS).map(|number| async move {
        let key = format!("{prefix}{number}");
        let mut versions = Vec::new();
        for step in 0..most {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            versions.push(change(stack, &key, step).await);
            if most == usize::MAX {
                sleep(PAUSE).await;
            }
        }
        (key, versions)
    });
    join_all(writers).await.into_iter().collect()
}

/// Everything that comes, in the order in which it comes, until nothing comes any more and all was written.
async fn read(stack: &Stack, is_written: &AtomicBool) -> Vec<Received> {
    let url = stack.output("QueueUrl");
    let mut all = Vec::new();
    let begin = Instant::now();
    loop {
        let more = stack.receive(url, usize::MAX, QUIET, |_| true).await;
        let more = more.unwrap();
        let is_quiet = more.is_empty() && is_written.load(Ordering::Relaxed);
        all.extend(more);
        assert!(begin.elapsed() < 2 * TIMEOUT, "it never becomes quiet");
        if is_quiet {
            return all;
        }
    }
}

fn millis(text: &str) -> i64 {
    let time = bridge_core::timestamp::Timestamp::parse(text);
    time.map_or(0, |time| time.0)
}

/// From the job's first message on: the history, nothing live amid it, then what happened. Nothing of the
/// history is missing, each key ends with its last change, and none goes back but around `until`.
fn check(messages: &[Received], written: &Written, dates: &Dates, until: &str) {
    let is_replayed = |message: &Received| message.text("source") == "reseed";
    let history = history_among(messages);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let mut last_sequence: BTreeMap<&str, u64> = BTreeMap::new();
    for message in &messages[*history.start()..] {
        let (key, version) = (message.text("key"), message.text("versionId"));
        let versions = &written[key];
        let place = versions.iter().position(|one| one == version).unwrap();
        told.insert(version);
        if is_replayed(message) {
            let before = last_sequence.entry(key).or_default();
            if message.sequence() <= *before {
                continue; // after a kill, as its sequence tells
            }
            *before = message.sequence();
        }
        let is_around = !is_replayed(message) && message.text("eventTime") < until;
        if is_around {
            let before = millis(until) - millis(message.text("eventTime"));
            assert!(before <= AROUND, "{key}: {version} was in the history");
        }
        let newest = seen.entry(key).or_insert(place);
        assert!(place >= *newest || is_around, "{key} goes back to {place}");
        *newest = place.max(*newest);
    }
    for message in &messages[history] {
        assert!(message.text("eventTime") < until);
    }
    for (key, versions) in written {
        assert_eq!(seen.get(key.as_str()), Some(&(versions.len() - 1)), "{key}");
    }
    // Behind `until`, `newest` may have left out what came after a newer change of its key.
    let missing = dates
        .iter()
        .filter(|(version, date)| **date < millis(until) && !told.contains(version.as_str()));
    assert_eq!(missing.count(), 0, "versions of the history are missing");
}

async fn until(stack: &Stack, job: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    stack.until(job, TIMEOUT, is_there).await.unwrap()
}

fn is_at(step: &'static str) -> impl Fn(&Value) -> bool {
    move |status| status["handover"]["step"] == step
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_gets_its_history_and_then_what_happens_and_a_cancel_lets_live_go_on() {
    let stack = Stack::create("then-live", &PARAMETERS).await.unwrap();
    let stack = Arc::new(stack);
    let never = AtomicBool::new(false);
    write(&stack, "k", BEFORE, &never).await;
    sleep(QUIET).await; // sent live, before the job

    let (stop, is_written) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let writer = {
        let (stack, stop, is_written) = (
            Arc::clone(&stack),
            Arc::clone(&stop),
            Arc::clone(&is_written),
        );
        tokio::spawn(async move {
            let written = write(&stack, "k", usize::MAX, &stop).await;
            is_written.store(true, Ordering::Relaxed);
            written
        })
    };
    let reader = {
        let (stack, is_written) = (Arc::clone(&stack), Arc::clone(&is_written));
        tokio::spawn(async move { read(&stack, &is_written).await })
    };

    // A cancelled one lets live go on; meanwhile nothing else may be started.
    let input = json!({ "then": "live" });
    let cancelled = stack.start(input).await.unwrap();
    until(&stack, &cancelled, is_at("waiting")).await;
    let refused = stack.reseed(json!({ "maxRate": 7 })).await.unwrap_err();
    assert!(refused.to_string().contains(&cancelled), "{refused:#}");
    let held = until(&stack, &cancelled, |status| {
        status["hold"]["owner"].is_string()
    })
    .await;
    assert_eq!(held["hold"]["owner"], Value::from(cancelled.clone()));
    assert!(held["hold"]["buffer"]["depth"].is_u64(), "{held:#}");
    let health = stack
        .invoke("RealtimeFunction", &json!({ "action": "health" }))
        .await;
    assert!(
        health
            .unwrap()
            .unwrap_err()
            .to_string()
            .contains(&cancelled)
    );
    let cancel = json!({ "action": "cancel", "jobId": cancelled });
    stack.reseed_again(&cancel).await.unwrap();
    until(&stack, &cancelled, |status| status["phase"] == "cancelled").await;

    // Killed while it waits, and while it sends.
    let input = json!({ "then": "live", "maxRate": 10 });
    let job = stack.start(input).await.unwrap();
    until(&stack, &job, |status| {
        status["handover"]["waitedMs"].as_u64() >= Some(10_000)
    })
    .await;
    assert!(e2e::kill::all_of(stack.output("ReseedFunction")) > 0);
    until(&stack, &job, |status| {
        status["checkpoint"]["sequence"].as_u64() >= Some(20)
    })
    .await;
    assert!(e2e::kill::all_of(stack.output("ReseedFunction")) > 0);
    let done = until(&stack, &job, |status| status["phase"] == "done").await;
    assert_eq!(done["handover"]["step"], "released");
    assert!(done.get("hold").is_none(), "{done:#}");
    sleep(Duration::from_secs(10)).await; // changes after it
    stop.store(true, Ordering::Relaxed);
    let mut written = writer.await.unwrap();
    let messages = reader.await.unwrap();
    // The versions of before were listed, too.
    let until_of = done["options"]["filter"]["until"].as_str().unwrap();
    let dates = complete(&stack, &mut written).await;
    check(&messages, &written, &dates, until_of);
    println!(
        "{} messages, until {until_of}, {} events replayed",
        messages.len(),
        done["checkpoint"]["sequence"]
    );
    let stack = Arc::into_inner(stack).unwrap();
    stack.remove().await.unwrap();
}

/// What the bucket lists of each key, oldest first: the truth that a stream is compared with.
async fn complete(stack: &Stack, written: &mut Written) -> Dates {
    let mut dates = Dates::new();
    for (key, versions) in written {
        let list = stack.s3.list_object_versions();
        let list = list.bucket(stack.output("BucketName")).prefix(key.clone());
        let answer = list.send().await.unwrap();
        let of_versions = answer
            .versions()
            .iter()
            .map(|v| (v.last_modified(), v.version_id()));
        let of_markers = answer
            .delete_markers()
            .iter()
            .map(|m| (m.last_modified(), m.version_id()));
        let mut all: Vec<_> = of_versions.chain(of_markers).collect();
        all.sort_by_key(|(at, _)| at.map(|at| (at.secs(), at.subsec_nanos())));
        for (at, id) in &all {
            let millis = at.and_then(|at| at.to_millis().ok()).unwrap_or_default();
            dates.insert(id.unwrap_or_default().to_owned(), millis);
        }
        let all: Vec<String> = all
            .iter()
            .filter_map(|(_, id)| Some((*id)?.to_owned()))
            .collect();
        let of_writer: Vec<_> = all[all.len() - versions.len()..].to_vec();
        assert_eq!(
            of_writer, *versions,
            "{key}: what was written last is listed last"
        );
        *versions = all;
    }
    dates
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_mapping_does_not_stop_the_job_and_direct_ingestion_is_refused() {
    let stack = Stack::create("then-gone", &PARAMETERS).await.unwrap();
    let written = write(&stack, "k", 2, &AtomicBool::new(false)).await;
    let events: usize = written.values().map(Vec::len).sum();
    let mapping = stack.buffer_mapping().await.unwrap();
    let delete = stack.lambda.delete_event_source_mapping().uuid(mapping);
    // It is deleted; the SDK cannot read the emulator's answer.
    let _ = delete.send().await;
    let job = stack.start(json!({ "then": "live" })).await.unwrap();
    let done = until(&stack, &job, |status| status["phase"] == "done").await;
    assert_eq!(done["handover"]["mappingIsGone"], true, "{done:#}");
    assert_eq!(done["checkpoint"]["sequence"], events);
    stack.remove().await.unwrap();

    let direct = [("LiveOrder", "newest"), ("Ingestion", "direct")];
    let stack = Stack::create("then-direct", &direct).await.unwrap();
    let refused = stack.reseed(json!({ "then": "live" })).await.unwrap_err();
    assert!(
        refused.to_string().contains("Ingestion buffered"),
        "{refused:#}"
    );
    stack.remove().await.unwrap();
}
