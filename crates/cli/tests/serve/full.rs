//! A disk that takes nothing for a while.

use std::path::Path;
use std::process::Command;

use crate::common::command;
use crate::process::{Serving, notification, services, wait_until};

/// A process whose files may not be written beyond `bytes` from now on: as on a disk that is full.
fn limit_files(serving: &Serving, bytes: &str) {
    let pid = serving.child.id().to_string();
    let limit = format!("--fsize={bytes}:");
    let limited = Command::new("prlimit")
        .args(["--pid", &pid, &limit])
        .status();
    assert!(limited.unwrap().success());
}

/// It is told of a file that may not grow by an error, not by a signal that ends it.
fn start(endpoint: &str, folder: &Path) -> Serving {
    let mut shell = command(endpoint, folder, &[]);
    let program = shell.get_program().to_owned();
    let variables: Vec<_> = shell
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(program)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .current_dir(folder)
        .envs(variables)
        .stdout(std::process::Stdio::piped());
    Serving::of(shell, endpoint, &[("LIVE_ORDER", "newest")])
}

#[test]
fn a_disk_that_was_full_for_a_while_is_told_and_then_forgotten() {
    let (load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let serving = start(&endpoint, folder.path());
    let change = |version| notification("aws:s3", "a", version).to_string();
    assert_eq!(serving.post(&change(1)).0, 200);
    assert_eq!(serving.get("/readyz").0, 200);

    limit_files(&serving, "1");
    // Before anybody has tried to write.
    wait_until("it says so", || serving.get("/readyz").0 == 503);
    let ready = serving.get("/readyz").1;
    assert!(ready.contains("live.redb"), "{ready}");
    let (status, answer) = serving.post(&change(2));
    assert_eq!(status, 503, "{answer}");
    assert_eq!(load.arrivals().messages, 1);

    limit_files(&serving, "unlimited");
    wait_until("it goes on", || serving.post(&change(2)).0 == 200);
    wait_until("it says so", || serving.get("/readyz").0 == 200);
    // What was written before is known.
    let (status, answer) = serving.post(&change(1));
    assert_eq!((status, &answer["late"]), (200, &1.into()), "{answer}");
    assert_eq!(load.arrivals().events.len(), 2);
    assert_eq!(serving.end(), Some(0));
}
