mod counted;
mod hold;
mod other_bucket;

use std::sync::Mutex;

use async_trait::async_trait;
use bridge_core::config::RealtimeConfig;
use bridge_core::failure::FailureKind;
use bridge_core::notification::error::MOST_ERROR;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::EntryResult;
use bridge_core::realtime::gate::Gate;
use bridge_core::realtime::send::Live;
use bridge_core::text::{MOST_SHOWN, brief};

use super::*;

const BUDGET: Duration = Duration::from_secs(2);

const INVOCATION: Invocation<'_> = Invocation {
    request_id: "r-1",
    budget: BUDGET,
};

/// A queue that takes messages, except those whose body holds a text.
#[derive(Default)]
struct Queued {
    bodies: Mutex<Vec<String>>,
    refuses: Option<&'static str>,
}

#[async_trait]
impl Queue for &Queued {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let answer = |message: &Message| {
            if self.refuses.is_some_and(|text| message.body.contains(text)) {
                return Err(SendError {
                    kind: FailureKind::Transient,
                    code: "InternalFailure".to_owned(),
                    message: String::new(),
                });
            }
            self.bodies.lock().unwrap().push(message.body.clone());
            Ok(())
        };
        Ok(messages.iter().map(answer).collect())
    }

    async fn depth(&self) -> Result<u64, SendError> {
        Ok(7)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(262_144)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
}

fn fixture(name: &str) -> Value {
    let path = format!(
        "{}/../core/tests/fixtures/notifications/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

async fn handle(queue: &Queued, prefix: &str, input: Value) -> Result<Value, String> {
    handle_of("", queue, prefix, input).await
}

/// As the function of a bucket.
async fn handle_of(
    bucket: &str,
    queue: &Queued,
    prefix: &str,
    input: Value,
) -> Result<Value, String> {
    let config = RealtimeConfig::read(&|name| match name {
        "QUEUE_URL" => Some("https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned()),
        "KEY_PREFIX" => Some(prefix.to_owned()),
        "BUCKET_NAME" => Some(bucket.to_owned()),
        _ => None,
    });
    let forwarder = Forwarder::new(config.unwrap(), queue, Gate::Open, Live::Notified);
    super::handle(&forwarder, input, &INVOCATION)
        .await
        .map_err(|e| e.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_notification_is_forwarded_and_told_of() {
    let queue = Queued::default();
    let answer = handle(&queue, "", fixture("encoded-key")).await.unwrap();
    assert_eq!(answer, json!({"forwarded": 2, "skipped": 0, "retried": 0}));
    let bodies = queue.bodies.lock().unwrap();
    assert!(
        bodies[0].contains(r#""key":"reports/red flower+50%.jpg""#),
        "{}",
        bodies[0]
    );
}

#[tokio::test(start_paused = true)]
async fn what_asks_for_no_message_is_counted() {
    let queue = Queued::default();
    let answer = handle(&queue, "", fixture("test-event")).await.unwrap();
    assert_eq!(answer, json!({"forwarded": 0, "skipped": 1, "retried": 0}));
    let answer = handle(&queue, "reports/red", fixture("encoded-key"))
        .await
        .unwrap();
    assert_eq!(answer, json!({"forwarded": 1, "skipped": 1, "retried": 0}));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_answered_with_its_failures() {
    let queue = Queued::default();
    let answer = handle(&queue, "", fixture("sqs-to-lambda")).await.unwrap();
    assert_eq!(
        answer,
        json!({"batchItemFailures": [{"itemIdentifier": "00000003-d6ee"}]})
    );
    assert_eq!(queue.bodies.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_has_of_a_key_is_sent_in_the_order_of_its_changes() {
    let queue = Queued::default();
    let record = |number: u32, key: &str| {
        let notification = json!({ "Records": [{
            "eventVersion": "2.1", "eventName": "ObjectCreated:Put",
            "eventTime": "2024-05-01T12:00:00.000Z",
            "s3": {
                "bucket": { "name": "ledger" },
                "object": { "key": key, "versionId": format!("v{number}"), "sequencer": format!("0{number}") },
            },
        }]});
        json!({ "messageId": number.to_string(), "eventSource": "aws:sqs", "body": notification.to_string() })
    };
    let changes = [(3, "a"), (5, "b"), (1, "a"), (4, "b"), (2, "a")];
    let records: Vec<_> = changes.iter().map(|(n, key)| record(*n, key)).collect();
    handle(&queue, "", json!({ "Records": records }))
        .await
        .unwrap();
    let bodies = queue.bodies.lock().unwrap();
    let of = |key: &str| -> Vec<String> {
        let events = bodies
            .iter()
            .map(|b| serde_json::from_str::<Value>(b).unwrap());
        let of_key = events.filter(|e| e["key"] == key);
        of_key
            .map(|e| e["versionId"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (of("a"), of("b")),
        (
            vec!["v1".to_owned(), "v2".to_owned(), "v3".to_owned()],
            vec!["v4".to_owned(), "v5".to_owned()],
        )
    );
}

/// A case of the corpus in `crates/core/tests`.
fn dialect(name: &str) -> Value {
    let path = format!(
        "{}/../core/tests/fixtures/dialects/notifications/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    case["input"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_a_server_whose_sequencers_tell_no_order_goes_as_it_came() {
    let queue = Queued::default();
    let answer = handle(&queue, "", dialect("ceph-batch")).await.unwrap();
    let failures = json!({"batchItemFailures": [{"itemIdentifier": "2"}]});
    assert_eq!(answer, failures, "the one whose version id was left out");
    let bodies = queue.bodies.lock().unwrap();
    let names: Vec<_> = bodies
        .iter()
        .map(|b| serde_json::from_str::<Value>(b).unwrap()["eventName"].clone())
        .collect();
    assert_eq!(names, ["ObjectCreated:Put", "ObjectRemoved:Delete"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_key_and_an_unknown_name_are_errors_whatever_the_filter() {
    for (case, part) in [
        ("empty-key", "s3.object.key is missing or empty"),
        (
            "aws-unknown-created",
            "\"ObjectCreated:Append\" is not known",
        ),
    ] {
        let queue = Queued::default();
        let error = handle(&queue, "elsewhere/", dialect(case)).await;
        let error = error.unwrap_err();
        assert!(error.contains(part), "{error}");
        assert_eq!(queue.bodies.lock().unwrap().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_names_the_messages_whose_events_did_not_get_through() {
    let queue = Queued {
        refuses: Some("accounts/1.json"),
        ..Queued::default()
    };
    let answer = handle(&queue, "", fixture("sqs-to-lambda")).await.unwrap();
    let failed = answer["batchItemFailures"].as_array().unwrap().len();
    assert_eq!(failed, 3, "both good messages and the bad one: {answer}");
}

#[tokio::test(start_paused = true)]
async fn a_direct_leftover_is_an_error_so_that_lambda_keeps_the_event() {
    let queue = Queued {
        refuses: Some("red flower"),
        ..Queued::default()
    };
    let error = handle(&queue, "", fixture("encoded-key"))
        .await
        .unwrap_err();
    assert!(error.starts_with("1 of 2 events not delivered"), "{error}");
    assert!(error.contains("InternalFailure"), "{error}");
    assert_eq!(queue.bodies.lock().unwrap().len(), 1, "the other one went");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_notification_is_an_error() {
    let queue = Queued::default();
    let error = handle(&queue, "", json!({"hello": 1})).await.unwrap_err();
    assert!(error.contains("an object with hello"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_was_found_is_told_in_bounds() {
    let long = "x\u{1b}\n\u{9b}".repeat(50_000);
    let mut unknown = fixture("encoded-key");
    unknown["Records"][0]["eventName"] = json!(long);
    unknown["Records"][0]["s3"]["object"]["key"] = json!(long);
    for input in [
        json!({ "action": long }),
        json!({ "action": { "name": long } }),
        json!({ long.clone(): 1 }),
        json!([long]),
        unknown,
    ] {
        let error = handle(&Queued::default(), "", input).await.unwrap_err();
        assert!(error.len() < MOST_ERROR + 200, "{} bytes", error.len());
        assert!(!error.contains(|c: char| c.is_control()), "{error}");
    }
    assert!(brief(&long).len() < MOST_SHOWN + 60);
}

#[tokio::test(start_paused = true)]
async fn health_asks_the_queue() {
    let queue = Queued::default();
    let answer = handle(&queue, "", json!({"action": "health"}))
        .await
        .unwrap();
    assert_eq!(answer["status"], "ok");
    assert_eq!(answer["queueDepth"], 7);
    let error = handle(&queue, "", json!({"action": "start"}))
        .await
        .unwrap_err();
    assert!(error.contains("unknown action `start`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_answered_in_time_when_sqs_throttles_all_the_while() {
    let queue = Queued {
        refuses: Some("accounts/1.json"),
        ..Queued::default()
    };
    let begin = tokio::time::Instant::now();
    let answer = handle(&queue, "", fixture("sqs-to-lambda")).await.unwrap();
    assert!(answer["batchItemFailures"].is_array());
    assert!(begin.elapsed() < BUDGET + MARGIN, "{:?}", begin.elapsed());
}

#[test]
fn an_invocation_from_cargo_lambda_has_time() {
    // Version 1.9.2 sends 600000 ms, an instant in 1970.
    let deadline = SystemTime::UNIX_EPOCH + Duration::from_mins(10);
    assert_eq!(budget(deadline), Duration::from_millis(599_500));
}
