//! The reseed path on the deployed template.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use e2e::{KILLED_STACK, Received, SHORT_STACK, STACK, Stack};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_mins(5);

fn all(_: &Received) -> bool {
    true
}

/// (sequence, key, version id) as received, without what came again.
fn told(events: &[Received]) -> Vec<(u64, String, String)> {
    let text = |e: &Received, field| e.text(field).to_owned();
    events
        .iter()
        .map(|e| (e.sequence(), text(e, "key"), text(e, "versionId")))
        .collect()
}

/// Every sequence once, and each key in order.
fn check_complete_and_ordered(events: &[Received], expected: usize) {
    let told = told(events);
    let mut sequences: Vec<u64> = told.iter().map(|t| t.0).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=expected as u64).collect::<Vec<_>>());
    let mut keys: Vec<&str> = told.iter().map(|t| t.1.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let of_key = told.iter().filter(|t| t.1 == key).map(|t| t.0);
        assert!(of_key.is_sorted(), "{key} came out of order");
    }
}

async fn start(stack: &Stack, input: Value) -> String {
    let job = stack.reseed(input).await.unwrap();
    job["jobId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn overwrites_deletes_and_recreations_come_back_in_their_order() {
    let stack = Stack::connect(STACK).await.unwrap();
    let mut history = Vec::new();
    for step in 0..3 {
        for key in ["order/a", "order/b"] {
            history.push((key, stack.put(key, &format!("{step}")).await.unwrap()));
            history.push((key, stack.put(key, "again").await.unwrap()));
            history.push((key, stack.delete(key).await.unwrap()));
        }
    }
    history.push(("order/a", stack.put("order/a", "last").await.unwrap()));
    let queue = stack.create_queue("order").await.unwrap();
    // One total order, so that the queue itself shows it.
    let input = json!({ "prefix": "order/", "order": "bucket", "queueUrl": queue });
    let job = start(&stack, input).await;
    let events = stack
        .receive(&queue, history.len(), TIMEOUT, all)
        .await
        .unwrap();
    let expected: Vec<_> = (1..)
        .zip(&history)
        .map(|(sequence, (key, version))| (sequence, (*key).to_owned(), version.clone()))
        .collect();
    assert_eq!(told(&events), expected);
    assert_eq!(events.last().unwrap().body["isLatest"], true);
    let job = stack.wait_for(&job, "done", TIMEOUT).await.unwrap();
    assert_eq!(job["planned"]["events"], expected.len());
    assert_eq!(job["planned"]["removed"], 6);
}

#[tokio::test]
async fn the_options_choose_what_is_told() {
    let stack = Stack::connect(STACK).await.unwrap();
    stack.put("choose/kept", "1").await.unwrap();
    stack.put("choose/kept", "2").await.unwrap();
    stack.put("choose/gone", "1").await.unwrap();
    stack.delete("choose/gone").await.unwrap();
    for (number, (options, expected)) in [
        (json!({}), 4),
        (json!({ "events": "created" }), 3),
        (json!({ "events": "removed" }), 1),
        (json!({ "currentOnly": true }), 1),
        (json!({ "until": "2020-01-01T00:00:00Z" }), 0),
        (json!({ "dryRun": true }), 4),
    ]
    .into_iter()
    .enumerate()
    {
        let queue = stack
            .create_queue(&format!("choose-{number}"))
            .await
            .unwrap();
        let mut input = options.clone();
        input["prefix"] = json!("choose/");
        input["queueUrl"] = json!(queue);
        let job = start(&stack, input).await;
        let job = stack.wait_for(&job, "done", TIMEOUT).await.unwrap();
        assert_eq!(job["planned"]["events"], expected, "{options}");
        let sent = if options["dryRun"] == true {
            0
        } else {
            expected
        };
        let timeout = Duration::from_secs(3);
        let events = stack.receive(&queue, 10, timeout, all).await.unwrap();
        assert_eq!(events.len(), sent, "{options}");
    }
}

#[tokio::test]
async fn a_job_of_more_than_twenty_segments_arrives_complete_and_in_order() {
    let stack = Stack::connect(SHORT_STACK).await.unwrap();
    for step in 0..12 {
        for key in 0..50 {
            stack
                .put(&format!("long/{key}"), &format!("{step}"))
                .await
                .unwrap();
        }
    }
    let queue = stack.create_queue("long").await.unwrap();
    // A segment works for two of its three seconds.
    let job = start(
        &stack,
        json!({ "prefix": "long/", "maxRate": 12, "queueUrl": queue }),
    )
    .await;
    let events = stack.receive(&queue, 600, TIMEOUT, all).await.unwrap();
    check_complete_and_ordered(&events, 600);
    let job = stack.wait_for(&job, "done", TIMEOUT).await.unwrap();
    let segments = job["counts"]["segments"].as_u64().unwrap();
    assert!(segments > 20, "only {segments} segments");
}

#[tokio::test]
async fn batched_delivery_keeps_one_order_packed_or_not() {
    let stack = Stack::connect(STACK).await.unwrap();
    for step in 0..3 {
        for key in 0..40 {
            let key = format!("batched/{key}");
            stack.put(&key, &format!("{step}")).await.unwrap();
        }
    }
    let one_order = json!({ "prefix": "batched/", "delivery": "batched", "order": "bucket" });
    for (name, records, messages) in [("batched", 1, 120), ("batched-packed", 7, 18)] {
        let mut input = one_order.clone();
        let queue = stack.create_queue(name).await.unwrap();
        input["queueUrl"] = json!(queue);
        if records > 1 {
            input["format"] = json!("s3");
            input["recordsPerMessage"] = json!(records);
        }
        start(&stack, input).await;
        let received = stack.receive(&queue, messages, TIMEOUT, all).await.unwrap();
        let sequences: Vec<_> = received.iter().flat_map(Received::sequences).collect();
        assert_eq!(sequences, (1..=120).collect::<Vec<_>>(), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_job_whose_process_is_killed_is_continued_by_the_sweep() {
    let stack = Stack::connect(KILLED_STACK).await.unwrap();
    for key in 0..150 {
        stack.put(&format!("killed/{key}"), "1").await.unwrap();
    }
    let queue = stack.create_queue("killed").await.unwrap();
    let job = start(
        &stack,
        json!({ "prefix": "killed/", "maxRate": 5, "queueUrl": queue }),
    )
    .await;
    let mut events = stack.receive(&queue, 30, TIMEOUT, all).await.unwrap();
    assert!(
        (30..130).contains(&events.len()),
        "it is at work: {}",
        events.len()
    );
    assert!(
        e2e::kill::all_of(stack.output("ReseedFunction")) > 0,
        "a process was at work"
    );
    let rest = 150 - events.len();
    events.extend(stack.receive(&queue, rest, TIMEOUT, all).await.unwrap());
    // The resume was within five minutes: SQS has dropped what was sent again.
    check_complete_and_ordered(&events, 150);
    let job = stack.wait_for(&job, "done", TIMEOUT).await.unwrap();
    assert_eq!(job["counts"]["segments"], 2);
    assert_eq!(job["epoch"], 2);
}

#[tokio::test]
async fn a_doubled_start_and_a_doubled_continue_do_no_harm() {
    let stack = Stack::connect(STACK).await.unwrap();
    for key in 0..60 {
        stack.put(&format!("double/{key}"), "1").await.unwrap();
    }
    let queue = stack.create_queue("double").await.unwrap();
    let input = json!({ "prefix": "double/", "maxRate": 10, "queueUrl": queue });
    let (one, two) = tokio::join!(start(&stack, input.clone()), start(&stack, input.clone()));
    assert_eq!(one, two);
    assert_eq!(start(&stack, input).await, one);
    let working = stack.receive(&queue, 1, TIMEOUT, all).await.unwrap();
    // The continuation that is at work, again; and one that nobody ever asked for.
    for epoch in [0, 1, 7] {
        let again = json!({ "action": "continue", "jobId": one, "epoch": epoch });
        let answer = stack.reseed(again).await.unwrap();
        assert_eq!(answer["outcome"], "left alone", "{answer}");
    }
    let mut events = stack.receive(&queue, 59, TIMEOUT, all).await.unwrap();
    events.splice(0..0, working);
    check_complete_and_ordered(&events, 60);
    let more = stack
        .receive(&queue, 1, Duration::from_secs(3), all)
        .await
        .unwrap();
    assert_eq!(more.len(), 0, "nothing comes twice");
    let job = stack.wait_for(&one, "done", TIMEOUT).await.unwrap();
    assert_eq!(job["counts"]["segments"], 1);
}

#[tokio::test]
async fn a_job_is_paused_resumed_and_cancelled() {
    let stack = Stack::connect(STACK).await.unwrap();
    for key in 0..200 {
        stack.put(&format!("pause/{key}"), "1").await.unwrap();
    }
    let queue = stack.create_queue("pause").await.unwrap();
    let job = start(
        &stack,
        json!({ "prefix": "pause/", "maxRate": 10, "queueUrl": queue }),
    )
    .await;
    stack.wait_for(&job, "sending", TIMEOUT).await.unwrap();
    let act = |action: &str| json!({ "action": action, "jobId": job });
    stack.reseed(act("pause")).await.unwrap();
    let paused = stack.wait_for(&job, "paused", TIMEOUT).await.unwrap();
    assert!(paused["checkpoint"]["sequence"].as_u64().unwrap() < 200);
    stack.reseed(act("resume")).await.unwrap();
    stack.wait_for(&job, "sending", TIMEOUT).await.unwrap();
    stack.reseed(act("cancel")).await.unwrap();
    stack.wait_for(&job, "cancelled", TIMEOUT).await.unwrap();
    let error = stack
        .invoke("ReseedFunction", &act("resume"))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error["errorType"], "WrongPhase");
    let text = error["errorMessage"].as_str().unwrap();
    assert!(
        text.contains("cancelled") && text.contains("resume"),
        "{text}"
    );
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let stack = Stack::connect(STACK).await.unwrap();
    for (input, kind, part) in [
        (json!({ "action": "begin" }), "BadRequest", "\"begin\""),
        (json!({ "prefx": "a" }), "BadRequest", "prefx"),
        (
            json!({ "action": "status", "jobId": "nope" }),
            "NoSuchJob",
            "\"nope\"",
        ),
        (json!({ "queueUrl": "q" }), "BadRequest", "queueUrl"),
        (json!([]), "BadRequest", "JSON object"),
    ] {
        let error = stack
            .invoke("ReseedFunction", &input)
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(error["errorType"], kind, "{input}");
        let text = error["errorMessage"].as_str().unwrap();
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[tokio::test]
async fn an_event_that_no_queue_takes_stops_a_job_and_is_kept_aside_once_it_may() {
    let stack = Stack::connect(STACK).await.unwrap();
    let queue = stack.create_queue("narrow").await.unwrap();
    let size = QueueAttributeName::MaximumMessageSize;
    let narrow = stack.sqs.set_queue_attributes().queue_url(&queue);
    narrow.attributes(size, "1024").send().await.unwrap();
    let long = format!("narrow/m{}", format!("/{}", "é".repeat(49)).repeat(9));
    for key in ["narrow/a", &long, "narrow/z"] {
        stack.put(key, "1").await.unwrap();
    }
    let input = json!({ "prefix": "narrow/", "order": "bucket", "queueUrl": queue });
    let job = start(&stack, input).await;
    let failed = stack.wait_for(&job, "failed", TIMEOUT).await.unwrap();
    let told = failed["lastError"].as_str().unwrap();
    for part in [
        "event 2 (key \"narrow/m/",
        "MessageTooLong",
        "onUndeliverable",
    ] {
        assert!(told.contains(part), "{part:?} is not in: {told}");
    }
    let resume = json!({ "action": "resume", "jobId": job, "onUndeliverable": "park" });
    stack.reseed(resume).await.unwrap();
    let done = stack.wait_for(&job, "done", TIMEOUT).await.unwrap();
    assert_eq!(done["counts"]["parked"], 1);
    let events = stack.receive(&queue, 2, TIMEOUT, all).await.unwrap();
    let sequences: Vec<u64> = events.iter().map(Received::sequence).collect();
    assert_eq!(sequences, [1, 3]);

    let failures = stack.output("OnFailureQueueUrl");
    let ours = |m: &Received| m.body["kind"] == "parked" && m.body["jobId"] == job.as_str();
    let records = stack.receive(failures, 1, TIMEOUT, ours).await.unwrap();
    let record = &records[0].body;
    assert_eq!(
        (&record["sequence"], &record["code"]),
        (&json!(2), &json!("MessageTooLong"))
    );
    assert_eq!(record["event"]["key"], long.as_str());
}
