//! A process of `serve`, and the services that it talks to.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bridge_sim::load::server::Load;
use bridge_sim::load::shape::{Shape, Synthetic};
use serde_json::{Value, json};

use crate::common::{End, command, load_server, signal};

pub(crate) const TOKEN: &str = "a-token-of-the-tests";
pub(crate) const OPERATORS: &str = "a-token-of-the-operator";

/// A FIFO queue of events, by its name.
pub(crate) const EVENTS: &str = "/1/events.fifo";

/// Nothing here takes longer on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(4);

/// SQS, and S3 with one version; they end with the test.
pub(crate) fn services(change: impl FnOnce(&mut Load)) -> (Arc<Load>, String) {
    let bucket = Synthetic {
        shape: Shape::OneKey,
        versions: 1,
        per_key: 1,
    };
    load_server(bucket, change)
}

/// A notification of a change, as `MinIO` or S3 (`source`) writes it.
pub(crate) fn notification(source: &str, key: &str, version: u64) -> Value {
    json!({ "EventName": "s3:ObjectCreated:Put", "Key": format!("ledger/{key}"), "Records": [{
        "eventVersion": "2.0", "eventSource": source, "eventName": "s3:ObjectCreated:Put",
        "eventTime": "2024-05-01T12:00:00.000Z",
        "s3": {
            "bucket": { "name": "ledger" },
            "object": { "key": key, "versionId": format!("v{version}"), "sequencer": format!("{version:016X}") },
        },
    }]})
}

/// The command of a process that does.
pub(crate) fn serve(endpoint: &str, folder: &Path) -> Command {
    let notifications = format!("{endpoint}/1/notifications");
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--notifications-queue-url",
        &notifications,
    ];
    command(endpoint, folder, &arguments)
}

/// A process that serves.
pub(crate) struct Serving {
    pub child: Child,
    /// `http://127.0.0.1:…`
    pub url: String,
    /// What it has said.
    pub log: Arc<Mutex<Vec<String>>>,
}

impl Serving {
    /// Starts one that talks to `endpoint`, works in `folder`, and takes notifications from a queue and by HTTP.
    pub(crate) fn start(endpoint: &str, folder: &Path, variables: &[(&str, &str)]) -> Self {
        Self::of(serve(endpoint, folder), endpoint, variables)
    }

    /// The same by a command that ends in such a process.
    pub(crate) fn of(mut command: Command, endpoint: &str, variables: &[(&str, &str)]) -> Self {
        command
            .env("QUEUE_URL", format!("{endpoint}{EVENTS}"))
            .env("BUCKET_NAME", "ledger")
            .env("NOTIFICATIONS_TOKEN", TOKEN)
            .env("OPERATOR_TOKEN", OPERATORS)
            .envs(variables.iter().copied());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().map(Result::unwrap);
            let Some(line) = line else {
                panic!("it ended: {}", End::wait(child).stderr);
            };
            let line: Value = serde_json::from_str(&line).unwrap();
            if let Some(address) = line["address"].as_str() {
                break address.to_owned();
            }
        };
        // Whatever it says from now on is read, so that it never waits for a reader.
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            child,
            url: format!("http://{address}"),
            log,
        }
    }

    /// Kills it at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and answers with which code it did.
    pub(crate) fn end(mut self) -> Option<i32> {
        signal(&self.child, "-TERM");
        self.child.wait().unwrap().code()
    }

    /// What a path answers to an operator, with its status.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let request = agent().get(format!("{}{path}", self.url));
        let request = request.header("authorization", format!("Bearer {OPERATORS}"));
        let mut answer = request.call().unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), body)
    }

    /// Hands a notification over with the token; the status and the document of the answer.
    pub(crate) fn post(&self, body: &str) -> (u16, Value) {
        post(&format!("{}/notifications", self.url), TOKEN, body)
    }

    /// Asks for something about jobs.
    pub(crate) fn ask(&self, body: &str) -> (u16, Value) {
        post(&format!("{}/jobs", self.url), OPERATORS, body)
    }

    /// The most memory that it had, KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.unwrap().parse().unwrap()
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(PATIENCE)).build().into()
}

/// Hands something over; the status and the document of the answer, which says `retryAfter` if its head does.
pub(crate) fn post(url: &str, token: &str, body: &str) -> (u16, Value) {
    let request = agent().post(url);
    let request = request.header("authorization", format!("Bearer {token}"));
    let mut answer = request.send(body).unwrap();
    let again = answer.headers().get("retry-after").cloned();
    let text = answer.body_mut().read_to_string().unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    if let Some(again) = again {
        document["retryAfter"] = json!(again.to_str().unwrap());
    }
    (answer.status().as_u16(), document)
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < PATIENCE,
            "{what}: not so after {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
