//! The program itself, against the load server: whole jobs, kills, interrupts, exit codes.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use bridge_sim::load::shape::Shape;
use common::{job_of, program, run, serve, text};
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
        let arguments = [
            "--bucket",
            "b",
            "--out",
            "events",
            "--listers",
            listers,
            "--memory",
            memory,
        ];
        let output = run(&endpoint, folder.path(), &arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
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
    let whole = run(
        &endpoint,
        folder.path(),
        &["--bucket", "b", "--out", "whole", "--state", "whole-state"],
    );
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    loop {
        let job = job_of(folder.path());
        let arguments = match &job {
            Some(job) => vec!["--resume", job.as_str()],
            None => vec!["--bucket", "b", "--out", "killed", "--max-rate", "9000"],
        };
        let mut child = program(&endpoint, folder.path(), &arguments)
            .spawn()
            .unwrap();
        if kills < 10 {
            std::thread::sleep(Duration::from_millis(random.u64(20..500)));
            // A job that is done before its tenth kill cannot be resumed.
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                kills += 1;
            }
        }
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            break;
        }
        let code = output.status.code();
        assert_eq!(code, None, "seed {seed}: {}", text(&output.stderr));
    }
    assert!(kills >= 5, "seed {seed}: only {kills} kills");
    let whole = events(&folder.path().join("whole"));
    assert_eq!(whole.len(), 30_000);
    let killed = events(&folder.path().join("killed"));
    assert!(whole == killed, "seed {seed}");
}

/// Different in each run, and told when a test fails.
fn seed() -> u64 {
    std::env::var("BRIDGE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap())
}

fn wait_for_events(file: &Path) {
    while std::fs::metadata(file).map_or(0, |m| m.len()) == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status();
    assert!(status.unwrap().success());
}

#[test]
fn an_interrupt_checkpoints_and_says_how_to_go_on() {
    let endpoint = serve(Shape::Hashed, 3_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--bucket", "b", "--out", "events", "--max-rate", "1000"];
    let child = program(&endpoint, folder.path(), &arguments)
        .spawn()
        .unwrap();
    let file = folder.path().join("events");
    wait_for_events(&file);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let job = job_of(folder.path()).unwrap();
    let stderr = text(&output.stderr);
    assert!(stderr.contains(&format!("--resume {job}")), "{stderr}");
    let lines = std::fs::read_to_string(&file).unwrap().lines().count();
    assert!(lines < 3_000);

    let output = run(&endpoint, folder.path(), &["--resume", &job, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let end: Value = serde_json::from_slice(&output.stdout).unwrap();
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
    let output = run(&endpoint, folder.path(), &["--resume", &job]);
    assert_eq!(output.status.code(), Some(2), "a job that is done");
}

#[test]
fn events_reach_a_queue_in_order_however_s3_throttles() {
    let endpoint = serve(Shape::OneKey, 20_000, |load| {
        load.most_lists = 1;
        load.list_latency = Duration::from_millis(10);
    });
    let folder = tempfile::tempdir().unwrap();
    let queue = format!("{endpoint}/1/q.fifo");
    let output = run(
        &endpoint,
        folder.path(),
        &[
            "--bucket",
            "b",
            "--queue-url",
            &queue,
            "--events",
            "created",
        ],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
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
    let arguments = ["--bucket", "b", "--dry-run", "--max-rate", "100"];
    let output = run(&endpoint, folder.path(), &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    for part in [
        "5000 events:",
        "created",
        "removed",
        "2023-01",
        "2024-12",
        "S3 $",
        "SQS $",
        "50 s",
    ] {
        assert!(stdout.contains(part), "{part:?} is not in: {stdout}");
    }
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    let output = run(&endpoint, folder.path(), &arguments);
    let end: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(end["planned"]["events"], 5_000);
    assert_eq!(end["estimate"]["sendingSeconds"], 50);
    assert_eq!(stats(&endpoint)["messages"], 0);
}

#[test]
fn a_dry_run_tells_what_any_order_would_take() {
    let endpoint = serve(Shape::Dated, 5_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let seconds = |order: &str| {
        let arguments = ["--bucket", "b", "--dry-run", "--json", "--order", order];
        let output = run(&endpoint, folder.path(), &arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let end: Value = serde_json::from_slice(&output.stdout).unwrap();
        end["estimate"]["sendingSeconds"].as_u64().unwrap()
    };
    // One group sends one message after the other.
    assert!(seconds("bucket") > 10 * seconds("key").max(1));
    let refused = ["--bucket", "b", "--out", "-", "--order", "key"];
    let output = run(&endpoint, folder.path(), &refused);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn lines_on_standard_output_are_data_and_nothing_else() {
    let endpoint = serve(Shape::Hashed, 2_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--bucket", "b", "--out", "-", "--json"];
    let output = run(&endpoint, folder.path(), &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = folder.path().join("stdout");
    std::fs::write(&file, &output.stdout).unwrap();
    let sequences: Vec<u64> = text(&output.stdout)
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
    let arguments = ["--bucket", "b", "--out", "events", "--max-rate", "500"];
    let child = program(&endpoint, folder.path(), &arguments)
        .spawn()
        .unwrap();
    wait_for_events(&folder.path().join("events"));
    interrupt(&child);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(3));
    let job = job_of(folder.path()).unwrap();

    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let lines: Vec<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("s3-sqs-bridge reseed "))
        .map(|line| {
            line.split(" #")
                .next()
                .unwrap()
                .replace("https://sqs.eu-west-1.amazonaws.com", &endpoint)
                .replace("20240501-1a2b3c4d-1", &job)
        })
        .collect();
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let output = run(&endpoint, folder.path(), &arguments);
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
    }
}

#[test]
fn exit_codes_tell_usage_from_failure() {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    for (arguments, code, part) in [
        (vec!["--bucket", "b"], 2, "--queue-url"),
        (
            vec!["--bucket", "b", "--queue-url", "q"],
            2,
            "--queue-url: found \"q\"",
        ),
        (vec!["--resume", "nope"], 2, "\"nope\""),
        (
            vec![
                "--bucket",
                "b",
                "--queue-url",
                "https://x/1/q",
                "--order",
                "key",
            ],
            2,
            "standard queue",
        ),
        (
            vec![
                "--bucket",
                "b",
                "--out",
                "-",
                "--from",
                "2025-01-01T00:00:00Z",
                "--until",
                "2024-01-01T00:00:00Z",
            ],
            2,
            "before until",
        ),
        (
            vec!["--bucket", "b", "--out", "/dev/full"],
            1,
            "/dev/full: No space left",
        ),
    ] {
        let output = run(&endpoint, folder.path(), &arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    }
}
