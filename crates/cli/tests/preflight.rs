//! What is wrong with credentials, addresses and permissions is reported within seconds.

mod common;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bridge_sim::load::shape::Shape;
use common::{End, answering, answering_each, command, job_of, program, run, serve};

/// A refusal takes a second. What is tried until its time is over takes a quarter of an hour, and a machine
/// that has other work may take a minute for the second.
const SOON: Duration = Duration::from_mins(5);

fn refused(command: &mut Command, codes: &[i32], parts: &[&str]) -> String {
    let begin = Instant::now();
    let end = End::of(command).says(parts);
    let took = begin.elapsed();
    assert!(took < SOON, "after {took:?}: {end:?}");
    assert!(codes.contains(&end.code.unwrap()), "{end:?}");
    let stderr = end.stderr;
    assert!(!stderr.contains("scanning"), "{stderr}");
    assert!(
        !stderr.contains(": :") && !stderr.trim_end().ends_with(':'),
        "{stderr}"
    );
    stderr
}

fn reseed(endpoint: &str, folder: &Path) -> Command {
    program(endpoint, folder, "--bucket ledger --out -")
}

#[test]
fn a_bad_address_is_told_with_what_to_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (endpoint, code) in [
        (format!("http://{closed}"), 1),
        ("http://no-such-host.invalid".to_owned(), 1),
        ("nonsense".to_owned(), 1),
        // Plain HTTP where TLS is spoken to.
        (
            answering("200 OK", |_, _| String::new()).replace("http:", "https:"),
            1,
        ),
        (
            answering("200 OK", |_, _| "<html>hello</html>".to_owned()),
            2,
        ),
    ] {
        let parts = ["listing bucket \"ledger\"", &endpoint, "AWS_ENDPOINT_URL"];
        let mut command = reseed(&endpoint, folder.path());
        refused(&mut command, &[code, 2], &parts);
    }
    assert!(job_of(folder.path()).is_none(), "no job was made");
}

#[test]
fn of_a_stack_the_address_is_told_where_nobody_answers() {
    let folder = tempfile::tempdir().unwrap();
    for command_line in ["jobs list --stack s", "doctor --stack s"] {
        let words: Vec<_> = command_line.split(' ').collect();
        let mut command = command("http://127.0.0.1:1", folder.path(), &words);
        let asked = "asking \"http://127.0.0.1:1\" (AWS_ENDPOINT_URL) for stack \"s\"";
        refused(&mut command, &[1], &[asked, "nobody answers there"]);
    }
}

#[test]
fn a_refusal_names_what_was_tried_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = |code: &str, message: &str| {
        format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")
    };
    for (status, body, parts) in [
        (
            "403 Forbidden",
            error("AccessDenied", "Access Denied"),
            ["AccessDenied", "s3:ListBucketVersions"],
        ),
        (
            "404 Not Found",
            error("NoSuchBucket", "gone"),
            ["NoSuchBucket: gone", "is its name right"],
        ),
        (
            "301 Moved Permanently",
            error("PermanentRedirect", "elsewhere"),
            ["PermanentRedirect", "AWS_REGION"],
        ),
        (
            "403 Forbidden",
            error("SignatureDoesNotMatch", "no"),
            ["SignatureDoesNotMatch", "mistyped"],
        ),
        (
            "403 Forbidden",
            String::new(),
            ["HTTP 403", "s3:ListBucketVersions"],
        ),
        (
            "404 Not Found",
            "nothing here".to_owned(),
            ["HTTP 404", "listing bucket"],
        ),
        (
            "400 Bad Request",
            error("Odd\u{9b}2J", "one&#10;two&#27;[31m"),
            ["one\\ntwo\\u{1b}", "Odd\\u{9b}"],
        ),
    ] {
        let endpoint = answering(status, move |_, _| body.clone());
        let stderr = refused(&mut reseed(&endpoint, folder.path()), &[2], &parts);
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_queue_that_is_not_there_is_told_before_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = serve(Shape::Hashed, 100, |_| {});
    for (code, parts) in [
        (
            "QueueDoesNotExist",
            ["NonExistentQueue", "is the URL right"],
        ),
        (
            "AccessDeniedException",
            ["AccessDenied", "sqs:GetQueueAttributes"],
        ),
    ] {
        let queue = answering("400 Bad Request", move |_, _| {
            format!("{{\"__type\":\"com.amazonaws.sqs#{code}\",\"message\":\"no\"}}")
        });
        let url = format!("{queue}/1/missing.fifo");
        let line = format!("--bucket b --queue-url {url}");
        let mut command = program(&bucket, folder.path(), &line);
        command.env("AWS_ENDPOINT_URL_SQS", &queue);
        let stderr = if code == "QueueDoesNotExist" {
            refused(&mut command, &[2], &["QueueDoesNotExist", parts[1]])
        } else {
            refused(&mut command, &[2], &parts)
        };
        assert!(stderr.contains(&url), "{stderr}");
    }
    assert!(job_of(folder.path()).is_none());
}

/// A queue that may be asked for its attributes; what it answers when it is sent `entries` messages.
fn queue(answer: fn(entries: usize) -> Option<&'static str>) -> (String, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let url = answering_each(move |head, body| {
        if !head.contains("SendMessageBatch") {
            return (
                "200 OK",
                r#"{"Attributes":{"MaximumMessageSize":"1048576"}}"#.to_owned(),
            );
        }
        let request: serde_json::Value = serde_json::from_slice(body).unwrap();
        let entries = request["Entries"].as_array().unwrap().len();
        counted.fetch_add(entries, Ordering::SeqCst);
        match answer(entries) {
            Some(code) => (
                "400 Bad Request",
                format!("{{\"__type\":\"com.amazonaws.sqs#{code}\",\"message\":\"no\"}}"),
            ),
            None => ("200 OK", r#"{"Successful":[],"Failed":[]}"#.to_owned()),
        }
    });
    (url, sent)
}

fn reseed_into(queue: &str, bucket: &str, folder: &Path) -> Command {
    let line = format!("--bucket b --queue-url {queue}/1/q.fifo");
    let mut command = program(bucket, folder, &line);
    command.env("AWS_ENDPOINT_URL_SQS", queue);
    command
}

#[test]
fn a_queue_that_may_not_be_sent_to_is_told_before_the_scan_and_gets_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = serve(Shape::Hashed, 100, |_| {});
    let (queue, sent) = queue(|_| Some("AccessDeniedException"));
    let parts = [
        "whether it may be sent to",
        "AccessDenied",
        "sqs:SendMessage",
        "/1/q.fifo",
    ];
    refused(
        &mut reseed_into(&queue, &bucket, folder.path()),
        &[2],
        &parts,
    );
    assert!(job_of(folder.path()).is_none(), "no job was made");
    assert_eq!(sent.load(Ordering::SeqCst), 0);
}

/// A server may take an empty request from anybody; then the first message tells.
#[test]
fn a_permission_that_only_a_message_shows_ends_the_job_at_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = serve(Shape::Hashed, 50_000, |_| {});
    let (queue, sent) = queue(|entries| {
        Some(if entries == 0 {
            "EmptyBatchRequest"
        } else {
            "AccessDeniedException"
        })
    });
    let parts = [
        "failed after 0 events",
        "AccessDenied",
        "have to allow it",
        "--resume",
    ];
    refused(
        &mut reseed_into(&queue, &bucket, folder.path()),
        &[1],
        &parts,
    );
    // A request of each lane, and what of it goes again alone.
    let sent = sent.load(Ordering::SeqCst);
    assert!((1..5_000).contains(&sent), "{sent} of 50,000 were tried");
}

/// Without credentials or a region of the environment's.
fn bare(endpoint: &str, folder: &Path, config: &str) -> Command {
    let file = folder.join("aws-config");
    std::fs::write(&file, config).unwrap();
    let mut command = reseed(endpoint, folder);
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
    ] {
        command.env_remove(name);
    }
    command
        .env("AWS_CONFIG_FILE", &file)
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("HOME", folder)
        // Nobody answers there, as on a laptop.
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    command
}

#[test]
fn missing_credentials_are_told_with_what_was_tried() {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let parts = [
        "no credentials",
        "environment",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
    ];
    let stderr = refused(&mut bare(&endpoint, folder.path(), ""), &[2], &parts);
    // The SDK's own list has a line for each; here it is one.
    assert!(!stderr.contains("\\n"), "{stderr}");
    assert!(
        stderr.contains("Attempted: Environment:") && stderr.contains("; Profile:"),
        "{stderr}"
    );
    let mut command = bare(&endpoint, folder.path(), "");
    command
        .env_remove("AWS_REGION")
        .env_remove("AWS_ENDPOINT_URL");
    refused(&mut command, &[2], &["no region is set", "AWS_REGION"]);
}

/// Something at the metadata service's address that answers what a proxy may; how often it was asked.
fn no_metadata() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let url = answering("503 Service Unavailable", move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        String::new()
    });
    (url, asked)
}

/// The SDK by itself would ask each time four times, with pauses. (One that keeps silent it asks once.)
#[test]
fn a_metadata_service_that_is_none_is_not_asked_again_and_again() {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let name = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

    let (metadata, asked) = no_metadata();
    let mut command = bare(&endpoint, folder.path(), "");
    refused(command.env(name, metadata), &[2], &["no credentials"]);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "for credentials");

    let (metadata, asked) = no_metadata();
    let mut command = bare(&endpoint, folder.path(), "");
    command
        .env_remove("AWS_REGION")
        .env_remove("AWS_ENDPOINT_URL");
    refused(command.env(name, metadata), &[2], &["no region is set"]);
    let asked = asked.load(Ordering::SeqCst);
    // The SDK asks once more for itself, with a client of its own.
    assert!((1..8).contains(&asked), "{asked} times for the region");
}

#[test]
fn a_metadata_service_that_keeps_silent_is_given_up() {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let mut command = bare(&endpoint, folder.path(), "");
    command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", address);
    refused(&mut command, &[2], &["no credentials"]);
}

#[test]
fn a_credential_process_is_asked() {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("credentials.sh");
    let answer = r#"{"Version":1,"AccessKeyId":"fromprocess","SecretAccessKey":"s"}"#;
    std::fs::write(&script, format!("echo '{answer}'\n")).unwrap();
    let profile = format!(
        "[profile work]\ncredential_process = sh {}\n",
        script.display()
    );
    let mut command = bare(&endpoint, folder.path(), &profile);
    let end = End::of(command.env("AWS_PROFILE", "work")).with(0);
    assert_eq!(end.stdout.lines().count(), 100);

    std::fs::write(&script, "echo 'the vault is locked' >&2; exit 1\n").unwrap();
    let mut command = bare(&endpoint, folder.path(), &profile);
    command.env("AWS_PROFILE", "work");
    refused(&mut command, &[2], &["credential_process", "\"work\""]);
}

#[test]
fn a_profile_that_signs_in_says_how() {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let profile = "[profile people]\nsso_session = us\nsso_account_id = 123456789012\n\
        sso_role_name = Reader\n[sso-session us]\nsso_region = eu-west-1\n\
        sso_start_url = https://example.awsapps.com/start\n";
    let mut command = bare(&endpoint, folder.path(), profile);
    command.env("AWS_PROFILE", "people");
    let parts = ["no credentials", "aws sso login --profile people"];
    let stderr = refused(&mut command, &[2], &parts);
    // Built without it, the SDK says so.
    assert!(!stderr.contains("cargo feature"), "{stderr}");
}

/// Nothing a passing fault does in mid-job is taken for a wrong address.
#[test]
fn a_job_that_has_worked_survives_throttling() {
    let endpoint = serve(Shape::Hashed, 5_000, |load| {
        load.most_lists = 1;
        load.list_latency = Duration::from_millis(5);
    });
    let folder = tempfile::tempdir().unwrap();
    run(&endpoint, folder.path(), "--bucket b --out events").with(0);
}
