//! Each combination of bucket, ingestion, queue and key is deployed once, and reports changes on
//! both paths; what makes no sense is refused with the reason.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use e2e::{Received, STACK, Stack};
use serde_json::json;

const TIMEOUT: Duration = Duration::from_mins(1);
const NEWEST: (&str, &str) = ("LiveOrder", "newest");

/// A queue that the stack is given.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Given {
    Nothing,
    Fifo,
    Standard,
}

/// Makes a queue of a stack-to-be and tells its ARN.
async fn make_queue(stack: &Stack, name: &str, kind: Given) -> String {
    let url = if kind == Given::Fifo {
        stack.create_queue(name).await.unwrap()
    } else {
        let answer = stack.sqs.create_queue().queue_name(name).send().await;
        answer.unwrap().queue_url.unwrap()
    };
    let arn = QueueAttributeName::QueueArn;
    let asked = stack.sqs.get_queue_attributes().queue_url(url);
    let asked = asked.attribute_names(arn.clone()).send().await.unwrap();
    asked.attributes().unwrap()[&arn].clone()
}

#[tokio::test]
async fn each_combination_that_makes_sense_works() {
    let first = Stack::connect(STACK).await.unwrap();
    let mut number = 0;
    for own_bucket in [true, false] {
        for ingestion in ["direct", "buffered"] {
            for queue in [Given::Nothing, Given::Fifo, Given::Standard] {
                for key in ["", "arn:aws:kms:eu-west-1:000000000000:key/1"] {
                    number += 1;
                    let name = format!("choice-{number}");
                    let bucket = format!("{name}-ledger");
                    let mut parameters = vec![("Ingestion", ingestion), ("KmsKeyArn", key)];
                    if !own_bucket {
                        first.create_bucket_to_watch(&bucket).await.unwrap();
                        parameters.push(("ExistingBucket", &bucket));
                    }
                    let queue_arn;
                    if queue != Given::Nothing {
                        queue_arn = make_queue(&first, &format!("{name}-given"), queue).await;
                        parameters.push(("ExistingQueueArn", &queue_arn));
                    }
                    parameters.extend(beside(number, ingestion, queue));
                    let told = format!("{parameters:?}");
                    let stack = Stack::create(&name, &parameters).await.expect(&told);
                    let newest = parameters.contains(&NEWEST);
                    both_paths_tell(&stack, queue, newest, &told).await;
                    stack.remove().await.unwrap();
                }
            }
        }
    }
    assert_eq!(number, 24);
}

/// Parameters that change less, in turns beside those that change more.
fn beside(number: usize, ingestion: &str, queue: Given) -> Vec<(&'static str, &'static str)> {
    match number % 4 {
        // The emulator's poller fails on a buffer's MaximumConcurrency that is a parameter's text.
        0 if ingestion == "buffered" => vec![("ReseedConcurrency", "2")],
        0 => vec![("RealtimeConcurrency", "5"), ("ReseedConcurrency", "2")],
        1 => vec![
            ("AlarmTopicArn", "arn:aws:sns:eu-west-1:000000000000:alarms"),
            ("Dashboard", "true"),
            // A standard queue keeps no order.
            match queue {
                Given::Standard => ("LiveOrder", "notified"),
                _ => NEWEST,
            },
        ],
        2 if queue != Given::Standard => vec![("Order", "bucket"), ("KeyPrefix", "a")],
        2 => vec![("Order", "none"), ("KeySuffix", "b")],
        _ => vec![
            ("BatchSize", "10"),
            ("BatchWindow", "0"),
            ("LogLevel", "warn"),
        ],
    }
}

/// A change and a delete reach the queue, live and by a reseed.
async fn both_paths_tell(stack: &Stack, queue: Given, newest: bool, told: &str) {
    let url = stack.output("QueueUrl");
    let all = |_: &Received| true;
    let mut live = Vec::new();
    let put = stack.put("a b", "1").await.unwrap();
    if newest {
        // Were the delete told first, the change would not be sent.
        live = stack.receive(url, 1, TIMEOUT, all).await.unwrap();
    }
    let versions = [put, stack.delete("a b").await.unwrap()];
    let names = ["ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated"];
    let rest = stack.receive(url, 2 - live.len(), TIMEOUT, all).await;
    live.extend(rest.unwrap());
    stack.reseed(json!({})).await.expect(told);
    let mut again = stack.receive(url, 2, TIMEOUT, all).await.unwrap();
    // Live events come in any order, and a standard queue keeps none.
    live.sort_by(|a, b| a.text("eventName").cmp(b.text("eventName")));
    if queue == Given::Standard {
        again.sort_by(|a, b| a.text("eventName").cmp(b.text("eventName")));
    }
    for (events, source) in [(live, "realtime"), (again, "reseed")] {
        let found: Vec<_> = events.iter().map(|e| e.text("eventName")).collect();
        assert_eq!(found, names, "{source}, {told}");
        for (event, version) in events.iter().zip(&versions) {
            assert_eq!(event.text("source"), source, "{told}");
            assert_eq!(event.text("key"), "a b", "{told}");
            let grouped = event.group.is_some();
            assert_eq!(grouped, queue != Given::Standard, "{told}");
            // The emulator's EventBridge events have no version ids, as those of S3 do.
            if source == "reseed" || !told.contains("ExistingBucket") {
                assert_eq!(event.text("versionId"), version, "{source}, {told}");
            }
        }
    }
}

#[tokio::test]
async fn a_stack_may_change_its_mind() {
    let mut stack = Stack::create("changed", &[]).await.unwrap();
    // A buffer and a live table come, and go.
    for (ingestion, order) in [("buffered", "newest"), ("direct", "notified")] {
        let parameters = [("Ingestion", ingestion), ("LiveOrder", order)];
        stack = stack.change(&parameters).await.unwrap();
        stack.put(ingestion, "1").await.unwrap();
        let ours = |m: &Received| m.text("key") == ingestion;
        let url = stack.output("QueueUrl");
        let events = stack.receive(url, 1, TIMEOUT, ours).await.unwrap();
        assert_eq!(events.len(), 1, "{ingestion}");
    }
    stack.remove().await.unwrap();
}

#[tokio::test]
async fn nonsense_is_refused_before_anything_is_deployed_or_at_start() {
    for (parameters, part) in [
        (&[("Order", "none")][..], "ExistingQueueArn"),
        (
            &[
                NEWEST,
                ("Order", "none"),
                (
                    "ExistingQueueArn",
                    "arn:aws:sqs:eu-west-1:000000000000:events",
                ),
            ],
            "choose key or bucket on a FIFO queue",
        ),
        (&[("LiveOrder", "latest")], "notified"),
        (&[("LiveOrder", "exact"), ("Order", "bucket")], "exact"),
        (&[("BatchWindow", "0")], "BatchSize of 10 or less"),
        (
            &[("Ingestion", "buffered"), ("RealtimeConcurrency", "1")],
            "choose 0 or at least 2",
        ),
        (&[("ReseedConcurrency", "1")], "choose 0 or at least 2"),
        (&[("ExistingQueueArn", "events")], "ARN of an SQS queue"),
        (&[("Ingestion", "both")], "direct"),
    ] {
        let refused = Stack::create("refused", parameters).await;
        let told = refused.err().map(|error| error.to_string());
        let told = told.expect("it was deployed");
        assert!(told.contains(part), "{parameters:?}: {told}");
    }

    // The template cannot tell a FIFO queue's ARN from a standard one's; the functions can.
    let first = Stack::connect(STACK).await.unwrap();
    let arn = make_queue(&first, "unordered", Given::Standard).await;
    let parameters = [("Order", "key"), ("ExistingQueueArn", arn.as_str())];
    let stack = Stack::create("unordered", &parameters).await.unwrap();
    for function in ["RealtimeFunction", "ReseedFunction"] {
        let health = json!({ "action": "health" });
        let error = stack.invoke(function, &health).await.unwrap().unwrap_err();
        assert_eq!(error["errorType"], "BadConfiguration");
        let text = error["errorMessage"].as_str().unwrap();
        assert!(text.contains("a standard queue keeps no order"), "{text}");
    }
    stack.remove().await.unwrap();
}
