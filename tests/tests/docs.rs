//! What the documentation shows is run as it stands.

use std::collections::HashSet;
use std::process::Command;
use std::time::Duration;

use e2e::{STACK, Stack};
use serde_json::json;

fn read(name: &str) -> String {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The first block of a language.
fn block(text: &str, language: &str) -> String {
    let rest = text.split_once(&format!("```{language}\n")).unwrap().1;
    rest.split_once("\n```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_consumer_of_the_events_page_applies_each_change_of_a_replay_once() {
    let stack = Stack::connect(STACK).await.unwrap();
    let queue = stack.create_queue("documented").await.unwrap();
    for step in 0..3 {
        stack.put("documented/1", &format!("{step}")).await.unwrap();
    }
    stack.delete("documented/1").await.unwrap();
    let input = json!({ "prefix": "documented/", "queueUrl": queue });
    let job = stack.reseed(input).await.unwrap();
    let job = job["jobId"].as_str().unwrap();
    stack
        .wait_for(job, "done", Duration::from_mins(1))
        .await
        .unwrap();

    let consumer = block(&read("docs/EVENTS.md"), "python");
    let main = format!(
        "{consumer}\n\nseen = set()\nfor _ in range(2):\n    \
         consume('{queue}', seen, lambda event: print(event['sequence'], event['key']))\n"
    );
    let output = Command::new("python3")
        .args(["-c", &main])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected = "1 documented/1\n2 documented/1\n3 documented/1\n4 documented/1\n";
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_invocations_of_the_readme_run() {
    let stack = Stack::connect(STACK).await.unwrap();
    // A job for the line that asks for one by its id.
    let job = stack
        .reseed(json!({ "dryRun": true, "prefix": "readme/" }))
        .await
        .unwrap();
    let job = job["jobId"].as_str().unwrap();
    let readme = read("README.md");
    let lines: HashSet<&str> = readme
        .lines()
        .map(|line| line.split("  #").next().unwrap_or(line).trim())
        .filter(|line| line.starts_with("sam remote invoke"))
        .collect();
    assert!(lines.len() >= 5, "{lines:?}");
    for line in lines {
        let command = line
            .replace(
                "--stack-name s3-sqs-bridge",
                &format!("--stack-name {STACK}"),
            )
            .replace("20240501-1a2b3c4d-1", job);
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}\n{told}\n{complaints}");
        assert!(!told.contains("errorType"), "{command}\n{told}");
    }
}
