//! Events that the queue refuses for good: a job stops at one, and parks it once it may.

mod common;

use std::path::Path;

use bridge_sim::load::shape::Shape;
use common::{job_of, run, serve, text};
use serde_json::Value;

/// Sequences that the queue refuses.
const REFUSED: [u64; 3] = [7, 150, 151];

fn endpoint() -> String {
    serve(Shape::NonAscii, 300, |load| load.refuse(REFUSED.to_vec()))
}

/// What the job parked, by sequence.
fn parked(folder: &Path) -> Vec<u64> {
    let job = job_of(folder).unwrap();
    let path = folder.join(format!(".s3-sqs-bridge/jobs/{job}/parked.jsonl"));
    let lines = std::fs::read_to_string(path).unwrap();
    let records = lines.lines().map(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&record["kind"], &record["jobId"]),
            (&"parked".into(), &job.as_str().into())
        );
        assert_eq!(record["code"], "InvalidMessageContents");
        assert_eq!(record["event"]["sequence"], record["sequence"]);
        assert_eq!(record["event"]["source"], "reseed");
        record["sequence"].as_u64().unwrap()
    });
    let mut sequences: Vec<u64> = records.collect();
    sequences.sort_unstable();
    sequences
}

#[test]
fn a_job_parks_exactly_what_the_queue_refuses_packed_or_not() {
    for more in [
        &[][..],
        &["--delivery", "batched"],
        &[
            "--format",
            "s3",
            "--records-per-message",
            "20",
            "--order",
            "bucket",
        ],
        &[
            "--format",
            "s3",
            "--records-per-message",
            "20",
            "--delivery",
            "batched",
        ],
    ] {
        let endpoint = endpoint();
        let folder = tempfile::tempdir().unwrap();
        let queue = format!("{endpoint}/1/q.fifo");
        let asked = [
            "--bucket",
            "b",
            "--queue-url",
            &queue,
            "--on-undeliverable",
            "park",
            "--json",
        ];
        let output = run(&endpoint, folder.path(), &[&asked, more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let end: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&end["checkpoint"], &end["counts"]["parked"]),
            (&300.into(), &3.into())
        );
        assert_eq!(parked(folder.path()), REFUSED, "{more:?}");
    }
}

#[test]
fn a_job_that_stopped_goes_on_without_the_event() {
    let endpoint = endpoint();
    let folder = tempfile::tempdir().unwrap();
    let queue = format!("{endpoint}/1/q.fifo");
    let asked = ["--bucket", "b", "--queue-url", &queue, "--order", "bucket"];
    let output = run(&endpoint, folder.path(), &asked);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for part in [
        "event 7 (key \"",
        "version id \"",
        "--on-undeliverable park",
    ] {
        assert!(stderr.contains(part), "{part:?} is not in: {stderr}");
    }
    let job = job_of(folder.path()).unwrap();
    let resume = ["--resume", &job, "--on-undeliverable", "park"];
    let output = run(&endpoint, folder.path(), &resume);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("done: 297 events") && stderr.contains("3 events were not taken"),
        "{stderr}"
    );
    assert_eq!(parked(folder.path()), REFUSED);
}
