//! `s3-sqs-bridge jobs` on a deployed stack, as README shows it.

use std::process::Command;
use std::time::Duration;

use e2e::history::replayed::program;
use e2e::{STACK, Stack};
use serde_json::{Value, json};

/// Runs the program; its exit code, and what it wrote on standard output and error.
fn run(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program().unwrap())
        .args(words)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_started_and_watched_until_its_end() {
    let stack = Stack::connect(STACK).await.unwrap();
    let queue = stack.create_queue("jobs-watched").await.unwrap();
    for number in 0..5 {
        stack
            .put(&format!("jobs-watched/{number}"), "1")
            .await
            .unwrap();
    }
    let words = [
        "jobs",
        "start",
        "--stack",
        STACK,
        "--prefix",
        "jobs-watched/",
        "--queue-url",
        &queue,
    ];
    let (code, told, said) = run(&[&words[..], &["--watch", "--json"]].concat());
    assert_eq!(code, Some(0), "{told}\n{said}");
    let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["phase"], &last["sent"]),
        (&json!("done"), &json!(5)),
        "{told}"
    );
    assert_eq!(last["queueDepth"], 5, "{told}");
    let job = last["jobId"].as_str().unwrap();
    let (code, told, said) = run(&["jobs", "watch", job, "--stack", STACK]);
    assert_eq!(code, Some(0), "{said}");
    assert!(told.starts_with("done: 5 events in "), "{told}");
    // What the store keeps besides is not told.
    let (_, told, _) = run(&["jobs", "status", job, "--stack", STACK, "--json"]);
    for hidden in ["\"wish\"", "\"digest\"", "\"revision\""] {
        assert!(!told.contains(hidden), "{told}");
    }
    let (code, _, said) = run(&["jobs", "pause", job, "--stack", STACK]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is done: it cannot"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_commands_of_the_readme_run() {
    let stack = Stack::connect(STACK).await.unwrap();
    let queue = stack.create_queue("jobs-readme").await.unwrap();
    for number in 0..40 {
        stack
            .put(&format!("jobs-readme/{number}"), "1")
            .await
            .unwrap();
    }
    // A job that is at work for as long as these lines take.
    let input = json!({ "prefix": "jobs-readme/", "queueUrl": queue, "maxRate": 1 });
    let slow = stack.start(input).await.unwrap();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let readme = readme.unwrap();
    let lines = readme
        .lines()
        .filter(|line| line.starts_with("s3-sqs-bridge jobs "));
    let mut lines: Vec<_> = lines
        .map(|line| line.split("  #").next().unwrap().trim())
        .collect();
    assert!(lines.len() >= 7, "{lines:?}");
    // Those of the slow job first: a job that is started behind it is the newest.
    lines.sort_by_key(|line| !line.contains("20240501"));
    for line in lines {
        let words: Vec<_> = line.split(' ').skip(1).collect();
        let words = words.into_iter().map(|word| match word {
            "s3-sqs-bridge" => STACK,
            "20240501-1a2b3c4d-1" => slow.as_str(),
            other => other,
        });
        let (code, told, said) = run(&words.collect::<Vec<_>>());
        assert_eq!(code, Some(0), "{line}\n{told}\n{said}");
        assert!(!told.is_empty(), "{line}");
        if line.contains(" pause ") {
            let paused = stack.wait_for(&slow, "paused", Duration::from_mins(1));
            paused.await.unwrap();
        }
    }
    stack
        .wait_for(&slow, "cancelled", Duration::from_mins(1))
        .await
        .unwrap();
    stack.delete_queue(&queue).await.unwrap();
}
