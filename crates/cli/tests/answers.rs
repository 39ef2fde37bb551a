//! What is answered on standard output arrives, or the program says that it did not; and what is
//! refused at the door.

mod common;

use std::fs::File;
use std::process::Command;

use bridge_sim::load::shape::Shape;
use common::{End, answering, command, job_of, program, run, serve};

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
        (
            &empty,
            format!("redrive --from {from} --to {empty}/1/events"),
        ),
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
        let end = End::of(command.stdout(full))
            .with(1)
            .says(&["standard output", "No space left on device"]);
        if command.get_args().any(|argument| argument == "--json") {
            end.says(&["\"phase\":\"done\""]); // or it would be lost
        }
    }
}

#[test]
fn an_answer_that_nobody_waits_for_is_no_failure() {
    for (_folder, mut command) in answers() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let end = End::of(command.stdout(writer)).with(0);
        assert!(!end.stderr.contains("error"), "{end:?}");
    }
}

#[test]
fn what_cannot_be_a_bucket_is_refused_at_the_door() {
    let folder = tempfile::tempdir().unwrap();
    let long = "a".repeat(256);
    for name in ["s3://b", "a/b", "", "a b", "arn:aws:s3:::b", &long] {
        let arguments = ["reseed", "--bucket", name, "--dry-run"];
        End::of(&mut command(
            "http://127.0.0.1:1",
            folder.path(),
            &arguments,
        ))
        .with(2)
        .says(&[&format!("--bucket: found \"{name}\""), "own name"]);
    }
    let made = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(made, 0, "not even a state directory");
}

#[test]
fn standard_output_is_not_this_programs_to_append_to_or_to_overwrite() {
    let folder = tempfile::tempdir().unwrap();
    for out in ["-", "/dev/stdout"] {
        for option in ["--append", "--overwrite"] {
            let line = format!("--bucket b --out {out} {option}");
            run("http://127.0.0.1:1", folder.path(), &line)
                .with(2)
                .says(&[option, "standard output", "name a file"]);
        }
    }
    assert!(job_of(folder.path()).is_none());
}

#[test]
fn a_job_behind_a_closed_pipe_goes_on_as_it_says() {
    let endpoint = serve(Shape::Hashed, 20_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let child = program(&endpoint, folder.path(), "--bucket b --out -")
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
    let end = End::wait(child).with(3);
    let line = end.stderr.lines().last().unwrap();
    let words: Vec<&str> = line
        .split("s3-sqs-bridge ")
        .last()
        .unwrap()
        .split(' ')
        .collect();
    assert!(line.contains("closed by its reader"), "{line}");
    assert!(line.contains(&job_of(folder.path()).unwrap()), "{line}");
    let rest = End::of(&mut command(&endpoint, folder.path(), &words)).with(0);
    let lines = rest.stdout.lines().count();
    assert!(lines < 20_000, "it does not begin again");
    let last = rest.stdout.lines().last().unwrap();
    assert!(last.contains("\"sequence\":20000"), "{last}");
}
