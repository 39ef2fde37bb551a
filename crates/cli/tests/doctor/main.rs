//! `doctor` with a stack that the test plays: who may not ask says nothing of the stack.

mod canary;
#[path = "../common/mod.rs"]
mod common;
mod followed;

use common::{End, answering_with, command, stack};
use serde_json::{Value, json};

/// Plays the stack `s`, whose functions answer so when they are asked for their health; nothing else may be
/// asked for.
fn play(realtime: &'static str, reseed: Value) -> String {
    answering_with(move |head, body| {
        let outputs = [
            ("ReseedFunction", "s-reseed"),
            ("RealtimeFunction", "s-realtime"),
            (
                "QueueUrl",
                "https://sqs.eu-west-1.amazonaws.com/1/s-events.fifo",
            ),
            (
                "OnFailureQueueUrl",
                "https://sqs.eu-west-1.amazonaws.com/1/s-on-failure",
            ),
        ];
        if let Some((status, body)) = stack(body, &outputs, &[("Ingestion", "direct")]) {
            return (status, String::new(), body);
        }
        let failed = "x-amz-function-error: Unhandled\r\n".to_owned();
        if head.contains("/s-reseed/invocations") {
            let asked: Value = serde_json::from_slice(body).unwrap();
            assert_eq!(asked, json!({ "action": "health" }), "only reads");
            return ("200 OK", String::new(), reseed.to_string());
        }
        if head.contains("/s-realtime/invocations") {
            return match realtime {
                "" => (
                    "200 OK",
                    String::new(),
                    json!({ "status": "ok" }).to_string(),
                ),
                kind => (
                    "200 OK",
                    failed,
                    json!({ "errorType": kind, "errorMessage": "m" }).to_string(),
                ),
            };
        }
        let denied = json!({ "__type": "AccessDeniedException", "message": "no" });
        (
            "403 Forbidden",
            "x-amzn-errortype: AccessDeniedException\r\n".to_owned(),
            denied.to_string(),
        )
    })
}

fn doctor(url: &str, more: &[&str]) -> End {
    let folder = tempfile::tempdir().unwrap();
    let words = [&["doctor", "--stack", "s"], more].concat();
    End::of(&mut command(url, folder.path(), &words))
}

fn health(versioning: &str) -> Value {
    json!({
        "status": "ok",
        "bucket": { "status": "ok", "versioning": versioning, "notifications": "not checked: AccessDenied" },
    })
}

#[test]
fn what_may_not_be_asked_is_unchecked_and_no_failure() {
    let url = play("", health("ok"));
    let end = doctor(&url, &["--json"]).with(0);
    let report = end.json();
    assert_eq!(
        (&report["wrong"], &report["warnings"]),
        (&json!(0), &json!(0)),
        "{report:#}"
    );
    let findings = report["findings"].as_array().unwrap();
    let level = |check: &str| {
        let found = findings.iter().find(|found| found["check"] == check);
        found.map_or("", |found| found["level"].as_str().unwrap())
    };
    for check in [
        "realtime",
        "queue",
        "destination",
        "entrance",
        "on-failure",
        "metrics",
        "schedule",
        "notifications",
    ] {
        assert_eq!(level(check), "unchecked", "{check}: {report:#}");
    }
    for check in ["stack", "realtime-health", "reseed-health", "versioning"] {
        assert_eq!(level(check), "ok", "{check}: {report:#}");
    }
    // Each says which permission, but for what the functions may not ask themselves.
    doctor(&url, &[])
        .with(0)
        .answers(&["do: allow yourself sqs:GetQueueAttributes"]);
}

#[test]
fn what_is_wrong_is_a_failure_that_says_what_to_do() {
    let url = play(
        "Runtime.InvalidEntrypoint",
        health("versioning is suspended: enable it"),
    );
    doctor(&url, &[]).with(1).answers(&[
        "wrong     versioning: versioning is suspended",
        "wrong     realtime-health: Runtime.InvalidEntrypoint: m\n          do: the program is built for another processor",
        "2 wrong, 0 warnings",
    ]);
}

#[test]
fn a_canary_needs_a_queue_that_it_may_read() {
    let url = play("", health("ok"));
    doctor(&url, &["--canary"])
        .with(2)
        .says(&["--canary-queue-url <URL>"]);
    let words = ["--canary", "--canary-queue-url", "q"];
    doctor(&url, &words)
        .with(2)
        .says(&["--canary-queue-url: found", "URL"]);
}
