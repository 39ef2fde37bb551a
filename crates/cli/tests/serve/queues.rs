//! The queues, asked before anything is taken, and one that goes meanwhile.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::common::{End, answering_each, signal};
use crate::process::{EVENTS, TOKEN, serve};

/// SQS, where a queue is there or is not, by its URL.
fn sqs(is_there: impl Fn(&str) -> bool + Send + Sync + 'static) -> String {
    answering_each(move |head, body| {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        if !is_there(asked["QueueUrl"].as_str().unwrap_or_default()) {
            let missing = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}"#;
            return ("400 Bad Request", missing.to_owned());
        }
        let is_question = head.contains("GetQueueAttributes");
        let answer = if is_question {
            r#"{"Attributes":{"MaximumMessageSize":"1048576"}}"#
        } else {
            "{}"
        };
        ("200 OK", answer.to_owned())
    })
}

fn serving(endpoint: &str, folder: &Path) -> Command {
    let mut command = serve(endpoint, folder);
    command
        .env("QUEUE_URL", format!("{endpoint}{EVENTS}"))
        .env("NOTIFICATIONS_TOKEN", TOKEN);
    command
}

#[test]
fn a_queue_that_is_not_there_is_told_and_nothing_is_served() {
    let folder = tempfile::tempdir().unwrap();
    for missing in [EVENTS, "/1/notifications", "/1/failures"] {
        let endpoint = sqs(move |url| !url.ends_with(missing));
        let url = format!("{endpoint}{missing}");
        let mut serving = serving(&endpoint, folder.path());
        serving.env("FAILURE_QUEUE_URL", format!("{endpoint}/1/failures"));
        let mut child = serving.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let serves = lines.any(|line| line.unwrap().contains("\"serving\""));
        if serves {
            child.kill().unwrap();
        }
        let end = End::wait(child);
        assert!(!serves, "{missing}: {}", end.stderr);
        end.with(2)
            .says(&[&url, "QueueDoesNotExist", "is the URL right"]);
    }
}

#[test]
fn a_failure_queue_that_may_be_sent_to_need_not_tell_its_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = answering_each(|head, body| {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let url = asked["QueueUrl"].as_str().unwrap_or_default();
        if head.contains("GetQueueAttributes") && url.ends_with("/1/failures") {
            let denied = r#"{"__type":"com.amazon.coral.service#AccessDenied","message":"no"}"#;
            return ("403 Forbidden", denied.to_owned());
        }
        let told = r#"{"Attributes":{"MaximumMessageSize":"1048576"}}"#;
        ("200 OK", told.to_owned())
    });
    let mut serving = serving(&endpoint, folder.path());
    serving.env("FAILURE_QUEUE_URL", format!("{endpoint}/1/failures"));
    let mut child = serving.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let begun = lines.by_ref().map(Result::unwrap);
    let mut begun = begun.filter(|line| line.contains("erving"));
    let first = begun.next().expect("it serves");
    assert!(first.contains("\"serving\""), "{first}");
    std::thread::spawn(move || lines.for_each(drop));
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// What runs begins again in an outage, too, and goes on when it is over.
#[test]
fn queues_that_do_not_answer_for_now_keep_nobody_from_serving() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = answering_each(|_, _| ("503 Service Unavailable", String::new()));
    let mut child = serving(&endpoint, folder.path()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = 0;
    let serves = lines.by_ref().map(Result::unwrap).any(|line| {
        told += usize::from(line.contains("serving all the same"));
        line.contains("\"serving\"")
    });
    assert_eq!((told, serves), (2, true));
    std::thread::spawn(move || lines.for_each(drop));
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_queue_of_notifications_that_goes_is_named_with_what_to_do_and_its_return_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let is_there = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&is_there);
    let endpoint = sqs(move |url| url.ends_with(EVENTS) || seen.load(Ordering::SeqCst));
    let mut child = serving(&endpoint, folder.path()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |part: &str| {
        let mut lines = lines.by_ref().map(Result::unwrap);
        lines.find(|line| line.contains(part)).unwrap()
    };
    until("\"serving\"");
    is_there.store(false, Ordering::SeqCst);
    let told = until("no notifications are received");
    let url = format!("{endpoint}/1/notifications");
    for part in [&*url, "QueueDoesNotExist", "is the URL right"] {
        assert!(told.contains(part), "{told}");
    }
    is_there.store(true, Ordering::SeqCst);
    until("received again");
    signal(&child, "-TERM");
    std::thread::spawn(move || lines.for_each(drop));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
