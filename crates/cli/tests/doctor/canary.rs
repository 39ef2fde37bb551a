//! A canary that is interrupted, in a bucket and a queue that the test plays.

use std::collections::BTreeSet;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{End, answering_with, command, signal, stack};

/// A bucket that the canary is put into, and a queue in which its events do not arrive.
#[derive(Default)]
struct Cage {
    /// Versions and delete markers that are there.
    versions: BTreeSet<String>,
    made: u64,
    /// Messages of others that are hidden now; there are two, and so many more.
    hidden: BTreeSet<String>,
    more: usize,
    receives: u64,
    /// What is asked for to be refused, as it stands in a request's head.
    refused: Option<&'static str>,
    /// A put that is done, and not answered.
    unanswered: bool,
    /// A receive is never answered.
    is_stuck: bool,
}

impl Cage {
    fn answer(&mut self, head: &str, body: &[u8]) -> Option<(&'static str, String, String)> {
        let ok = |lines: String, body: String| Some(("200 OK", lines, body));
        let asked = head.lines().next().unwrap_or_default();
        if self.refused.is_some_and(|refused| head.contains(refused)) {
            let refusal = "<Error><Code>AccessDenied</Code><Message>not this one</Message></Error>";
            return Some(("403 Forbidden", String::new(), refusal.to_owned()));
        }
        let (method, path) = asked.split_once(' ').unwrap_or_default();
        if let Some((_, version)) = asked.split_once("versionId=") {
            let version = version.split(['&', ' ']).next().unwrap();
            assert!(self.versions.remove(version), "removed twice: {asked}");
            return Some(("204 No Content", String::new(), String::new()));
        }
        if path.starts_with("/ledger/s3-sqs-bridge-canary/") {
            self.made += 1;
            let version = format!("v{}", self.made);
            self.versions.insert(version.clone());
            if method == "PUT" && self.unanswered {
                return Some(("500 Internal Server Error", String::new(), String::new()));
            }
            return ok(format!("x-amz-version-id: {version}\r\n"), String::new());
        }
        if path.starts_with("/ledger") && path.contains("versions") {
            let entry = |version: &String| {
                format!("<Version><Key>k</Key><VersionId>{version}</VersionId></Version>")
            };
            let entries: String = self.versions.iter().map(entry).collect();
            let list = format!("<ListVersionsResult>{entries}</ListVersionsResult>");
            return ok(String::new(), list);
        }
        if head.contains("AmazonSQS.ReceiveMessage") {
            self.receives += 1;
            let others = (1..=2 + self.more).map(|number| format!("r{number}"));
            let others = others.filter(|r| !self.hidden.contains(r)).take(10);
            let others: Vec<_> = others.collect();
            self.hidden.extend(others.iter().cloned());
            let others = others.iter().map(|receipt| {
                json!({ "MessageId": receipt, "ReceiptHandle": receipt, "Body": "another's" })
            });
            let answer = json!({ "Messages": others.collect::<Vec<_>>() });
            return ok(String::new(), answer.to_string());
        }
        if head.contains("AmazonSQS.ChangeMessageVisibilityBatch") {
            let asked: Value = serde_json::from_slice(body).unwrap();
            let entries = asked["Entries"].as_array().unwrap();
            assert!(entries.len() <= 10, "SQS takes no more: {asked}");
            for entry in entries {
                assert_eq!(entry["VisibilityTimeout"], 0, "{entry}");
                self.hidden.remove(entry["ReceiptHandle"].as_str().unwrap());
            }
            let done: Vec<_> = entries.iter().map(|e| json!({ "Id": e["Id"] })).collect();
            let answer = json!({ "Successful": done, "Failed": [] });
            return ok(String::new(), answer.to_string());
        }
        None
    }
}

/// A doctor whose canary waits in such a place for events that never come.
fn waiting(cage: Cage) -> (Arc<Mutex<Cage>>, Child) {
    let cage = Arc::new(Mutex::new(cage));
    let kept = Arc::clone(&cage);
    let url = answering_with(move |head, body| {
        if let Some((status, body)) = stack(
            body,
            &[("ReseedFunction", "s-reseed"), ("BucketName", "ledger")],
            &[],
        ) {
            return (status, String::new(), body);
        }
        let is_receive = head.contains("AmazonSQS.ReceiveMessage");
        let answer = kept.lock().unwrap().answer(head, body);
        if is_receive && kept.lock().unwrap().is_stuck {
            std::thread::sleep(Duration::from_hours(1));
        }
        if is_receive {
            std::thread::sleep(Duration::from_millis(100));
        }
        let denied = || ("403 Forbidden", String::new(), "{}".to_owned());
        answer.unwrap_or_else(denied)
    });
    let folder = tempfile::tempdir().unwrap();
    let queue = "https://sqs.eu-west-1.amazonaws.com/1/events.fifo";
    let words = [
        "doctor",
        "--stack",
        "s",
        "--canary",
        "--canary-queue-url",
        queue,
    ];
    let doctor = command(&url, folder.path(), &words).spawn().unwrap();
    (cage, doctor)
}

/// Waits until it has been asked once more when all messages were handed over, so that it knows of them.
fn wait_for_receives(cage: &Mutex<Cage>, doctor: &mut Child) {
    let more = cage.lock().unwrap().more as u64;
    while cage.lock().unwrap().receives < 2 + more.div_ceil(10) {
        assert!(doctor.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_interrupted_canary_leaves_nothing_behind() {
    for how in ["-INT", "-TERM"] {
        let (cage, mut doctor) = waiting(Cage {
            more: 21,
            ..Cage::default()
        });
        wait_for_receives(&cage, &mut doctor);
        assert_eq!(cage.lock().unwrap().hidden.len(), 23, "{how}");
        signal(&doctor, how);
        End::wait(doctor)
            .with(3)
            .says(&["interrupted: removing the object"])
            .answers(&[
                "unchecked canary: interrupted: s3-sqs-bridge-canary/",
                "was put, overwritten, deleted, and removed",
            ]);
        let cage = cage.lock().unwrap();
        assert_eq!((cage.made, &cage.versions), (3, &BTreeSet::new()), "{how}");
        assert_eq!(cage.hidden, BTreeSet::new(), "{how}");
    }
}

#[test]
fn what_an_interrupted_canary_cannot_remove_or_give_back_is_named() {
    for (refused, told) in [
        (
            "versionId=v2",
            "; not removed: version v2: AccessDenied: not this one",
        ),
        (
            "ChangeMessageVisibilityBatch",
            "; 2 messages of others could not be given back, and stay hidden for up to 150 s",
        ),
    ] {
        let (cage, mut doctor) = waiting(Cage {
            refused: Some(refused),
            ..Cage::default()
        });
        wait_for_receives(&cage, &mut doctor);
        signal(&doctor, "-INT");
        let warned = "warning   canary: interrupted: s3-sqs-bridge-canary/";
        End::wait(doctor).with(3).answers(&[warned, told]);
        // All else is.
        let cage = cage.lock().unwrap();
        let left = cage.versions.len() + cage.hidden.len();
        let expected = if refused == "versionId=v2" { 1 } else { 2 };
        assert_eq!(left, expected, "{refused}");
    }
}

#[test]
fn a_second_signal_ends_a_canary_at_once() {
    let (cage, mut doctor) = waiting(Cage::default());
    wait_for_receives(&cage, &mut doctor);
    cage.lock().unwrap().is_stuck = true;
    let before = cage.lock().unwrap().receives;
    while cage.lock().unwrap().receives < before + 1 {
        std::thread::sleep(Duration::from_millis(20));
    }
    // It waits for that receive. Whoever presses twice sees to it that the first was heard.
    signal(&doctor, "-INT");
    let mut stderr = std::io::BufReader::new(doctor.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("interrupted") {
        line.clear();
        let read = std::io::BufRead::read_line(&mut stderr, &mut line);
        assert_ne!(read.unwrap(), 0, "it has ended");
    }
    signal(&doctor, "-TERM");
    assert_eq!(doctor.wait().unwrap().code(), Some(3));
    assert_eq!(cage.lock().unwrap().versions.len(), 3);
}

#[test]
fn a_version_whose_answer_was_lost_is_found_and_removed() {
    let (cage, doctor) = waiting(Cage {
        unanswered: true,
        ..Cage::default()
    });
    End::wait(doctor).with(1).answers(&["wrong     canary: "]);
    let cage = cage.lock().unwrap();
    assert!(cage.made > 0);
    assert_eq!(cage.versions, BTreeSet::new());
}
