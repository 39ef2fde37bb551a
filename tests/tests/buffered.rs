//! Changes that wait in a buffer: batches, bad messages, and what cannot be delivered.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use e2e::{Received, Stack};
use serde_json::json;

const TIMEOUT: Duration = Duration::from_mins(2);

/// Six minutes in the template; a test will not wait for five times that.
const VISIBILITY_SECONDS: &str = "2";

#[tokio::test(flavor = "multi_thread")]
async fn a_buffer_loses_nothing_and_a_bad_message_harms_no_other() {
    let stack = Stack::create("buffered", &[("Ingestion", "buffered")])
        .await
        .unwrap();
    let buffer = stack.output("BufferQueueUrl");
    let sooner = stack.sqs.set_queue_attributes().queue_url(buffer);
    sooner
        .attributes(QueueAttributeName::VisibilityTimeout, VISIBILITY_SECONDS)
        .send()
        .await
        .unwrap();

    // A bad message among good ones: they arrive, and it is abandoned into the OnFailure queue.
    let bad = json!({ "no": "notification" }).to_string();
    for number in 0..60 {
        stack.put(&format!("good/{number}"), "1").await.unwrap();
        if number == 30 {
            let send = stack.sqs.send_message().queue_url(buffer);
            send.message_body(&bad).send().await.unwrap();
        }
    }
    let queue = stack.output("QueueUrl");
    let good = |m: &Received| m.text("key").starts_with("good/");
    let events = stack.receive(queue, 60, TIMEOUT, good).await.unwrap();
    let mut keys: Vec<_> = events.iter().map(|e| e.text("key")).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 60);
    let failures = stack.output("OnFailureQueueUrl");
    let given_up = stack.receive(failures, 1, TIMEOUT, |_| true).await.unwrap();
    assert_eq!(given_up[0].raw, bad);

    // Without its queue, a notification ends in the OnFailure queue as it came, and continues from
    // there once the queue is back.
    stack.delete_queue(queue).await.unwrap();
    let version = stack.put("kept/1", "1").await.unwrap();
    let waiting = || async {
        let depth = QueueAttributeName::ApproximateNumberOfMessages;
        let asked = stack.sqs.get_queue_attributes().queue_url(failures);
        let asked = asked.attribute_names(depth.clone()).send().await.unwrap();
        asked.attributes().unwrap()[&depth] == "1"
    };
    let begin = std::time::Instant::now();
    while !waiting().await {
        assert!(begin.elapsed() < TIMEOUT, "the notification was lost");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    stack.create_queue("buffered-events").await.unwrap();
    let function = stack.output("RealtimeFunction");
    let (done, told) = stack.command_line(&["redrive", "--from", failures, "--invoke", function]);
    assert!(done && told.contains("1 message sent again"), "{told}");
    let kept = |m: &Received| m.text("key") == "kept/1";
    let events = stack.receive(queue, 1, TIMEOUT, kept).await.unwrap();
    assert_eq!(events[0].text("versionId"), version);
    stack.remove().await.unwrap();
}
