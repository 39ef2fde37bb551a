//! What is answered on standard output arrives, or the program says that it did not; and what is
//! refused at the door.

mod common;

use std::fs::File;
use std::process::{Command, Stdio};

use bridge_sim::load::shape::Shape;
use common::{answering, command, job_of, program, run, serve, text};

/// Commands that answer on standard output, each in a folder of its own.
fn answers() -> Vec<(tempfile::TempDir, Command)> {
    let endpoint = serve(Shape::Hashed, 100, |_| {});
    let empty = answering("200 OK", |_, _| {
        r#"{"Attributes":{"ApproximateNumberOfMessagesNotVisible":"0"}}"#.to_owned()
    });
    let from = format!("{empty}/1/dead-letters");
    [
        (&endpoint, "reseed --bucket b --dry-run".to_owned()),
        (&endpoint, "reseed --bucket b --dry-run --json".to_owned()),
        (
            &endpoint,
            "reseed --bucket b --out events --json".to_owned(),
        ),
        (&empty, format!("redrive --from {from} --to {from}")),
        (&endpoint, "--help".to_owned()),
        (&endpoint, "reseed --help".to_owned()),
        (&endpoint, "--version".to_owned()),
    ]
    .into_iter()
    .map(|(endpoint, line)| {
        let folder = tempfile::tempdir().unwrap();
        let arguments: Vec<&str> = line.split(' ').collect();
        let command = command(endpoint, folder.path(), &arguments);
        (folder, command)
    })
    .collect()
}

#[test]
fn an_answer_that_a_full_disk_does_not_take_is_a_failure() {
    for (_folder, mut command) in answers() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {stderr}");
        for part in ["standard output", "No space left on device"] {
            assert!(
                stderr.contains(part),
                "{command:?}: {part:?} is not in: {stderr}"
            );
        }
        if command.get_args().any(|argument| argument == "--json") {
            assert!(
                stderr.contains("\"phase\":\"done\""),
                "it is lost: {stderr}"
            );
        }
    }
}

#[test]
fn an_answer_that_nobody_waits_for_is_no_failure() {
    for (_folder, mut command) in answers() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command:?}: {stderr}");
        assert!(!stderr.contains("error"), "{command:?}: {stderr}");
    }
}

#[test]
fn what_cannot_be_a_bucket_is_refused_at_the_door() {
    let folder = tempfile::tempdir().unwrap();
    let long = "a".repeat(256);
    for name in ["s3://b", "a/b", "", "a b", "arn:aws:s3:::b", &long] {
        let output = run(
            "http://127.0.0.1:1",
            folder.path(),
            &["--bucket", name, "--dry-run"],
        );
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
        for part in [&format!("--bucket: found \"{name}\""), "own name"] {
            assert!(stderr.contains(part), "{part:?} is not in: {stderr}");
        }
    }
    let made = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(made, 0, "not even a state directory");
}

#[test]
fn standard_output_is_not_this_programs_to_append_to_or_to_overwrite() {
    let folder = tempfile::tempdir().unwrap();
    for out in ["-", "/dev/stdout"] {
        for option in ["--append", "--overwrite"] {
            let arguments = ["--bucket", "b", "--out", out, option];
            let output = run("http://127.0.0.1:1", folder.path(), &arguments);
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{stderr}");
            for part in [option, "standard output", "name a file"] {
                assert!(stderr.contains(part), "{part:?} is not in: {stderr}");
            }
        }
    }
    assert!(job_of(folder.path()).is_none());
}

#[test]
fn a_job_behind_a_closed_pipe_goes_on_as_it_says() {
    let endpoint = serve(Shape::Hashed, 20_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let child = program(&endpoint, folder.path(), &["--bucket", "b", "--out", "-"])
        .stdout(writer)
        .spawn()
        .unwrap();
    let first = {
        use std::io::BufRead as _;
        let lines = std::io::BufReader::new(reader).lines();
        lines.take(1).next().unwrap().unwrap()
    };
    assert!(
        first.contains("\"sequence\":1,") || first.contains("\"sequence\":1}"),
        "{first}"
    );
    let output = child.wait_with_output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let line = stderr.lines().last().unwrap();
    let words: Vec<&str> = line
        .split("s3-sqs-bridge ")
        .last()
        .unwrap()
        .split(' ')
        .collect();
    assert!(line.contains("closed by its reader"), "{stderr}");
    assert!(line.contains(&job_of(folder.path()).unwrap()), "{stderr}");
    let output = command(&endpoint, folder.path(), &words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let rest = text(&output.stdout);
    assert!(rest.lines().count() < 20_000, "it does not begin again");
    assert!(
        rest.lines().last().unwrap().contains("\"sequence\":20000"),
        "{stderr}"
    );
}
