//! `verify` itself: a copy made by `reseed` is right, and what is done to it is told.

#[path = "../common/mod.rs"]
mod common;
mod healing;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bridge_sim::load::shape::Shape;
use common::{End, command, run, serve, signal};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// A bucket of 3,000 versions, and its copy.
fn copy(folder: &Path, options: &str) -> (String, Vec<String>) {
    let endpoint = serve(Shape::NonAscii, 3_000, |_| {});
    run(
        &endpoint,
        folder,
        &format!("--bucket b --out copy {options}"),
    )
    .with(0);
    let text = std::fs::read_to_string(folder.join("copy")).unwrap();
    (endpoint, text.lines().map(str::to_owned).collect())
}

/// `s3-sqs-bridge verify --bucket b` with the words of a line.
fn program(endpoint: &str, folder: &Path, line: &str) -> Command {
    let words = "verify --bucket b "
        .chars()
        .chain(line.chars())
        .collect::<String>();
    let words: Vec<&str> = words.split_whitespace().collect();
    command(endpoint, folder, &words)
}

fn verify(endpoint: &str, folder: &Path, line: &str) -> End {
    End::of(&mut program(endpoint, folder, line))
}

fn write(folder: &Path, lines: &[String]) {
    std::fs::write(folder.join("copy"), lines.join("\n")).unwrap();
}

#[test]
fn a_copy_is_right_plain_packed_and_piped() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, lines) = copy(folder.path(), "");
    let plain = verify(&endpoint, folder.path(), "--events copy --json")
        .with(0)
        .json();
    assert_eq!(plain["compared"], 3_000);
    for kind in ["missing", "unknown", "repeated", "outOfOrder", "changed"] {
        assert_eq!(
            (
                &plain[kind],
                plain["examples"][kind].as_array().unwrap().len()
            ),
            (&0.into(), 0)
        );
    }
    let file = std::fs::File::create(folder.path().join("copy.gz")).unwrap();
    let mut packed = GzEncoder::new(file, Compression::fast());
    // In another order across keys: the digest is the same.
    let shuffled: Vec<_> = lines
        .iter()
        .filter(|line| !line.contains("\"isLatest\":true"))
        .collect();
    let latest: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("\"isLatest\":true"))
        .collect();
    for line in shuffled.into_iter().chain(latest) {
        writeln!(packed, "{line}").unwrap();
    }
    packed.finish().unwrap();
    let packed = verify(&endpoint, folder.path(), "--events copy.gz --json")
        .with(0)
        .json();
    assert_eq!(packed["digest"], plain["digest"]);

    let mut child = program(
        &endpoint,
        folder.path(),
        "--events - --state work --memory 16",
    );
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.join("\n").as_bytes()).unwrap();
    drop(stdin);
    let digest = plain["digest"].as_str().unwrap().to_owned();
    End::wait(child)
        .with(0)
        .answers(&["right: 3,000 of 3,000 versions", &digest]);
    let left = std::fs::read_dir(folder.path().join("work"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "temporary files are left");
}

#[test]
fn a_copy_of_notifications_and_a_part_of_a_bucket_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let filter = "--from 2023-03-01T00:00:00Z --until 2024-03-01T00:00:00Z";
    let reseed = format!("{filter} --events created --format s3");
    let (endpoint, lines) = copy(folder.path(), &reseed);
    assert!((500..2_500).contains(&lines.len()), "{}", lines.len());
    let same = format!("--events copy --kinds created {filter}");
    verify(&endpoint, folder.path(), &same)
        .with(0)
        .answers(&["right: "]);
    verify(&endpoint, folder.path(), "--events copy")
        .with(1)
        .answers(&["WRONG", "missing", "… and "]);
}

#[test]
fn the_present_state_alone_is_compared_as_reseed_sends_it() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, _) = copy(folder.path(), "--current-only");
    verify(&endpoint, folder.path(), "--events copy --current-only").with(0);
    verify(&endpoint, folder.path(), "--events copy").with(1);
}

#[test]
fn everything_wrong_is_named_by_line_key_and_version() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, mut lines) = copy(folder.path(), "");
    let told = |line: &str| -> (String, String) {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("key"), text("versionId"))
    };
    let missing = told(&lines.remove(1_000));
    let changed = told(&lines[500]);
    lines[500] = lines[500].replace("\"eventTime\":\"20", "\"eventTime\":\"19");
    let mut unknown: Value = serde_json::from_str(&lines[10]).unwrap();
    unknown["versionId"] = "made-up".into();
    lines.push(unknown.to_string());
    lines.push(lines[20].clone());
    lines.push("{\"eventId\":".to_owned());
    write(folder.path(), &lines);
    let line = "--events copy --json --findings findings";
    let found = verify(&endpoint, folder.path(), line).with(1).json();
    let example = |kind: &str| -> (String, String) {
        let first = &found["examples"][kind][0];
        let text = |name: &str| first[name].as_str().unwrap_or_default().to_owned();
        (text("key"), text("versionId"))
    };
    assert_eq!(
        (&found["missing"], example("missing")),
        (&1.into(), missing)
    );
    assert_eq!(
        (&found["changed"], example("changed")),
        (&1.into(), changed)
    );
    assert_eq!(
        found["examples"]["changed"][0]["differences"][0]["fact"],
        "eventTime"
    );
    assert_eq!(example("unknown").1, "made-up");
    assert_eq!(found["examples"]["repeated"][0]["otherLine"], 21);
    assert_eq!(found["examples"]["unreadable"][0]["line"], lines.len());
    assert_eq!(found["right"], false);
    let findings = std::fs::read_to_string(folder.path().join("findings")).unwrap();
    assert_eq!(findings.lines().count(), 5);
}

#[test]
fn repetitions_are_lawful_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, mut lines) = copy(folder.path(), "");
    lines.push(lines[7].clone());
    write(folder.path(), &lines);
    verify(&endpoint, folder.path(), "--events copy")
        .with(0)
        .answers(&["at least once", "first in line 8"]);
    verify(&endpoint, folder.path(), "--events copy --exactly-once").with(1);
}

#[test]
fn a_plan_is_compared_with_instead_of_the_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let (_, lines) = copy(folder.path(), "");
    let job = common::job_of(folder.path()).unwrap();
    let jobs = folder.path().join(".s3-sqs-bridge/jobs").join(&job);
    let manifests = std::fs::read_dir(&jobs)
        .unwrap()
        .map(|file| file.unwrap().path());
    let manifests = manifests.filter(|path| path.to_string_lossy().contains("manifest-"));
    let manifest = manifests.max().unwrap().display().to_string();
    let nowhere = "http://127.0.0.1:9";
    let line = |bucket: &str| format!("verify --plan {manifest} --events copy{bucket}");
    let of = |line: &str| {
        End::of(&mut command(
            nowhere,
            folder.path(),
            &line.split(' ').collect::<Vec<_>>(),
        ))
    };
    of(&line("")).with(0).answers(&["right: 3,000 of 3,000"]);
    of(&line(" --bucket other"))
        .with(2)
        .says(&["it is of bucket \"b\""]);
    write(folder.path(), &lines[1..]);
    of(&line("")).with(1).answers(&["1  missing"]);
    // The plan is not this program's to remove.
    of(&line("")).with(1);
}

#[test]
fn what_cannot_be_compared_is_told_before_anything_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    for (line, code, parts) in [
        (
            "--events nothing-there",
            2,
            ["--events: ", "there is no file nothing-there"],
        ),
        (
            "--events .",
            2,
            ["--events: . is a directory", "not a file"],
        ),
        ("--events - --from yesterday", 2, ["--from", "yesterday"]),
        (
            "--events - --from 2024-06-01T00:00:00Z --until 2024-01-01T00:00:00Z",
            2,
            ["--from: found 2024-06-01", "before until (2024-01-01"],
        ),
        (
            "--events - --from 2024-01-01T00:00:00Z --until 2024-01-01T00:00:00Z",
            2,
            ["--from: found 2024-01-01", "before until"],
        ),
        (
            "--events - --from 2999-01-01T00:00:00Z",
            2,
            ["--from: found 2999-01-01", "before until"],
        ),
        (
            "--events - --state /dev/null/x",
            2,
            ["/dev/null is a file", "--state"],
        ),
    ] {
        verify("http://127.0.0.1:9", folder.path(), line)
            .with(code)
            .says(&parts);
    }
    let words = ["verify", "--events", "-"];
    End::of(&mut command("http://127.0.0.1:9", folder.path(), &words))
        .with(2)
        .says(&["--bucket", "--plan"]);
}

#[test]
fn what_stops_it_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, lines) = copy(folder.path(), "");
    let state = folder.path().join("work");
    for (name, text) in [
        ("-INT", ""),
        ("-TERM", ""),
        ("-INT", &*lines[0]),
        ("-TERM", &*lines[0]),
    ] {
        let mut child = program(&endpoint, folder.path(), "--events - --state work");
        let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        while std::fs::read_dir(&state).map_or(0, Iterator::count) == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        signal(&child, name);
        End::wait(child)
            .with(3)
            .says(&["interrupted", "run it again"]);
        drop(stdin);
        assert_eq!(
            std::fs::read_dir(&state).unwrap().count(),
            0,
            "{name} {text:?}"
        );
    }
}

#[test]
fn odd_files_are_told_and_harm_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, lines) = copy(folder.path(), "");
    let path = folder.path().join("copy");
    // A byte order mark, ends of lines as Windows has them, and empty lines.
    let odd = format!("\u{feff}{}\r\n\r\n", lines.join("\r\n"));
    std::fs::write(&path, odd).unwrap();
    verify(&endpoint, folder.path(), "--events copy").with(0);
    // No UTF-8, and a line longer than any message.
    let long = vec![b'x'; 65 << 20];
    let harmed = [b"\xff\xfe\n", &long[..], b"\n", lines.join("\n").as_bytes()].concat();
    std::fs::write(&path, harmed).unwrap();
    let found = verify(&endpoint, folder.path(), "--events copy --json")
        .with(1)
        .json();
    assert_eq!(
        (&found["unreadable"], &found["missing"]),
        (&2.into(), &0.into())
    );
}

#[test]
fn what_was_interrupted_can_be_run_again_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, lines) = copy(folder.path(), "");
    let line = "--events - --findings findings --state work";
    let mut child = program(&endpoint, folder.path(), line);
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines[0].as_bytes()).unwrap();
    // Once its folder for temporary files is there, the file of findings is made.
    let work = folder.path().join("work");
    while std::fs::read_dir(&work).map_or(0, Iterator::count) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, "-INT");
    End::wait(child)
        .with(3)
        .says(&["nothing was changed", "run it again"]);
    drop(stdin);
    let line = "--events copy --findings findings --state work";
    verify(&endpoint, folder.path(), line).with(0);
    assert!(folder.path().join("findings").exists());
    // What is whole is left.
    let again = verify(&endpoint, folder.path(), line).with(2);
    again.says(&["--findings: findings exists", "name a new file"]);
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names = names.map(|name| name.unwrap().file_name());
    let unfinished = |name: &std::ffi::OsString| name.to_string_lossy().contains("unfinished");
    assert_eq!(names.filter(unfinished).count(), 0);
}
