//! What becomes of answers.

use std::sync::Arc;
use std::time::Duration;

use bridge_aws::sdk;
use bridge_aws::signed::queue::SignedQueue;
use bridge_aws::signed::service::SQS;
use bridge_core::failure::FailureKind;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::Queue as _;

use crate::server::{Server, ask};

#[tokio::test]
async fn a_refusal_is_read_as_the_sdk_reads_it() {
    let gone = "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"It is gone.\"}";
    let old = vec![(
        "x-amzn-query-error",
        "AWS.SimpleQueueService.NonExistentQueue;Sender",
    )];
    for (status, headers, body, kind, told) in [
        (
            400,
            old,
            gone,
            FailureKind::Permanent,
            "AWS.SimpleQueueService.NonExistentQueue: It is gone.",
        ),
        (
            400,
            vec![],
            gone,
            FailureKind::Permanent,
            "QueueDoesNotExist: It is gone.",
        ),
        (
            400,
            vec![("x-amzn-errortype", "ThrottlingException:http://x/")],
            "{\"Message\":\"Slow\"}",
            FailureKind::Throttled,
            "ThrottlingException: Slow",
        ),
        (
            403,
            vec![("x-amzn-query-error", "RequestThrottled;Sender")],
            "{}",
            FailureKind::Throttled,
            "RequestThrottled: answered with HTTP 403, without a message",
        ),
        (
            503,
            vec![],
            "<html>Busy</html>",
            FailureKind::Transient,
            "HTTP 503: the answer gives no reason",
        ),
        (
            403,
            vec![],
            "",
            FailureKind::Permanent,
            "HTTP 403: the answer gives no reason",
        ),
        (
            307,
            vec![("location", "https://elsewhere/")],
            "",
            FailureKind::Permanent,
            "HTTP 307: redirected to https://elsewhere/: not followed",
        ),
    ] {
        let server = Server::of(&[(status, headers, body)]);
        let error = ask(&server.client(SQS).await).await.unwrap_err();
        assert_eq!((error.kind, &*error.to_string()), (kind, told));
        assert_eq!(server.urls().len(), 1);
    }
}

fn message(number: u64) -> Message {
    Message {
        number,
        events: 1,
        body: "{}".to_owned(),
        group: Some("g".to_owned()),
        deduplication_id: Some(number.to_string()),
        attempt: 0,
        attributes: vec![("source", "realtime".to_owned())],
    }
}

#[tokio::test]
async fn each_entry_gets_its_own_answer() {
    let body = r#"{"Successful":[{"Id":"1","MessageId":"m"},{"Id":"9"},{"Id":"x"}],"Failed":[
        {"Id":"0","Code":"InvalidMessageContents","SenderFault":true,"Message":"bad \u0041"},
        {"Id":"2","Code":"ThrottlingException","SenderFault":true}]}"#;
    let server = Server::of(&[(200, vec![], body)]);
    let client = Arc::new(server.client(SQS).await);
    let queue = SignedQueue::new(client, "https://sqs.x/1/q.fifo".to_owned());
    let messages: Vec<_> = (0..4).map(message).collect();
    let results = queue.send(&messages).await.unwrap();
    let told: Vec<_> = results
        .into_iter()
        .map(|r| r.err().map(|e| e.to_string()))
        .collect();
    assert_eq!(
        told[0].as_deref(),
        Some("rejected: InvalidMessageContents: bad A")
    );
    assert_eq!(told[1], None);
    assert_eq!(told[2].as_deref(), Some("throttled: ThrottlingException: "));
    assert!(told[3].as_deref().unwrap().contains("NotMentioned"));
    let target = server.header(0, "x-amz-target");
    assert_eq!(target, "AmazonSQS.SendMessageBatch");
}

#[tokio::test]
async fn an_answer_that_is_none_may_be_asked_for_again() {
    for body in ["", "<html/>", "{\"Successful\":7}", "{\"Successful\":["] {
        let server = Server::of(&[(200, vec![], body)]);
        let queue = SignedQueue::new(
            Arc::new(server.client(SQS).await),
            "https://sqs.x/1/q".to_owned(),
        );
        let refusal = queue.send(&[message(0)]).await.unwrap_err();
        assert_eq!(
            (refusal.kind, &*refusal.code),
            (FailureKind::Transient, "BadResponse")
        );
        assert!(queue.depth().await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_keeps_silent_is_given_up() {
    let server = Server::slow(Duration::from_hours(1));
    let client = server.client(SQS).await;
    let begin = tokio::time::Instant::now();
    let error = ask(&client).await.unwrap_err();
    assert_eq!(
        (error.kind, &*error.code),
        (FailureKind::Transient, "RequestTimeout")
    );
    client.prepare().await;
    assert_eq!(begin.elapsed(), 2 * sdk::REQUEST_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_connection_that_is_opened_ahead_but_not_long() {
    for (milliseconds, expected) in [(50, 100), (5_000, 5_200)] {
        let server = Server::slow(Duration::from_millis(milliseconds));
        let client = server.client(SQS).await;
        let begin = tokio::time::Instant::now();
        let ((), answer) = tokio::join!(client.prepare(), ask(&client));
        answer.unwrap();
        assert_eq!(begin.elapsed().as_millis(), expected);
        let urls = server.urls();
        assert_eq!(urls.len(), 2);
        assert!(urls[0].ends_with("/ping"), "{urls:?}");
    }
}
