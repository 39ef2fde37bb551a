//! `--profile` and `--region`, as the AWS CLI has them; completions and the manual.

mod common;

use std::sync::{Arc, Mutex};

use common::{End, answering_with, command, stack};

/// Plays the stack `s` without jobs; keeps who asked, and for which region.
fn play() -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let url = answering_with(move |head, body| {
        let credential = head.split("Credential=").nth(1).unwrap_or_default();
        let credential: Vec<_> = credential.split('/').take(3).collect();
        kept.lock()
            .unwrap()
            .push(format!("{} {}", credential[0], credential[2]));
        match stack(body, &[("ReseedFunction", "f")], &[]) {
            Some((status, body)) => (status, String::new(), body),
            None => (
                "200 OK",
                String::new(),
                r#"{"jobs":[],"unreadable":[]}"#.to_owned(),
            ),
        }
    });
    (url, asked)
}

#[test]
fn an_option_goes_before_the_environment_and_that_before_the_profile() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(
        &config,
        "[profile ops]\nregion = eu-north-1\naws_access_key_id = OPS\naws_secret_access_key = x\n",
    )
    .unwrap();
    for (line, region_is_set, expected) in [
        ("jobs list --stack s", true, "test eu-west-1"),
        ("jobs list --stack s --profile ops", true, "OPS eu-west-1"),
        ("--profile ops jobs list --stack s", false, "OPS eu-north-1"),
        (
            "jobs list --stack s --profile ops --region us-east-2",
            true,
            "OPS us-east-2",
        ),
    ] {
        let (url, asked) = play();
        let words: Vec<_> = line.split(' ').collect();
        let mut command = command(&url, folder.path(), &words);
        command.env("AWS_CONFIG_FILE", &config);
        if !region_is_set {
            command.env_remove("AWS_REGION");
        }
        End::of(&mut command).with(0);
        let asked = asked.lock().unwrap();
        assert!(asked.iter().all(|who| who == expected), "{line}: {asked:?}");
    }
}

#[test]
fn a_profile_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["jobs", "list", "--stack", "s", "--profile", "nobody"];
    End::of(&mut command("http://127.0.0.1:1", folder.path(), &words))
        .with(2)
        .says(&["no credentials (tried profile \"nobody\")", "list-profiles"]);
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| End::of(&mut command("", folder.path(), words)).with(0);
    for shell in ["bash", "zsh", "fish"] {
        run(&["completions", shell]).answers(&["redrive", "jobs", "pause-above-depth"]);
    }
    run(&["man"]).answers(&[".TH s3-sqs-bridge 1", "reseed", "\\-\\-profile"]);
    run(&["man", "--out", "made/man1"]);
    let page = folder.path().join("made/man1/s3-sqs-bridge-jobs-watch.1");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("interval"), "{page}");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let below = ["man", "--out", "file/man1"];
    End::of(&mut command("", folder.path(), &below))
        .with(1)
        .says(&["into file/man1"]);
}

#[test]
fn the_manual_is_written_over_no_file_of_others_and_through_no_link() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    let write = || End::of(&mut command("", folder.path(), &["man", "--out", "m"]));
    std::fs::create_dir(of("m")).unwrap();
    std::fs::write(of("precious"), "somebody's").unwrap();
    std::os::unix::fs::symlink("../precious", of("m/s3-sqs-bridge.1")).unwrap();
    std::fs::write(of("m/s3-sqs-bridge-verify.1"), "a page of my own").unwrap();
    write()
        .with(2)
        .says(&["m/s3-sqs-bridge-verify.1 is there", "nothing was written"]);
    let there = std::fs::read_dir(of("m")).unwrap();
    assert_eq!(there.count(), 2);
    std::fs::remove_file(of("m/s3-sqs-bridge-verify.1")).unwrap();
    write().with(0);
    assert!(of("m/s3-sqs-bridge-verify.1").is_file());
    // One of another version is replaced.
    let page = std::fs::read_to_string(of("m/s3-sqs-bridge.1")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(page.contains(version), "{page}");
    std::fs::write(of("m/s3-sqs-bridge.1"), page.replace(version, "0.0.1")).unwrap();
    write().with(0);
    let again = std::fs::read_to_string(of("m/s3-sqs-bridge.1")).unwrap();
    assert_eq!(again, page);
    assert_eq!(std::fs::read(of("precious")).unwrap(), b"somebody's");
    assert!(
        of("m/s3-sqs-bridge.1")
            .symlink_metadata()
            .unwrap()
            .is_file()
    );
}

#[test]
fn every_command_shows_examples() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "reseed",
        "redrive",
        "jobs start",
        "jobs status",
        "jobs watch",
        "jobs pause",
        "jobs cancel",
        "verify",
        "jobs resume",
        "jobs list",
        "completions",
        "man",
        "doctor",
        "clean",
        "serve",
    ] {
        let words: Vec<_> = line.split(' ').chain(["--help"]).collect();
        let end = End::of(&mut command("", folder.path(), &words)).with(0);
        let shown = format!("  s3-sqs-bridge {line} ");
        assert!(end.stdout.contains(&shown), "{shown}: {}", end.stdout);
        assert!(!end.stdout.contains('\u{1b}'), "no colours: {}", end.stdout);
    }
}
