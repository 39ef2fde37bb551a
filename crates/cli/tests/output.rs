//! Which files the program writes to, what it leaves alone, and how it says that it cannot write.

mod common;

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bridge_sim::load::shape::Shape;
use common::{job_of, program, run, serve, text};

const BEFORE: &str = "theirs\nand half a li";

fn small() -> (String, tempfile::TempDir) {
    (
        serve(Shape::Hashed, 500, |_| {}),
        tempfile::tempdir().unwrap(),
    )
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_file_of_anothers_is_byte_for_byte_as_it_was() {
    let (endpoint, folder) = small();
    for content in [BEFORE, "theirs\n", ""] {
        let path = write(folder.path(), "events", content);
        for (arguments, code) in [
            (vec!["--bucket", "b", "--out", "events"], 2),
            (vec!["--bucket", "b", "--out", "events", "--dry-run"], 0),
            (
                vec![
                    "--bucket",
                    "b",
                    "--out",
                    "events",
                    "--dry-run",
                    "--overwrite",
                ],
                0,
            ),
            (
                vec![
                    "--bucket",
                    "b",
                    "--out",
                    "events",
                    "--overwrite",
                    "--from",
                    "2025-01-01T00:00:00Z",
                    "--until",
                    "2024-01-01T00:00:00Z",
                ],
                2,
            ),
        ] {
            let output = run(&endpoint, folder.path(), &arguments);
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
            assert_eq!(read(&path), content, "{arguments:?}");
            if arguments.len() == 4 {
                assert!(stderr.contains("--append or --overwrite"), "{stderr}");
            }
        }
    }
    // Refused before anything: no server was needed, and no job was made.
    let fresh = tempfile::tempdir().unwrap();
    write(fresh.path(), "events", BEFORE);
    let output = run(
        "http://127.0.0.1:1",
        fresh.path(),
        &["--bucket", "b", "--out", "events"],
    );
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(job_of(fresh.path()).is_none());
}

#[test]
fn appending_and_overwriting_are_done_when_asked_for() {
    let (endpoint, folder) = small();
    let path = write(folder.path(), "events", "theirs\n");
    let append = ["--bucket", "b", "--out", "events", "--append"];
    let output = run(&endpoint, folder.path(), &append);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(read(&path).starts_with("theirs\n{"));
    assert_eq!(read(&path).lines().count(), 501);
    let overwrite = ["--bucket", "b", "--out", "events", "--overwrite"];
    let output = run(&endpoint, folder.path(), &overwrite);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(read(&path).lines().count(), 500);
    write(folder.path(), "events", BEFORE);
    let output = run(&endpoint, folder.path(), &append);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert_eq!(read(&path), BEFORE);
}

#[test]
fn links_pipes_and_folders_are_refused_and_standard_output_has_a_name() {
    let (endpoint, folder) = small();
    let precious = write(folder.path(), "precious", "theirs\n");
    std::os::unix::fs::symlink(&precious, folder.path().join("link")).unwrap();
    let made = Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    for (name, what) in [
        ("link", "symbolic link"),
        ("pipe", "named pipe"),
        (".", "directory"),
        ("missing/events", "No such file"),
    ] {
        let arguments = ["--bucket", "b", "--out", name, "--overwrite"];
        let output = run(&endpoint, folder.path(), &arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
        assert!(stderr.contains(what), "{name}: {stderr}");
    }
    assert_eq!(read(&precious), "theirs\n");
    let output = run(
        &endpoint,
        folder.path(),
        &["--bucket", "b", "--out", "/dev/stdout"],
    );
    assert_eq!(text(&output.stdout).lines().count(), 500);
    let output = run(
        &endpoint,
        folder.path(),
        &["--bucket", "b", "--out", "/dev/null"],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A job that has been stopped in the middle, and its id.
fn stopped(endpoint: &str, folder: &Path) -> String {
    let arguments = ["--bucket", "b", "--out", "events", "--max-rate", "200"];
    let child = program(endpoint, folder, &arguments).spawn().unwrap();
    while std::fs::metadata(folder.join("events")).map_or(0, |m| m.len()) == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    job_of(folder).unwrap()
}

#[test]
fn a_resume_refuses_a_file_that_somebody_changed() {
    let (endpoint, folder) = small();
    let job = stopped(&endpoint, folder.path());
    let path = folder.path().join("events");
    let ours = read(&path);
    write(folder.path(), "events", &format!("{ours}half a li"));
    let output = run(&endpoint, folder.path(), &["--resume", &job]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("is not as job"), "{stderr}");
    assert_eq!(read(&path), format!("{ours}half a li"));
    write(folder.path(), "events", &ours);
    let output = run(&endpoint, folder.path(), &["--resume", &job]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(read(&path).lines().count(), 500);
}

#[test]
fn a_job_file_cannot_lead_out_of_its_folder() {
    let (endpoint, folder) = small();
    let job = stopped(&endpoint, folder.path());
    let precious = write(folder.path(), "precious", "theirs\n");
    let file = folder
        .path()
        .join(".s3-sqs-bridge/jobs")
        .join(&job)
        .join("job.json");
    let good = read(&file);
    let mut state: serde_json::Value = serde_json::from_str(&good).unwrap();
    let manifest = state["manifest"].as_str().unwrap().to_owned();
    for (field, value, part) in [
        (
            "/options/queueUrl",
            format!("file:{}", precious.display()),
            "is not as job",
        ),
        ("/manifest", "../../precious".to_owned(), "is not below"),
        (
            "/manifest",
            manifest.replace(&job, "20240501-other-1"),
            "is not below",
        ),
        ("/jobId", "../../x".to_owned(), "its file is of job"),
    ] {
        let before = state.pointer(field).unwrap().clone();
        *state.pointer_mut(field).unwrap() = value.into();
        std::fs::write(&file, state.to_string()).unwrap();
        let output = run(&endpoint, folder.path(), &["--resume", &job]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{field}: {error}");
        assert!(error.contains(part), "{field}: {error}");
        *state.pointer_mut(field).unwrap() = before;
    }
    assert_eq!(read(&precious), "theirs\n");
    for id in ["../../x", "../jobs/x", "/etc", ".", ""] {
        let output = run(&endpoint, folder.path(), &["--resume", id]);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{id:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_lock_that_is_a_link_costs_its_target_nothing() {
    let (endpoint, folder) = small();
    let precious = write(folder.path(), "precious", "theirs\n");
    std::fs::create_dir(folder.path().join(".s3-sqs-bridge")).unwrap();
    std::os::unix::fs::symlink(&precious, folder.path().join(".s3-sqs-bridge/lock")).unwrap();
    let output = run(&endpoint, folder.path(), &["--bucket", "b", "--dry-run"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert_eq!(read(&precious), "theirs\n");
}

#[test]
fn state_and_output_are_for_their_owner_only() {
    let (endpoint, folder) = small();
    let output = run(
        &endpoint,
        folder.path(),
        &["--bucket", "b", "--out", "events"],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut paths = vec![
        folder.path().join(".s3-sqs-bridge"),
        folder.path().join("events"),
    ];
    let mut seen = 0;
    while let Some(path) = paths.pop() {
        let found = std::fs::metadata(&path).unwrap();
        let expected = if found.is_dir() { 0o700 } else { 0o600 };
        let mode = found.permissions().mode() & 0o777;
        assert_eq!(mode, expected, "{}", path.display());
        seen += 1;
        if found.is_dir() {
            paths.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    assert!(seen > 6);
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let endpoint = serve(Shape::Hashed, 60_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let mut child = program(&endpoint, folder.path(), &["--bucket", "b", "--out", "-"])
        .spawn()
        .unwrap();
    let mut some = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap(); // and closes it
    let output = child.wait_with_output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let words: Vec<_> = stderr
        .lines()
        .filter(|line| !line.starts_with("job "))
        .collect();
    assert_eq!(words.len(), 1, "{stderr}");
    assert!(
        words[0].contains("--resume") && !stderr.contains("error"),
        "{stderr}"
    );
}

#[test]
fn a_full_disk_is_told_as_one_and_the_job_goes_on_when_there_is_room() {
    let (endpoint, folder) = small();
    for arguments in [
        vec!["--bucket", "b", "--out", "/dev/full"],
        vec!["--bucket", "b", "--out", "-"],
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = program(&endpoint, folder.path(), &arguments)
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("No space left on device"), "{stderr}");
        assert!(!stderr.contains("SQS"), "{stderr}");
        assert!(stderr.contains("--resume"), "{stderr}");
    }
    let job = job_of(folder.path()).unwrap();
    // Nobody hears it, and nothing panics.
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = program(&endpoint, folder.path(), &["--resume", &job])
        .stderr(full)
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
}
