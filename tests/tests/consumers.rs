//! Consumers written with what others wrote read `MessageFormat=s3`, as docs/consumers shows them: AWS Lambda Powertools
//! for Python, and AWS's crates for Rust under `cargo lambda watch`. From live changes alone, and from a reseed alone,
//! they know what the bucket holds.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::time::Duration;

use e2e::Stack;
use e2e::history::script::{ODD_KEYS, acts, perform};
use serde::Deserialize;
use serde_json::json;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Seconds without a message after which all have come: what is removed for good waits until its key is free.
const PATIENCE: &str = "20";

/// What is done to each key.
const ACTS: usize = 8;

const POWERTOOLS: &str = "docs/consumers/powertools.py";

/// Key to entity tag.
type Present = BTreeMap<String, String>;

/// What `consume.py` prints.
#[derive(Deserialize)]
struct Consumed {
    messages: usize,
    present: Present,
}

/// Hands what is in the queue to a consumer, until nothing came for some seconds.
fn consume(consumer: &str, queue: &str, state: &str) -> Consumed {
    let python = std::env::var("CONSUMER_PYTHON")
        .expect("this test needs a consumer's packages: run it with `cargo xtask test`");
    let output = Command::new(python)
        .args(["tests/consume.py", consumer, queue, PATIENCE, state])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `cargo lambda watch` as README shows it, with what it started.
struct Watching(Child);

impl Watching {
    /// Starts the documented consumer on a port of its own; where it is invoked. Without its watching: what other tests write
    /// into this folder would start it anew, and what it knows would be gone.
    fn start(state: &str) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
        let line = readme
            .lines()
            .find(|line| line.contains("--bin consumer"))
            .unwrap();
        let line = line.replace("state.json", state);
        let mut shell = Command::new("sh");
        shell
            .args([
                "-c",
                &format!("{line} --invoke-port {port} --ignore-changes"),
            ])
            .current_dir(ROOT);
        for (name, _) in std::env::vars() {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                shell.env_remove(name);
            }
        }
        let process = shell.process_group(0).spawn().unwrap();
        let url = format!("http://127.0.0.1:{port}/2015-03-31/functions/consumer/invocations");
        (Self(process), url)
    }

    /// Waits until it listens: the function itself is built when it is first invoked.
    async fn until_it_listens(&mut self, url: &str) {
        let address = url.split('/').nth(2).unwrap();
        while TcpStream::connect(address).is_err() {
            assert_eq!(self.0.try_wait().unwrap(), None, "it ended");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Its group has its own id.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// What the bucket itself says.
async fn present(stack: &Stack) -> Present {
    let list = stack.s3.list_objects_v2();
    let list = list
        .bucket(stack.output("BucketName"))
        .send()
        .await
        .unwrap();
    assert_eq!(list.is_truncated(), Some(false));
    let objects = list.contents().iter();
    let etag = |object: &aws_sdk_s3::types::Object| {
        let etag = object.e_tag().unwrap();
        (
            object.key().unwrap().to_owned(),
            etag.trim_matches('"').to_owned(),
        )
    };
    objects.map(etag).collect()
}

#[tokio::test]
async fn consumers_that_others_wrote_know_what_the_bucket_holds() {
    let parameters = [
        ("MessageFormat", "s3"),
        ("LiveOrder", "exact"),
        ("RealtimeConcurrency", "8"),
    ];
    let stack = Stack::create("consumers", &parameters).await.unwrap();
    // `exact` begins with the first change that it is told of; those before come as S3 tells them.
    stack.put("first", "1").await.unwrap();
    stack.delete("first").await.unwrap();
    let queue = stack.output("QueueUrl");
    let first = stack.receive(queue, 2, Duration::from_mins(1), |_| true);
    assert_eq!(first.await.unwrap().len(), 2);
    // The SDK that writes and lists here reads XML, which cannot carry control characters.
    let keys = ODD_KEYS
        .iter()
        .filter(|key| !key.contains(char::is_control));
    let keys = keys.map(|key| (*key).to_owned());
    let keys = keys.chain((0..20).map(|number| format!("plain/{number}")));
    let plan = keys.zip(0..).map(|(key, number)| (key, acts(number, ACTS)));
    let history = perform(&stack.s3, stack.output("BucketName"), plan.collect(), 4);
    let history = history.await.unwrap();
    let truth = present(&stack).await;
    assert!(truth.len() > 10, "{truth:?}");
    assert!(history.keys.len() > truth.len(), "some are deleted");

    let live = consume(POWERTOOLS, stack.output("QueueUrl"), "");
    assert_eq!(live.present, truth, "Powertools, from live changes");

    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let state = state.to_str().unwrap();
    let (mut watching, url) = Watching::start(state);
    watching.until_it_listens(&url).await;
    for (consumer, name) in [(POWERTOOLS, "consumers-1"), (&url, "consumers-2")] {
        let queue = stack.create_queue(name).await.unwrap();
        let start = json!({ "queueUrl": queue, "recordsPerMessage": 5 });
        let job = stack.reseed(start).await.unwrap();
        let job = job["jobId"].as_str().unwrap();
        let done = stack.wait_for(job, "done", Duration::from_mins(2)).await;
        done.unwrap();
        let replay = consume(consumer, &queue, state);
        assert_eq!(replay.present, truth, "{consumer}, from a reseed");
        assert!(replay.messages < history.len(), "some share a message");
    }
    stack.remove().await.unwrap();
}
