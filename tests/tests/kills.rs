//! The running function is killed ten times during two reseeds of a thousand events, five times each: one
//! unpacked and one packed. A consumer must read every sequence once, and each key in order.

#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::{KILLS_STACK, Stack};
use serde_json::{Value, json};

const KEYS: usize = 60;
const VERSIONS: usize = 20;
const EVENTS: usize = KEYS * VERSIONS;
/// Of both jobs' processes at once.
const KILLS: u64 = 5;
/// Events per second of a job: slow enough that none ends before its last kill.
const RATE: u64 = 8;
/// Four times what a quiet machine takes.
const TIMEOUT: Duration = Duration::from_mins(20);

/// Reads a queue until it has seen all events; tells the sequences in the order they came.
async fn consume(stack: Arc<Stack>, queue: String) -> Vec<(String, u64)> {
    let mut told = Vec::new();
    let begin = Instant::now();
    while told.len() < EVENTS && begin.elapsed() < TIMEOUT {
        let messages = stack
            .receive(&queue, 1, Duration::from_secs(5), |_| true)
            .await;
        for message in messages.unwrap() {
            let group = message.group.clone().unwrap();
            told.extend(message.sequences().into_iter().map(|s| (group.clone(), s)));
        }
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

/// How far a job is.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// How often it was taken over.
    epoch: u64,
    /// The last sequence that its checkpoint has.
    sequence: u64,
    is_done: bool,
}

async fn progress(stack: &Stack, job: &str) -> Progress {
    let status = answered(stack, json!({ "action": "status", "jobId": job })).await;
    Progress {
        epoch: status["epoch"].as_u64().unwrap(),
        sequence: status["checkpoint"]["sequence"].as_u64().unwrap(),
        is_done: status["phase"] == "done",
    }
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
    let unpacked = json!({ "prefix": "kills/", "maxRate": RATE });
    let packed = json!({
        "prefix": "kills/", "maxRate": RATE, "format": "s3", "recordsPerMessage": 20,
    });
    let mut jobs = Vec::new();
    for (name, mut input) in [("kills-unpacked", unpacked), ("kills-packed", packed)] {
        let queue = stack.create_queue(name).await.unwrap();
        input["queueUrl"] = Value::from(queue.clone());
        let job = stack.reseed(input).await.unwrap()["jobId"]
            .as_str()
            .unwrap()
            .to_owned();
        let consumer = tokio::spawn(consume(Arc::clone(&stack), queue));
        jobs.push((name, job, consumer));
    }
    let mut before = [Progress::default(); 2];
    for _ in 0..KILLS {
        // Each was taken over, has got further since, and is at work.
        for ((name, job, _), before) in jobs.iter().zip(&mut before) {
            let killed_at = *before;
            loop {
                *before = progress(&stack, job).await;
                assert!(!before.is_done, "{name} ended before it was killed");
                if before.epoch > killed_at.epoch && before.sequence > killed_at.sequence {
                    break;
                }
                answered(&stack, json!({ "action": "sweep" })).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
        let killed = e2e::kill::all_of(stack.output("ReseedFunction"));
        assert!(killed >= 2, "each job's process was at work: {killed}");
    }
    for (name, job, consumer) in jobs {
        let mut end = progress(&stack, &job).await;
        while !end.is_done {
            answered(&stack, json!({ "action": "sweep" })).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            end = progress(&stack, &job).await;
        }
        check(&consumer.await.unwrap(), name);
        assert!(
            end.epoch > KILLS,
            "{name} was taken over {} times",
            end.epoch
        );
    }
}
