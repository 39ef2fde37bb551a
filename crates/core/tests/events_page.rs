//! What docs/EVENTS.md shows is true: the id in its JSON, and the consumer, run with a queue of its own.

use std::process::Command;

use bridge_core::event::{Change, Event, event_id};

const PAGE: &str = include_str!("../../../docs/EVENTS.md");

/// The first block of a language.
fn block(language: &str) -> &'static str {
    let rest = PAGE.split_once(&format!("```{language}\n")).unwrap().1;
    rest.split_once("\n```").unwrap().0
}

#[test]
fn the_id_of_the_example_follows_the_documented_formula() {
    let event: Event = serde_json::from_str(block("json")).unwrap();
    let id = event_id(
        &event.bucket,
        &event.key,
        &event.version_id,
        Change::Created,
    );
    assert_eq!(event.event_id, id);
}

/// A queue for the consumer: hands out `EVENTS`, each twice, one after the other.
const QUEUE: &str = r#"
import json, sys, types

class Queue:
    def __init__(self):
        self.waiting = [e for event in EVENTS for e in (event, event)]
    def receive_message(self, **_):
        taken, self.waiting = self.waiting[:3], self.waiting[3:]
        return {"Messages": [{"Body": json.dumps(e), "ReceiptHandle": "r"} for e in taken]} if taken else {}
    def delete_message(self, **_):
        pass

boto3 = types.ModuleType("boto3")
boto3.client = lambda _: Queue()
sys.modules["boto3"] = boto3
"#;

#[test]
fn the_consumer_applies_each_change_once_and_every_overwrite_delete_and_undelete() {
    let id = |key: &str, version: &str, change| event_id("ledger", key, version, change);
    let of_null = id("n", "null", Change::Created);
    let events = serde_json::json!([
        // Three overwrites without versions: by sequencer, and without one by tag and time.
        {"n": 1, "eventId": of_null, "versionId": "null", "sequencer": "01", "eventTime": "t1"},
        {"n": 2, "eventId": of_null, "versionId": "null", "sequencer": "02", "eventTime": "t1"},
        {"n": 3, "eventId": of_null, "versionId": "null", "eTag": "a", "eventTime": "t1"},
        {"n": 4, "eventId": of_null, "versionId": "null", "eTag": "b", "eventTime": "t1"},
        {"n": 5, "eventId": of_null, "versionId": "null", "eTag": "b", "eventTime": "t2"},
        // Without versions, deleted and written again.
        {"n": 6, "eventId": id("n", "null", Change::Deleted), "versionId": "null", "sequencer": "03", "eventTime": "t3"},
        {"n": 7, "eventId": of_null, "versionId": "null", "sequencer": "04", "eventTime": "t3"},
        // A delete, and its undoing.
        {"n": 8, "eventId": id("k", "m1", Change::Removed), "versionId": "m1", "sequencer": "05", "eventTime": "t4"},
        {"n": 9, "eventId": id("k", "m1", Change::Deleted), "versionId": "m1", "sequencer": "06", "eventTime": "t5"},
        // The same change by a replay, which was asked for.
        {"n": 10, "eventId": id("k", "m1", Change::Removed), "versionId": "m1", "eventTime": "t4", "jobId": "j", "sequence": 1},
        // A repetition by S3 with another sequencer: a version comes once.
        {"n": 8, "eventId": id("k", "m1", Change::Removed), "versionId": "m1", "sequencer": "07", "eventTime": "t6"},
    ]);
    let program = format!(
        "EVENTS = __import__('json').loads({:?})\n{QUEUE}\n{}\n\nconsume('q', set(), lambda e: print(e['n']))\n",
        events.to_string(),
        block("python")
    );
    let output = Command::new("python3")
        .args(["-c", &program])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    let applied = String::from_utf8_lossy(&output.stdout);
    let expected: Vec<String> = (1..=10).map(|n| n.to_string()).collect();
    assert_eq!(applied.lines().collect::<Vec<_>>(), expected);
}
