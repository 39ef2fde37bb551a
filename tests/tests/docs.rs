//! What the documentation shows is run as it stands.

use std::collections::HashSet;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

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
        .filter(|line| line.contains("sam remote invoke"))
        .collect();
    assert!(lines.len() >= 5, "{lines:?}");
    for line in lines {
        let command = line
            .replace(
                "--stack-name s3-sqs-bridge",
                &format!("--stack-name {STACK}"),
            )
            .replace("s3-sqs-bridge-bucket-1", stack.output("BucketName"))
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

/// Ends a process with what it started: `cargo lambda watch` starts cargo, and that the function.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        // Its group has its own id.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_quick_turnaround_of_the_readme_forwards_a_notification() {
    let stack = Stack::connect(STACK).await.unwrap();
    let queue = stack.create_queue("watched").await.unwrap();
    let readme = read("README.md");
    let line = |begin: &str| readme.lines().find(|line| line.starts_with(begin));
    let watch = line("QUEUE_URL=… cargo lambda watch").unwrap();
    let invoke = line("cargo lambda invoke realtime").unwrap();
    let shell = |command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        shell.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        // What cargo tells a test of its package has build scripts run again that no reader's shell would.
        for (name, _) in std::env::vars() {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                shell.env_remove(name);
            }
        }
        shell
    };
    let mut watching = shell(&watch.replace('…', &format!("'{queue}'")));
    let _watching = Watching(
        std::os::unix::process::CommandExt::process_group(&mut watching, 0)
            .spawn()
            .unwrap(),
    );
    // It builds first, and refuses until it listens.
    let begin = Instant::now();
    let told = loop {
        let output = shell(invoke).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            break told;
        }
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            begin.elapsed() < Duration::from_mins(8),
            "{told}\n{complaints}"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    assert!(told.contains("\"forwarded\":1"), "{told}");
    let received = stack
        .receive(&queue, 1, Duration::from_secs(20), |_| true)
        .await
        .unwrap();
    assert_eq!(received[0].text("key"), "accounts/1.json");
}
