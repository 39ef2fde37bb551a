//! A consumer that others wrote reads `MessageFormat=s3`: AWS Lambda Powertools for Python, as docs/consumers shows it.
//! From live changes alone, and from a reseed alone, it knows what the bucket holds.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use e2e::Stack;
use e2e::history::script::{ODD_KEYS, acts, perform};
use serde::Deserialize;
use serde_json::json;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What is done to each key.
const ACTS: usize = 8;

/// Key to entity tag.
type Present = BTreeMap<String, String>;

/// What `consume.py` prints.
#[derive(Deserialize)]
struct Consumed {
    messages: usize,
    present: Present,
}

/// Runs the documented consumer until nothing came for some seconds.
fn consume(queue: &str) -> Consumed {
    let python = std::env::var("CONSUMER_PYTHON")
        .expect("this test needs a consumer's packages: run it with `cargo xtask test`");
    let output = Command::new(python)
        .args([
            "tests/consume.py",
            "docs/consumers/powertools.py",
            queue,
            "5",
        ])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the bucket itself says.
async fn present(stack: &Stack) -> Present {
    let list = stack.s3.list_objects_v2();
    let list = list
        .bucket(stack.output("BucketName"))
        .send()
        .await
        .unwrap();
    assert_eq!(list.is_truncated(), Some(false));
    let objects = list.contents().iter();
    let etag = |object: &aws_sdk_s3::types::Object| {
        let etag = object.e_tag().unwrap();
        (
            object.key().unwrap().to_owned(),
            etag.trim_matches('"').to_owned(),
        )
    };
    objects.map(etag).collect()
}

#[tokio::test]
async fn powertools_know_what_the_bucket_holds() {
    let parameters = [
        ("MessageFormat", "s3"),
        ("LiveOrder", "exact"),
        ("RealtimeConcurrency", "8"),
    ];
    let stack = Stack::create("powertools", &parameters).await.unwrap();
    // The SDK that writes and lists here reads XML, which cannot carry control characters.
    let keys = ODD_KEYS
        .iter()
        .filter(|key| !key.contains(char::is_control));
    let keys = keys.map(|key| (*key).to_owned());
    let keys = keys.chain((0..20).map(|number| format!("plain/{number}")));
    let plan = keys.zip(0..).map(|(key, number)| (key, acts(number, ACTS)));
    let history = perform(&stack.s3, stack.output("BucketName"), plan.collect(), 4);
    let history = history.await.unwrap();
    let truth = present(&stack).await;
    assert!(truth.len() > 10, "{truth:?}");
    assert!(history.keys.len() > truth.len(), "some are deleted");

    let live = consume(stack.output("QueueUrl"));
    assert_eq!(live.present, truth, "from live changes");

    let queue = stack.create_queue("powertools-replay").await.unwrap();
    let start = json!({ "queueUrl": queue, "recordsPerMessage": 5 });
    let job = stack.reseed(start).await.unwrap();
    let job = job["jobId"].as_str().unwrap();
    stack
        .wait_for(job, "done", Duration::from_mins(2))
        .await
        .unwrap();
    let replay = consume(&queue);
    assert_eq!(replay.present, truth, "from a reseed");
    assert!(replay.messages < history.len(), "some share a message");
    stack.remove().await.unwrap();
}
