//! The program itself, against the load server: whole jobs, kills, interrupts, exit codes.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bridge_sim::load::shape::Shape;
use common::{End, answering_each, job_of, program, run, serve, shell, signal, start};
use serde_json::Value;

/// The lines of a file by sequence, each without its job's id. What comes again must be the same.
fn events(file: &Path) -> BTreeMap<u64, String> {
    let mut events = BTreeMap::new();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let mut event: Value = serde_json::from_str(line).unwrap();
        event.as_object_mut().unwrap().remove("jobId").unwrap();
        let sequence = event["sequence"].as_u64().unwrap();
        let json = event.to_string();
        let before = events.insert(sequence, json.clone());
        assert!(before.is_none_or(|before| before == json), "{sequence}");
    }
    events
}

#[test]
fn the_sequence_is_the_same_for_any_number_of_listers_and_any_memory() {
    let endpoint = serve(Shape::NonAscii, 80_000, |_| {});
    let mut first = None;
    for (listers, memory) in [("1", "256"), ("7", "16"), ("64", "16")] {
        let folder = tempfile::tempdir().unwrap();
        let line = format!("--bucket b --out events --listers {listers} --memory {memory}");
        run(&endpoint, folder.path(), &line).with(0);
        let events = events(&folder.path().join("events"));
        assert_eq!(events.len(), 80_000);
        assert_eq!(events.keys().next_back(), Some(&80_000));
        match &first {
            None => first = Some(events),
            Some(first) => assert!(*first == events, "{listers} listers, {memory} MiB"),
        }
    }
}

#[test]
fn killed_at_ten_random_moments_it_tells_the_same() {
    let endpoint = serve(Shape::HotPrefix, 30_000, |load| {
        load.list_latency = Duration::from_millis(30);
    });
    let folder = tempfile::tempdir().unwrap();
    let line = "--bucket b --out whole --state whole-state";
    run(&endpoint, folder.path(), line).with(0);
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    loop {
        let job = job_of(folder.path());
        let line = match &job {
            Some(job) => format!("--resume {job}"),
            None => "--bucket b --out killed --max-rate 9000".to_owned(),
        };
        let mut child = program(&endpoint, folder.path(), &line).spawn().unwrap();
        if kills < 10 {
            std::thread::sleep(Duration::from_millis(random.u64(20..500)));
            // A job that is done before its tenth kill cannot be resumed.
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                kills += 1;
            }
        }
        let end = End::wait(child);
        if end.code == Some(0) {
            break;
        }
        assert_eq!(end.code, None, "seed {seed}: {end:?}");
    }
    assert!(kills >= 5, "seed {seed}: only {kills} kills");
    let whole = events(&folder.path().join("whole"));
    assert_eq!(whole.len(), 30_000);
    let killed = events(&folder.path().join("killed"));
    assert!(whole == killed, "seed {seed}");
}

/// Different in each run, and shown when a test fails.
fn seed() -> u64 {
    std::env::var("BRIDGE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap())
}

#[test]
fn an_interrupt_checkpoints_and_says_how_to_go_on() {
    let endpoint = serve(Shape::Hashed, 3_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let line = "--bucket b --out events --max-rate 1000";
    let file = folder.path().join("events");
    let child = start(&mut program(&endpoint, folder.path(), line), &file);
    signal(&child, "-INT");
    let end = End::wait(child).with(3);
    let resume = format!("--resume {}", job_of(folder.path()).unwrap());
    end.says(&[&resume]);
    let lines = std::fs::read_to_string(&file).unwrap().lines().count();
    assert!(lines < 3_000);

    let line = format!("{resume} --json");
    let end = run(&endpoint, folder.path(), &line).with(0).json();
    assert_eq!(
        (&end["phase"], &end["checkpoint"]),
        (&"done".into(), &3_000.into())
    );
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        text.lines().count(),
        3_000,
        "an orderly stop repeats nothing"
    );
    assert_eq!(events(&file).len(), 3_000);
    run(&endpoint, folder.path(), &resume).with(2);
}

#[test]
fn events_reach_a_queue_in_order_however_s3_throttles() {
    let endpoint = serve(Shape::OneKey, 20_000, |load| {
        load.most_lists = 1;
        load.list_latency = Duration::from_millis(10);
    });
    let folder = tempfile::tempdir().unwrap();
    let line = format!("--bucket b --queue-url {endpoint}/1/q.fifo --events created");
    run(&endpoint, folder.path(), &line).with(0);
    let stats = stats(&endpoint);
    let removed = stats["versions"].as_u64().unwrap() - stats["distinct"].as_u64().unwrap();
    assert!(removed > 0, "some are delete markers: {stats}");
    assert_eq!(stats["messages"], stats["distinct"], "{stats}");
    assert_eq!(
        (&stats["outOfOrder"], &stats["badRequests"]),
        (&0.into(), &0.into())
    );
    assert!(stats["throttled"].as_u64().unwrap() > 0, "{stats}");
}

fn stats(endpoint: &str) -> Value {
    let body = ureq::get(format!("{endpoint}/_load/stats")).call();
    serde_json::from_str(&body.unwrap().body_mut().read_to_string().unwrap()).unwrap()
}

#[test]
fn a_dry_run_tells_numbers_months_cost_and_time_and_sends_nothing() {
    let endpoint = serve(Shape::Dated, 5_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let line = "--bucket b --dry-run --max-rate 100";
    run(&endpoint, folder.path(), line).with(0).answers(&[
        "5,000 events:",
        "created",
        "removed",
        "2023-01",
        "2024-12",
        "S3 $",
        "SQS $",
        "50 s",
    ]);
    let end = run(&endpoint, folder.path(), &format!("{line} --json")).json();
    assert_eq!(end["planned"]["events"], 5_000);
    assert_eq!(end["estimate"]["sendingSeconds"], 50);
    assert_eq!(stats(&endpoint)["messages"], 0);
}

#[test]
fn a_dry_run_tells_what_any_order_would_take() {
    let endpoint = serve(Shape::Dated, 5_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let seconds = |order: &str| {
        let line = format!("--bucket b --dry-run --json --order {order}");
        let end = run(&endpoint, folder.path(), &line).with(0).json();
        end["estimate"]["sendingSeconds"].as_u64().unwrap()
    };
    // One group sends one message after the other.
    assert!(seconds("bucket") > 10 * seconds("key").max(1));
    run(&endpoint, folder.path(), "--bucket b --out - --order key").with(2);
}

#[test]
fn lines_on_standard_output_are_data_and_nothing_else() {
    let endpoint = serve(Shape::Hashed, 2_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let end = run(&endpoint, folder.path(), "--bucket b --out - --json").with(0);
    let sequences: Vec<u64> = end
        .stdout
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["sequence"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(sequences, (1..=2_000).collect::<Vec<_>>(), "in order");
}

#[test]
fn the_commands_of_the_readme_run() {
    let endpoint = serve(Shape::Hashed, 1_500, |_| {});
    let folder = tempfile::tempdir().unwrap();
    // A job for the line that continues with one.
    let mut command = program(
        &endpoint,
        folder.path(),
        "--bucket b --out events --max-rate 500",
    );
    let child = start(&mut command, &folder.path().join("events"));
    signal(&child, "-INT");
    End::wait(child).with(3);
    let job = job_of(folder.path()).unwrap();

    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let lines: Vec<String> = readme
        .lines()
        .filter(|line| line.starts_with("s3-sqs-bridge reseed "))
        .map(|line| {
            let line = line.split(" #").next().unwrap();
            let line = line.replace("https://sqs.eu-west-1.amazonaws.com", &endpoint);
            line.replace("20240501-1a2b3c4d-1", &job)
        })
        .collect();
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines {
        End::of(&mut shell(&endpoint, folder.path(), &line)).with(0);
    }
}

#[test]
fn exit_codes_tell_usage_from_failure() {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    for (line, code, part) in [
        ("--bucket b", 2, "--queue-url"),
        ("--bucket b --queue-url q", 2, "--queue-url: found \"q\""),
        ("--resume nope", 2, "\"nope\""),
        (
            "--bucket b --queue-url https://x/1/q --order key",
            2,
            "standard queue",
        ),
        (
            "--bucket b --out - --from 2025-01-01T00:00:00Z --until 2024-01-01T00:00:00Z",
            2,
            "before until",
        ),
        ("--bucket b --out /dev/full", 1, "/dev/full: No space left"),
    ] {
        run(&endpoint, folder.path(), line).with(code).says(&[part]);
    }
}

/// SQS drops what has the deduplication id of another message of the last five minutes, and a reseed's begin with its job's id.
#[test]
fn a_job_of_another_directory_or_after_clean_is_not_taken_for_the_one_before() {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let job = |state: &str| {
        let line = format!("--bucket b --queue-url {endpoint}/1/q.fifo --json --state {state}");
        let end = run(&endpoint, folder.path(), &line).with(0).json();
        end["jobId"].as_str().unwrap().to_owned()
    };
    let clean = |state: &str| {
        let words = ["clean", "--state", state];
        End::of(&mut common::command(&endpoint, folder.path(), &words)).with(0);
    };
    let first = job("one");
    assert_ne!(job("other"), first, "in another directory");
    clean("one");
    assert_ne!(job("one"), first, "after clean");
}

#[test]
fn a_file_that_is_overwritten_holds_the_history_also_where_that_is_empty() {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    run(&endpoint, folder.path(), "--bucket b --out out.jsonl").with(0);
    assert!(!std::fs::read_to_string(&path).unwrap().is_empty());
    let line = "--bucket b --prefix nothing/ --out out.jsonl --overwrite";
    run(&endpoint, folder.path(), line)
        .with(0)
        .says(&["done: 0 events"]);
    let left = std::fs::read_to_string(&path).unwrap();
    let lines = left.lines().count();
    assert_eq!(lines, 0, "the events of another history");
}

/// A checkpoint is on the disk when it is written, so what it says is written must be, too. After a power cut a file may
/// be as it was some seconds ago, and its journal with it; here both are put back to that.
#[test]
fn a_power_cut_that_takes_lines_away_leaves_no_gap_behind_an_exit_code_of_0() {
    let endpoint = serve(Shape::Hashed, 3_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events");
    let line = "--bucket b --out events --max-rate 1000";
    let child = start(&mut program(&endpoint, folder.path(), line), &file);
    signal(&child, "-INT");
    End::wait(child).with(3);
    let job = job_of(folder.path()).unwrap();
    let journal = folder
        .path()
        .join(format!(".s3-sqs-bridge/jobs/{job}/output.journal"));
    let on_the_disk = [&file, &journal].map(|path| std::fs::read(path).unwrap());
    let resume = format!("--resume {job}");
    let child = program(&endpoint, folder.path(), &resume).spawn().unwrap();
    while std::fs::metadata(&file).unwrap().len() < 2 * on_the_disk[0].len() as u64 {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "-INT");
    End::wait(child).with(3);
    for (path, bytes) in [&file, &journal].into_iter().zip(on_the_disk) {
        std::fs::write(path, bytes).unwrap();
    }
    let end = run(&endpoint, folder.path(), &resume);
    if end.code == Some(0) {
        let sent = events(&file);
        assert_eq!(sent.len(), 3_000, "events are missing: {}", end.stderr);
    } else {
        end.with(2).says(&["events"]);
    }
}

/// The load server's bucket, with what is asked of its versioning answered so.
fn versioned(answer: &'static str) -> String {
    let bucket = serve(Shape::Hashed, 10, |_| {});
    answering_each(move |head, _| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        if path.contains("versioning") {
            return ("200 OK", answer.to_owned());
        }
        let mut answer = ureq::get(format!("{bucket}{path}")).call().unwrap();
        ("200 OK", answer.body_mut().read_to_string().unwrap())
    })
}

#[test]
fn a_bucket_without_a_history_and_a_queue_without_an_order_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (never, suspended) = (
        "was never versioned: this is its present state",
        "is suspended",
    );
    let unordered = "is a standard queue, which keeps no order";
    for (status, line, expected) in [
        ("", "--out -", &[never][..]),
        ("<Status>Suspended</Status>", "--dry-run", &[suspended]),
        ("<Status>Enabled</Status>", "--dry-run", &[]),
        ("", "--dry-run --current-only", &[]),
        ("", "--dry-run --queue-url QUEUE", &[never, unordered]),
        ("", "--dry-run --queue-url QUEUE.fifo", &[never]),
        (
            "<Status>Enabled</Status>",
            "--dry-run --queue-url QUEUE --order none",
            &[],
        ),
    ] {
        let answer = format!("<VersioningConfiguration>{status}</VersioningConfiguration>");
        let endpoint = versioned(answer.leak());
        let line = line.replace("QUEUE", &format!("{endpoint}/1/q"));
        let end = run(
            &endpoint,
            folder.path(),
            &format!("--bucket b {line} --json"),
        );
        let end = end.with(0).says(expected);
        let told = end
            .stderr
            .lines()
            .filter(|line| line.starts_with("warning: "));
        assert_eq!(told.count(), expected.len(), "{line}: {}", end.stderr);
        if line.contains("--dry-run") {
            let warnings = end.json()["warnings"].clone();
            let warnings = warnings.as_array().map_or(0, Vec::len);
            assert_eq!(warnings, expected.len(), "{line}: {}", end.stdout);
        }
    }
}
