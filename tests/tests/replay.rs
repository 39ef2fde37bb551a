//! A replay into a second queue while live traffic continues (docs/OPERATIONS.md).

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use e2e::{Received, STACK, Stack};
use serde_json::json;

const TIMEOUT: Duration = Duration::from_mins(2);

#[tokio::test]
async fn a_replay_goes_into_its_own_queue_beside_live_traffic() {
    let first = Stack::connect(STACK).await.unwrap();
    let replay = first.create_queue("replay-second").await.unwrap();
    let arn = QueueAttributeName::QueueArn;
    let asked = first.sqs.get_queue_attributes().queue_url(&replay);
    let asked = asked.attribute_names(arn.clone()).send().await.unwrap();
    let arn = asked.attributes().unwrap()[&arn].as_str();
    let stack = Stack::create("replay", &[("ReplayQueueArn", arn)])
        .await
        .unwrap();
    let live = stack.output("QueueUrl");
    let all = |_: &Received| true;
    for number in 0..100 {
        stack.put(&format!("old/{number}"), "1").await.unwrap();
    }
    let old = stack.receive(live, 100, TIMEOUT, all).await.unwrap();
    assert_eq!(old.len(), 100);

    // Ten seconds, in which as much is written.
    let input = json!({ "queueUrl": replay, "maxRate": 10 });
    let job = stack.reseed(input).await.unwrap();
    let job = job["jobId"].as_str().unwrap();
    let mut written = HashSet::new();
    for number in 0..100 {
        let key = format!("old/{number}");
        written.insert(stack.put(&key, "2").await.unwrap());
    }
    let status = stack
        .reseed(json!({ "action": "status", "jobId": job }))
        .await
        .unwrap();
    assert_eq!(status["phase"], "sending", "it continues beside: {status}");
    let new = stack.receive(live, 100, TIMEOUT, all).await.unwrap();
    let told: HashSet<_> = new.iter().map(|e| e.text("versionId").to_owned()).collect();
    assert_eq!(told, written, "live events, and nothing else");
    assert!(new.iter().all(|e| e.attributes["source"] == "realtime"));

    let again = stack.receive(&replay, 100, TIMEOUT, all).await.unwrap();
    let mut sequences: Vec<_> = again.iter().map(Received::sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=100).collect::<Vec<_>>());
    let replayed: HashSet<_> = again.iter().map(|e| e.text("versionId")).collect();
    let before: HashSet<_> = old.iter().map(|e| e.text("versionId")).collect();
    assert_eq!(replayed, before, "what was there when it started");
    stack.wait_for(job, "done", TIMEOUT).await.unwrap();
    stack.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_is_refused_at_start() {
    let stack = Stack::connect(STACK).await.unwrap();
    let there = stack.output("QueueUrl");
    let (account, _) = there.rsplit_once('/').unwrap();
    let missing = format!("{account}/not-there.fifo");
    let input = json!({ "queueUrl": missing });
    let error = stack.reseed(input).await.unwrap_err().to_string();
    for part in ["queueUrl", "not-there.fifo", "ReplayQueueArn"] {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    let jobs = stack.reseed(json!({ "action": "list" })).await.unwrap();
    assert!(!jobs.to_string().contains("not-there"), "{jobs}");
}
