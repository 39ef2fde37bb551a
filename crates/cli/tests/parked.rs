//! Events that the queue refuses for good: a job stops at one, and parks it once it may.

mod common;

use std::path::Path;

use bridge_sim::load::shape::Shape;
use common::{job_of, run, serve};
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
        "",
        "--delivery batched",
        "--format s3 --records-per-message 20 --order bucket",
        "--format s3 --records-per-message 20 --delivery batched",
    ] {
        let endpoint = endpoint();
        let folder = tempfile::tempdir().unwrap();
        let line = format!(
            "--bucket b --queue-url {endpoint}/1/q.fifo --on-undeliverable park --json {more}"
        );
        let end = run(&endpoint, folder.path(), &line).with(0).json();
        assert_eq!(
            (&end["checkpoint"], &end["counts"]["parked"]),
            (&300.into(), &3.into())
        );
        assert_eq!(parked(folder.path()), REFUSED, "{more}");
    }
}

#[test]
fn a_job_that_stopped_goes_on_without_the_event() {
    let endpoint = endpoint();
    let folder = tempfile::tempdir().unwrap();
    let line = format!("--bucket b --queue-url {endpoint}/1/q.fifo --order bucket");
    run(&endpoint, folder.path(), &line).with(1).says(&[
        "event 7 (key \"",
        "version id \"",
        "--on-undeliverable park",
    ]);
    let job = job_of(folder.path()).unwrap();
    let line = format!("--resume {job} --on-undeliverable park");
    run(&endpoint, folder.path(), &line)
        .with(0)
        .says(&["done: 297 events", "3 events not taken"]);
    assert_eq!(parked(folder.path()), REFUSED);
}
