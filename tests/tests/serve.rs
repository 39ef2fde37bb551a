//! `serve` as README starts it: a bucket notifies a queue, and each change is forwarded, whatever is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_sdk_s3::types::{
    BucketVersioningStatus, Event, NotificationConfiguration, QueueConfiguration,
    VersioningConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use e2e::history::create_bucket;
use e2e::history::replayed::program;
use e2e::{Received, STACK, Stack};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_mins(2);

const BUCKET: &str = "served-by-a-process";

/// What README says in place of a user's own.
const EVENTS_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/events.fifo";
const CHANGES_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes";

/// The lines of README that start it, for these queues and this bucket, and in a folder of its own.
fn start(events: &str, changes: &str, folder: &Path) -> Child {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, section) = readme.split_once("\n## Without Lambda\n").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let script = block
        .replace(EVENTS_URL, events)
        .replace(CHANGES_URL, changes)
        .replace("BUCKET_NAME=ledger", &format!("BUCKET_NAME={BUCKET}"))
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("\ns3-sqs-bridge serve", "\nexec s3-sqs-bridge serve");
    let folder_of_program = program().unwrap().parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    Command::new("sh")
        .args(["-euc", &script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", folder_of_program.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until it serves. What it says from then on is read and dropped.
fn wait_for(child: &mut Child) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_serving = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["address"].is_string()
    };
    assert!(lines.any(|line| is_serving(&line.unwrap())), "it ended");
    std::thread::spawn(move || lines.for_each(drop));
}

async fn notify(stack: &Stack, bucket: &str, queue_url: &str) {
    let arn = QueueAttributeName::QueueArn;
    let asked = stack.sqs.get_queue_attributes().queue_url(queue_url);
    let answer = asked.attribute_names(arn.clone()).send().await.unwrap();
    let queue = QueueConfiguration::builder()
        .queue_arn(&answer.attributes().unwrap()[&arn])
        .events(Event::from("s3:ObjectCreated:*"))
        .events(Event::from("s3:ObjectRemoved:*"))
        .build()
        .unwrap();
    let configuration = NotificationConfiguration::builder().queue_configurations(queue);
    let put = stack.s3.put_bucket_notification_configuration();
    let put = put
        .bucket(bucket)
        .notification_configuration(configuration.build());
    put.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_tells_a_queue_is_served_by_the_lines_of_the_readme() {
    let stack = Stack::connect(STACK).await.unwrap();
    let events = stack.create_queue("served").await.unwrap();
    let create = stack.sqs.create_queue().queue_name("served-changes");
    let changes = create.send().await.unwrap().queue_url.unwrap();
    create_bucket(&stack.s3, BUCKET).await.unwrap();
    notify(&stack, BUCKET, &changes).await;
    let folder = tempfile::tempdir().unwrap();

    let mut newest = BTreeMap::new();
    for round in 0..3 {
        let mut serving = start(&events, &changes, folder.path());
        wait_for(&mut serving);
        for number in 0..20 {
            let key = format!("accounts/{number}");
            let body = format!("{round}").into_bytes();
            let put = stack.s3.put_object().bucket(BUCKET).key(&key);
            let put = put.body(body.into()).send().await.unwrap();
            newest.insert(key, put.version_id.unwrap());
        }
        // In the middle of its work.
        serving.kill().unwrap();
        serving.wait().unwrap();
    }
    let mut serving = start(&events, &changes, folder.path());
    wait_for(&mut serving);
    let mut last = BTreeMap::new();
    let all_arrived = |last: &BTreeMap<String, String>| *last == newest;
    let begin = std::time::Instant::now();
    while !all_arrived(&last) {
        assert!(begin.elapsed() < TIMEOUT, "{last:?} instead of {newest:?}");
        let one = stack.receive(&events, 1, Duration::from_secs(2), |_: &Received| true);
        for event in one.await.unwrap() {
            last.insert(
                event.text("key").to_owned(),
                event.text("versionId").to_owned(),
            );
        }
    }
    let pid = serving.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(asked.unwrap().success());
    assert_eq!(serving.wait().unwrap().code(), Some(0));
    let files: BTreeSet<_> = std::fs::read_dir(folder.path().join(".s3-sqs-bridge"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(files.contains("live.redb"), "{files:?}");
}

/// What `doctor --serve` says is not well; it fails only where something is wrong.
fn examined(bucket: &str, events: &str, changes: &str, folder: &Path) -> BTreeMap<String, String> {
    let output = Command::new(program().unwrap())
        .args(["doctor", "--serve", "--json"])
        .args(["--notifications-queue-url", changes])
        .args(["--listen", "127.0.0.1:1", "--state"])
        .arg(folder.join("none"))
        .envs([
            ("BUCKET_NAME", bucket),
            ("QUEUE_URL", events),
            ("LIVE_ORDER", "newest"),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let bad = findings.filter(|found| found["level"] != "ok");
    let bad: BTreeMap<_, _> = bad
        .map(|found| (text(&found["check"]), text(&found["level"])))
        .collect();
    let is_wrong = bad.values().any(|level| level == "wrong");
    assert_eq!(output.status.code(), Some(i32::from(is_wrong)), "{report}");
    assert!(!folder.join("none").exists(), "it only reads");
    bad
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serve_needs_is_looked_at_before_it_is_started() {
    const EXAMINED: &str = "examined-for-serve";
    let stack = Stack::connect(STACK).await.unwrap();
    let events = stack.create_queue("examined").await.unwrap();
    let create = stack.sqs.create_queue().queue_name("examined-changes");
    let changes = create.send().await.unwrap().queue_url.unwrap();
    create_bucket(&stack.s3, EXAMINED).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let examine = || examined(EXAMINED, &events, &changes, folder.path());
    // It does not run, and the queues are as SQS makes them.
    let usual: BTreeMap<String, String> = [
        ("serve", "unchecked"),
        ("entrance", "warning"),
        ("notifications-dead-letters", "warning"),
        ("queue-dead-letters", "warning"),
        ("notifications", "wrong"),
    ]
    .map(|(check, level)| (check.to_owned(), level.to_owned()))
    .into();
    assert_eq!(examine(), usual);

    notify(&stack, EXAMINED, &changes).await;
    let mut with = usual;
    with.remove("notifications");
    assert_eq!(examine(), with);

    let put = stack.s3.put_bucket_versioning().bucket(EXAMINED);
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended);
    let put = put.versioning_configuration(suspended.build());
    put.send().await.unwrap();
    with.insert("versioning".to_owned(), "wrong".to_owned());
    assert_eq!(examine(), with);

    let delete = stack.sqs.delete_queue().queue_url(&events);
    delete.send().await.unwrap();
    with.insert("queue".to_owned(), "wrong".to_owned());
    with.remove("queue-dead-letters");
    let found = examine();
    let is_other = |check: &str| check != "queue-sends";
    let found: BTreeMap<_, _> = found.into_iter().filter(|(c, _)| is_other(c)).collect();
    assert_eq!(found, with);
}
