//! Which files the program writes to, what it leaves alone, and how it says that it cannot write.

mod common;

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bridge_sim::load::shape::Shape;
use common::{End, command, job_of, program, run, serve, shell, signal, start};

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
        for (more, code, part) in [
            ("", 2, "--append or --overwrite"),
            ("--dry-run", 0, ""),
            ("--dry-run --overwrite", 0, ""),
            (
                "--overwrite --from 2025-01-01T00:00:00Z --until 2024-01-01T00:00:00Z",
                2,
                "",
            ),
        ] {
            let line = format!("--bucket b --out events {more}");
            let end = run(&endpoint, folder.path(), &line);
            end.with(code).says(&[part]);
            assert_eq!(read(&path), content, "{more}");
        }
    }
    // Refused before anything: no server was needed, and no job was made.
    let fresh = tempfile::tempdir().unwrap();
    write(fresh.path(), "events", BEFORE);
    let line = "--bucket b --out events";
    run("http://127.0.0.1:1", fresh.path(), line).with(2);
    assert!(job_of(fresh.path()).is_none());
}

#[test]
fn appending_and_overwriting_are_done_when_asked_for() {
    let (endpoint, folder) = small();
    let path = write(folder.path(), "events", "theirs\n");
    let append = "--bucket b --out events --append";
    run(&endpoint, folder.path(), append).with(0);
    assert!(read(&path).starts_with("theirs\n{"));
    assert_eq!(read(&path).lines().count(), 501);
    let overwrite = "--bucket b --out events --overwrite";
    run(&endpoint, folder.path(), overwrite).with(0);
    assert_eq!(read(&path).lines().count(), 500);
    write(folder.path(), "events", BEFORE);
    run(&endpoint, folder.path(), append).with(2);
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
        ("missing/events", "there is no folder "),
    ] {
        let line = format!("--bucket b --out {name} --overwrite");
        run(&endpoint, folder.path(), &line).with(2).says(&[what]);
    }
    assert_eq!(read(&precious), "theirs\n");
    let end = run(&endpoint, folder.path(), "--bucket b --out /dev/stdout");
    assert_eq!(end.stdout.lines().count(), 500);
    run(&endpoint, folder.path(), "--bucket b --out /dev/null").with(0);
}

#[test]
fn what_the_state_directory_keeps_is_no_file_for_events() {
    let (endpoint, folder) = small();
    for name in ["", "jobs/x", "lock", "live.redb", "removed", "removed/x"] {
        let line = format!("--bucket b --out .s3-sqs-bridge/{name}");
        run(&endpoint, folder.path(), &line)
            .with(2)
            .says(&["--out: ", "choose another"]);
    }
    run(
        &endpoint,
        folder.path(),
        "--bucket b --out .s3-sqs-bridge/events",
    )
    .with(0);
}

/// A job that has been stopped in the middle, and its id.
fn stopped(endpoint: &str, folder: &Path) -> String {
    let mut command = program(endpoint, folder, "--bucket b --out events --max-rate 200");
    let child = start(&mut command, &folder.join("events"));
    signal(&child, "-INT");
    End::wait(child).with(3);
    job_of(folder).unwrap()
}

#[test]
fn a_resume_refuses_a_file_that_somebody_changed() {
    let (endpoint, folder) = small();
    let job = stopped(&endpoint, folder.path());
    let path = folder.path().join("events");
    let ours = read(&path);
    write(folder.path(), "events", &format!("{ours}half a li"));
    let resume = format!("--resume {job}");
    run(&endpoint, folder.path(), &resume)
        .with(2)
        .says(&["is not as job"]);
    assert_eq!(read(&path), format!("{ours}half a li"));
    write(folder.path(), "events", &ours);
    run(&endpoint, folder.path(), &resume).with(0);
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
        let line = format!("--resume {job}");
        run(&endpoint, folder.path(), &line).with(2).says(&[part]);
        *state.pointer_mut(field).unwrap() = before;
    }
    assert_eq!(read(&precious), "theirs\n");
    for id in ["../../x", "../jobs/x", "/etc", ".", ""] {
        let arguments = ["reseed", "--resume", id];
        End::of(&mut command(&endpoint, folder.path(), &arguments)).with(2);
    }
}

#[test]
fn a_lock_that_is_a_link_costs_its_target_nothing() {
    let (endpoint, folder) = small();
    let precious = write(folder.path(), "precious", "theirs\n");
    std::fs::create_dir(folder.path().join(".s3-sqs-bridge")).unwrap();
    std::os::unix::fs::symlink(&precious, folder.path().join(".s3-sqs-bridge/lock")).unwrap();
    run(&endpoint, folder.path(), "--bucket b --dry-run").with(2);
    assert_eq!(read(&precious), "theirs\n");
}

#[test]
fn state_and_output_are_for_their_owner_only() {
    let (endpoint, folder) = small();
    run(&endpoint, folder.path(), "--bucket b --out events").with(0);
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
    let mut child = program(&endpoint, folder.path(), "--bucket b --out -")
        .spawn()
        .unwrap();
    let mut some = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap(); // and closes it
    let end = End::wait(child).with(3);
    let words: Vec<_> = end
        .stderr
        .lines()
        .filter(|line| !line.starts_with("job "))
        .collect();
    assert_eq!(words.len(), 1, "{end:?}");
    assert!(words[0].contains("--resume"), "{end:?}");
    assert!(!end.stderr.contains("error"), "{end:?}");
}

/// The file's and the state's disk are one: what is in the file behind the last checkpoint is not written down.
#[test]
fn a_disk_that_takes_no_checkpoint_either_is_told_with_what_the_last_one_knew() {
    let (endpoint, folder) = small();
    let line = "s3-sqs-bridge reseed --bucket b --out events --max-rate 50";
    let line = format!("trap '' XFSZ; exec {line}");
    let file = folder.path().join("events");
    let child = start(&mut shell(&endpoint, folder.path(), &line), &file);
    let pid = child.id().to_string();
    let mut limited = Command::new("prlimit");
    limited.args(["--pid", &pid, "--fsize=1:1"]);
    assert!(limited.status().unwrap().success());
    let end = End::wait(child).with(1);
    assert!(!read(&file).is_empty());
    end.says(&["File too large", "by the last checkpoint", "--resume"]);
}

#[test]
fn a_full_disk_is_told_as_one_and_the_job_goes_on_when_there_is_room() {
    let (endpoint, folder) = small();
    let full = || {
        let mut options = std::fs::File::options();
        options.write(true).open("/dev/full").unwrap()
    };
    for line in ["--bucket b --out /dev/full", "--bucket b --out -"] {
        let mut command = program(&endpoint, folder.path(), line);
        let end = End::of(command.stdout(full()))
            .with(1)
            .says(&["No space left on device", "--resume"]);
        assert!(!end.stderr.contains("SQS"), "{end:?}");
    }
    let job = job_of(folder.path()).unwrap();
    // Nobody hears it, and nothing panics.
    let mut command = program(&endpoint, folder.path(), &format!("--resume {job}"));
    let end = End::of(command.stderr(full()));
    assert!(matches!(end.code, Some(0 | 1)), "{end:?}");
}
