//! `s3-sqs-bridge redrive` on both failure queues.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use e2e::{Received, STACK, Stack};
use serde_json::json;

const TIMEOUT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_go_back_in_their_groups_order() {
    let stack = Stack::connect(STACK).await.unwrap();
    let dead = stack.create_queue("redrive-dead").await.unwrap();
    let queue = stack.create_queue("redrive").await.unwrap();
    for number in 0..25 {
        let send = stack.sqs.send_message().queue_url(&dead);
        let body = json!({ "number": number }).to_string();
        send.message_body(body)
            .message_group_id(format!("g{}", number % 3))
            .message_deduplication_id(number.to_string())
            .send()
            .await
            .unwrap();
    }
    let (done, told) = stack.command_line(&["redrive", "--from", &dead, "--to", &queue]);
    assert!(done && told.contains("25 messages sent again"), "{told}");
    let back = stack.receive(&queue, 25, TIMEOUT, |_| true).await.unwrap();
    for group in 0..3 {
        let of_group = format!("g{group}");
        let numbers = back.iter().filter(|m| m.group.as_ref() == Some(&of_group));
        let numbers: Vec<_> = numbers
            .map(|m| m.body["number"].as_u64().unwrap())
            .collect();
        let expected: Vec<_> = (0..25).filter(|n| n % 3 == group).collect();
        assert_eq!(numbers, expected);
    }
    let attributes = stack.sqs.get_queue_attributes().queue_url(&dead);
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let left = attributes
        .attribute_names(name.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(left.attributes().unwrap()[&name], "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_is_told_before_any_dead_letter_is_received() {
    let stack = Stack::connect(STACK).await.unwrap();
    let dead = stack.create_queue("redrive-stuck").await.unwrap();
    let send = stack.sqs.send_message().queue_url(&dead);
    send.message_body("{}")
        .message_group_id("g")
        .message_deduplication_id("0")
        .send()
        .await
        .unwrap();
    let missing = dead.replace("redrive-stuck", "redrive-missing");
    let (done, told) = stack.command_line(&["redrive", "--from", &dead, "--to", &missing]);
    assert!(!done && told.contains(&missing), "{told}");
    assert!(!told.contains(" stays: "), "one was tried: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_up_invocations_are_invoked_again_and_stay_if_they_fail() {
    let stack = Stack::connect(STACK).await.unwrap();
    let kept = stack.create_queue("redrive-kept").await.unwrap();
    let keep = async |id: &str, payload: serde_json::Value| {
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{STACK}-realtime");
        let context = json!({ "functionArn": arn, "condition": "RetriesExhausted" });
        let record = json!({ "requestContext": context, "requestPayload": payload });
        let send = stack.sqs.send_message().queue_url(&kept);
        send.message_body(record.to_string())
            .message_group_id("g")
            .message_deduplication_id(id)
            .send()
            .await
            .unwrap();
    };
    let notification = json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventTime": "2024-05-01T12:00:00.000Z", "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": { "name": stack.output("BucketName") },
            "object": { "key": "redriven/1", "versionId": "v1", "size": 1, "eTag": "e" },
        },
    }]});
    // A FIFO queue keeps the bad one before the others.
    keep("bad", json!({ "no": "notification" })).await;
    keep("good", notification).await;
    let function = stack.output("RealtimeFunction");
    let (done, told) = stack.command_line(&["redrive", "--from", &kept, "--invoke", function]);
    assert!(!done, "{told}");
    assert!(
        told.contains("failed again: ") && told.contains("1 message sent again"),
        "{told}"
    );
    let ours = |m: &Received| m.text("key") == "redriven/1";
    let queue = stack.output("QueueUrl");
    let events = stack.receive(queue, 1, TIMEOUT, ours).await.unwrap();
    assert_eq!(events.len(), 1);
}
