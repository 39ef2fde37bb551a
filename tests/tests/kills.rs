//! The running function is killed ten times during two reseeds of several thousand events, one
//! unpacked and one packed. A consumer must read every sequence once, and each key in order.

#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use e2e::{KILLS_STACK, Stack};
use serde_json::{Value, json};

const KEYS: usize = 150;
const VERSIONS: usize = 20;
const EVENTS: usize = KEYS * VERSIONS;
const KILLS: usize = 10;
/// Events that arrive of each job between two kills, at least.
const STEP: usize = 60;
const TIMEOUT: Duration = Duration::from_mins(8);

/// Reads a queue until it has seen all events; tells the sequences in the order they came.
async fn consume(stack: Arc<Stack>, queue: String, seen: Arc<AtomicUsize>) -> Vec<(String, u64)> {
    let mut told = Vec::new();
    let begin = std::time::Instant::now();
    while told.len() < EVENTS && begin.elapsed() < TIMEOUT {
        let messages = stack
            .receive(&queue, 1, Duration::from_secs(5), |_| true)
            .await;
        for message in messages.unwrap() {
            let group = message.group.clone().unwrap();
            told.extend(message.sequences().into_iter().map(|s| (group.clone(), s)));
        }
        seen.store(told.len(), Ordering::SeqCst);
    }
    // Whatever comes twice would be here by now or within the next seconds.
    let more = stack
        .receive(&queue, 1, Duration::from_secs(5), |_| true)
        .await;
    told.extend(
        more.unwrap()
            .iter()
            .flat_map(e2e::Received::sequences)
            .map(|s| ("late".to_owned(), s)),
    );
    told
}

fn check(told: &[(String, u64)], what: &str) {
    let mut sequences: Vec<u64> = told.iter().map(|(_, sequence)| *sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=EVENTS as u64).collect::<Vec<_>>(), "{what}");
    let mut last: HashMap<&str, u64> = HashMap::new();
    for (group, sequence) in told {
        let before = last.insert(group, *sequence).unwrap_or(0);
        assert!(
            before < *sequence,
            "{what}: {group} got {sequence} after {before}"
        );
    }
}

async fn epoch(stack: &Stack, job: &str) -> (u64, bool) {
    let status = answered(stack, json!({ "action": "status", "jobId": job })).await;
    (status["epoch"].as_u64().unwrap(), status["phase"] == "done")
}

/// Invokes the function until it answers: one whose process was just killed may be told to answer first.
async fn answered(stack: &Stack, input: Value) -> Value {
    for _ in 0..10 {
        if let Ok(answer) = stack.reseed(input.clone()).await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    stack.reseed(input).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_lose_repeat_and_reorder_nothing_packed_or_not() {
    let stack = Arc::new(Stack::connect(KILLS_STACK).await.unwrap());
    for version in 0..VERSIONS {
        for key in 0..KEYS {
            stack
                .put(&format!("kills/{key}"), &version.to_string())
                .await
                .unwrap();
        }
    }
    let unpacked = json!({ "prefix": "kills/", "maxRate": 40 });
    let packed = json!({
        "prefix": "kills/", "maxRate": 40, "format": "s3", "recordsPerMessage": 20,
    });
    let mut jobs = Vec::new();
    for (name, mut input) in [("kills-unpacked", unpacked), ("kills-packed", packed)] {
        let queue = stack.create_queue(name).await.unwrap();
        input["queueUrl"] = Value::from(queue.clone());
        let job = stack.reseed(input).await.unwrap()["jobId"]
            .as_str()
            .unwrap()
            .to_owned();
        let seen = Arc::new(AtomicUsize::new(0));
        let consumer = tokio::spawn(consume(Arc::clone(&stack), queue, Arc::clone(&seen)));
        jobs.push((name, job, seen, consumer));
    }
    let mut killed = 0;
    for _ in 0..KILLS {
        // Each gets a bit further, and is at work when it is killed.
        let seen_before = jobs
            .iter()
            .map(|(_, _, seen, _)| seen.load(Ordering::SeqCst));
        let seen_before: Vec<usize> = seen_before.collect();
        for ((_, job, seen, _), before) in jobs.iter().zip(seen_before) {
            let goal = before + STEP;
            while seen.load(Ordering::SeqCst) < goal {
                answered(&stack, json!({ "action": "sweep" })).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            assert!(!epoch(&stack, job).await.1, "it ended before it was killed");
        }
        killed += usize::from(e2e::kill::all_of(stack.output("ReseedFunction")) > 0);
    }
    assert_eq!(killed, KILLS, "a process was at work each time");
    while !epoch(&stack, &jobs[0].1).await.1 || !epoch(&stack, &jobs[1].1).await.1 {
        answered(&stack, json!({ "action": "sweep" })).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for (name, job, _, consumer) in jobs {
        check(&consumer.await.unwrap(), name);
        let (epoch, _) = epoch(&stack, &job).await;
        assert!(epoch > KILLS as u64, "{name} was taken over {epoch} times");
    }
}
