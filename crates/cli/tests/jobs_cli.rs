//! `jobs` with a stack whose `CloudFormation`, reseed function and queue the test plays.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{End, answering_with, command, signal, stack, start};
use serde_json::{Value, json};

type Answer = (&'static str, String, String);

/// Plays the stack `s`, whose reseed function, named otherwise than the stack, answers so; what it was asked
/// for is kept.
fn play(
    answer: impl Fn(&Value) -> Result<Value, (&'static str, &'static str)> + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Value>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let url = answering_with(move |head, body| -> Answer {
        if let Some((status, body)) = stack(body, &[("ReseedFunction", "the-reseed")], &[]) {
            return (status, String::new(), body);
        }
        if head.to_lowercase().contains("getqueueattributes") {
            let body = json!({ "Attributes": { "ApproximateNumberOfMessages": "3021" } });
            return ("200 OK", String::new(), body.to_string());
        }
        assert!(head.contains("/functions/the-reseed/invocations"), "{head}");
        let request: Value = serde_json::from_slice(body).unwrap();
        kept.lock().unwrap().push(request.clone());
        match answer(&request) {
            Ok(answer) => ("200 OK", String::new(), answer.to_string()),
            Err((kind, message)) => (
                "200 OK",
                "x-amz-function-error: Unhandled\r\n".to_owned(),
                json!({ "errorType": kind, "errorMessage": message }).to_string(),
            ),
        }
    });
    (url, asked)
}

fn jobs(url: &str, line: &str) -> End {
    let folder = tempfile::tempdir().unwrap();
    let words: Vec<_> = std::iter::once("jobs").chain(line.split(' ')).collect();
    End::of(&mut command(url, folder.path(), &words))
}

/// Tells jobs 9 to 0, three a page; one cannot be read.
fn pages() -> String {
    play(|request| {
        assert_eq!(request["action"], "list");
        let after = request["next"].as_str().map_or(10, |n| n.parse().unwrap());
        let page: Vec<i32> = (0..after).rev().take(3).collect();
        let jobs = page
            .iter()
            .map(|n| json!({ "jobId": n.to_string(), "phase": "done" }));
        let mut answer = json!({ "jobs": jobs.collect::<Vec<_>>(), "unreadable": [] });
        match page.last() {
            Some(last) if *last > 0 => answer["next"] = json!(last.to_string()),
            _ => answer["unreadable"] = json!(["job \u{1b}x cannot be read"]),
        }
        Ok(answer)
    })
    .0
}

#[test]
fn every_page_is_asked_for_and_each_job_written_once() {
    let url = pages();
    // What could not be read is reported, and is no success.
    let end = jobs(&url, "list --stack s")
        .with(1)
        .says(&["job \\u{1b}x cannot be read"]);
    let ids: Vec<_> = end
        .stdout
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(ids, ["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]);
    let end = jobs(&url, "list --stack s --json");
    let first: Value = serde_json::from_str(end.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["jobId"], "9");
}

#[test]
fn a_page_that_comes_again_ends_it() {
    let (url, _) = play(|_| Ok(json!({ "jobs": [], "unreadable": [], "next": "5" })));
    jobs(&url, "list --stack s")
        .with(1)
        .says(&["the same page twice"]);
}

/// A job that has sent so many of nine events.
fn job(phase: &str, sent: u64) -> Value {
    json!({
        "jobId": "20240501-1a2b3c4d-1", "phase": phase, "bucket": "ledger",
        "options": { "filter": { "prefix": "a/" }, "queueUrl": "http://127.0.0.1:1/1/q.fifo", "dryRun": false },
        "checkpoint": { "sequence": sent }, "planned": { "events": 9, "created": 8, "removed": 1 },
        "counts": { "listed": 9, "pages": 1, "parked": 0 }, "createdAt": "2024-05-01T12:00:00.000Z",
        "lastError": (phase == "failed").then_some("the queue is gone"),
    })
}

#[test]
fn a_start_asks_for_what_was_said_and_shows_the_job() {
    let (url, asked) = play(|_| {
        let mut job = job("scanning", 0);
        job["warnings"] = json!(["bucket ledger: versioning: versioning is suspended"]);
        Ok(job)
    });
    let end = jobs(
        &url,
        "start --stack s --prefix a/ --max-rate 500 --then live",
    )
    .with(0);
    let end = end.says(&["warning: bucket ledger: versioning"]);
    end.answers(&[
        "job       20240501-1a2b3c4d-1",
        "phase     scanning",
        "1 page",
    ]);
    let expected = json!({ "action": "start", "prefix": "a/", "maxRate": 500, "then": "live" });
    assert_eq!(*asked.lock().unwrap(), [expected]);
    // As it was answered.
    let end = jobs(&url, "start --stack s --json").with(0);
    assert_eq!(end.json()["jobId"], "20240501-1a2b3c4d-1");
}

#[test]
fn each_action_names_its_job_and_status_the_newest_if_none_is_named() {
    let (url, asked) = play(|request| match request["action"].as_str() {
        Some("list") => Ok(json!({ "jobs": [job("sending", 1)], "unreadable": [] })),
        _ => Ok(job("sending", 1)),
    });
    for line in [
        "status --stack s",
        "pause J --stack s",
        "cancel J --stack s",
        "resume J --stack s --on-undeliverable park",
    ] {
        jobs(&url, line).with(0).answers(&["sent      1 event"]);
    }
    assert_eq!(
        *asked.lock().unwrap(),
        [
            json!({ "action": "list", "limit": 1 }),
            json!({ "action": "status", "jobId": "20240501-1a2b3c4d-1" }),
            json!({ "action": "pause", "jobId": "J" }),
            json!({ "action": "cancel", "jobId": "J" }),
            json!({ "action": "resume", "jobId": "J", "onUndeliverable": "park" }),
        ]
    );
    jobs(&url, "pause --stack s").with(2).says(&["<JOB>"]);
}

#[test]
fn watching_ends_as_the_job_does() {
    for (phase, code, told) in [
        ("done", 0, "done: 9 events"),
        ("failed", 1, "failed after 9 events: the queue is gone"),
        ("cancelled", 1, "cancelled after 9 events"),
        ("paused", 3, "jobs resume 20240501-1a2b3c4d-1 --stack s"),
    ] {
        let looks = AtomicU64::new(0);
        let (url, _) = play(move |_| match looks.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(job("sending", 4)),
            // Lambda is busy for a moment.
            1 => Err(("TooBusy", "later")),
            _ => Ok(job(phase, 9)),
        });
        let line = "watch 20240501-1a2b3c4d-1 --stack s --interval 1";
        let end = jobs(&url, line).with(code).answers(&[told]);
        let end = end.says(&["sending: 4 of 9 events; queue 3,021", "trying again"]);
        assert!(!end.stdout.contains('\u{1b}'), "no colours: {end:?}");
    }
}

#[test]
fn a_job_that_is_watched_from_its_start_is_named() {
    let asked_twice = |line: &str| {
        let looks = AtomicU64::new(0);
        let (url, asked) = play(move |_| match looks.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(job("scanning", 0)),
            1 => Ok(job("sending", 4)),
            _ => Ok(job("done", 9)),
        });
        let end = jobs(&url, line).with(0);
        let status = json!({ "action": "status", "jobId": "20240501-1a2b3c4d-1" });
        let expected = [json!({ "action": "start" }), status.clone(), status];
        assert_eq!(*asked.lock().unwrap(), expected);
        end
    };
    let line = "start --stack s --watch --interval 1";
    let end = asked_twice(line).answers(&["done: 9 events"]);
    assert!(
        end.stderr.starts_with("job 20240501-1a2b3c4d-1\n"),
        "{end:?}"
    );
    let end = asked_twice(&format!("{line} --json"));
    assert_eq!((end.stdout.lines().count(), end.stderr.as_str()), (2, ""));
    let (url, _) = play(|_| Ok(job("scanning", 0)));
    jobs(&url, "start --stack s --interval 1")
        .with(2)
        .says(&["--watch"]);
}

#[test]
fn watching_in_json_writes_a_look_a_line() {
    let looks = AtomicU64::new(0);
    let (url, _) = play(move |_| match looks.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(job("sending", 4)),
        _ => Ok(job("done", 9)),
    });
    let end = jobs(&url, "watch J --stack s --interval 1 --json").with(0);
    let looks = end.stdout.lines().map(serde_json::from_str);
    let looks: Vec<Value> = looks.collect::<Result<_, _>>().unwrap();
    let (first, last) = (&looks[0], &looks[1]);
    assert_eq!(
        (&first["phase"], &first["queueDepth"]),
        (&json!("sending"), &json!(3021))
    );
    assert_eq!((&last["phase"], &last["sent"]), (&json!("done"), &json!(9)));
    assert_eq!(end.stderr, "", "no progress beside the data");
}

#[test]
fn an_interrupt_ends_the_watching_and_not_the_job() {
    let (url, asked) = play(|_| Ok(job("sending", 4)));
    let folder = tempfile::tempdir().unwrap();
    let looks = folder.path().join("looks");
    let words = [
        "jobs",
        "watch",
        "J",
        "--stack",
        "s",
        "--json",
        "--interval",
        "3600",
    ];
    let mut watching = command(&url, folder.path(), &words);
    let child = start(
        watching.stdout(std::fs::File::create(&looks).unwrap()),
        &looks,
    );
    signal(&child, "-INT");
    End::wait(child)
        .with(3)
        .says(&["the job goes on: s3-sqs-bridge jobs watch J --stack s"]);
    let asked = asked.lock().unwrap();
    assert!(
        asked.iter().all(|asked| asked["action"] == "status"),
        "{asked:?}"
    );
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    let (url, _) = play(|request| match request["jobId"].as_str() {
        Some("missing") => Err(("NoSuchJob", "there is no job \"missing\"")),
        _ => Err(("JobStore", "job store: throttled")),
    });
    for (line, code, parts) in [
        (
            "list --stack other",
            2,
            &["no stack \"other\" in eu-west-1", "--region"][..],
        ),
        ("status missing --stack s", 2, &["there is no job"]),
        (
            "status there --stack s",
            1,
            &["invoking the-reseed", "JobStore: job store: throttled"],
        ),
        (
            "start --stack s --order up --frm x",
            2,
            &["--frm", "--from"],
        ),
        ("list", 2, &["--stack <NAME>"]),
    ] {
        jobs(&url, line).with(code).says(parts);
    }
    let none = answering_with(|_, body| {
        let (status, body) = stack(body, &[("ApiUrl", "x")], &[]).unwrap();
        (status, String::new(), body)
    });
    jobs(&none, "list --stack s")
        .with(2)
        .says(&["has no output ReseedFunction", "ApiUrl"]);
    let (url, _) = play(|_| Ok(json!({ "jobs": [], "unreadable": [] })));
    jobs(&url, "watch --stack s")
        .with(2)
        .says(&["has no jobs yet", "jobs start --stack s"]);
}
