//! Where live changes cannot be held back, since they come by HTTP alone.

use std::path::Path;

use bridge_sim::load::shape::Shape;
use serde_json::{Value, json};

use crate::common::command;
use crate::jobs::{hold, phase};
use crate::process::{Serving, services, wait_until};

const NEWEST: [(&str, &str); 1] = [("LIVE_ORDER", "newest")];

/// A process without a queue of notifications.
fn by_http(endpoint: &str, folder: &Path) -> Serving {
    let arguments = ["serve", "--listen", "127.0.0.1:0"];
    Serving::of(command(endpoint, folder, &arguments), endpoint, &NEWEST)
}

/// Starts a job; its id.
fn started(serving: &Serving, asked: &Value) -> String {
    let (status, job) = serving.ask(&asked.to_string());
    assert_eq!(status, 200, "{job}");
    job["jobId"].as_str().unwrap().to_owned()
}

#[test]
fn a_history_that_live_follows_waits_there_and_nothing_comes_between() {
    let (load, endpoint) = services(|load| {
        load.bucket.shape = Shape::Hashed;
        load.bucket.versions = 500;
    });
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &NEWEST);
    let plain = started(&serving, &json!({ "maxRate": 1 }));
    let act = |action: &str, job: &str| json!({ "action": action, "jobId": job });
    assert_eq!(serving.ask(&act("pause", &plain).to_string()).0, 200);
    wait_until("it is paused", || phase(&serving, &plain) == "paused");
    let sent = load.arrivals().messages;
    let job = hold(&serving, &json!({ "then": "live" }));
    serving.kill();
    let file = format!(".s3-sqs-bridge/jobs/{job}/job.json");
    let stored = || std::fs::read_to_string(folder.path().join(&file)).unwrap();
    let before = stored();

    let serving = by_http(&endpoint, folder.path());
    let needed = "--notifications-queue-url";
    let told = serving.get(&format!("/jobs/{job}")).1;
    let left = told.split_once("\"left\"").expect("it is told as left").1;
    assert!(left.contains(needed), "{told}");
    for (asked, part) in [
        (act("resume", &job), needed),
        (act("pause", &job), needed),
        // Only who can hold live back can let it go on.
        (act("cancel", &job), needed),
        (json!({ "then": "live" }), needed),
        (json!({}), &job),
        (act("resume", &plain), &job),
    ] {
        let (status, answer) = serving.ask(&asked.to_string());
        assert_eq!(status, 400, "{asked}: {answer}");
        assert!(answer.to_string().contains(part), "{asked}: {answer}");
    }
    assert_eq!(load.arrivals().messages, sent, "nothing came between");
    let other = json!({ "queueUrl": format!("{endpoint}/1/other.fifo") });
    let other = started(&serving, &other);
    wait_until("another queue has its", || {
        phase(&serving, &other) == "done"
    });
    assert_eq!(serving.end(), Some(0));
    assert_eq!(stored(), before);

    let serving = Serving::start(&endpoint, folder.path(), &NEWEST);
    assert_eq!(serving.ask(&act("cancel", &job).to_string()).0, 200);
    wait_until("it is cancelled", || phase(&serving, &job) == "cancelled");
    let plain = started(&serving, &json!({}));
    wait_until("the queue is free", || phase(&serving, &plain) == "done");
    assert_eq!(serving.end(), Some(0));
}
