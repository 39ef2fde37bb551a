//! The program on a machine that sleeps, and behind a reader that does: longer than its lease lasts.

mod common;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use bridge_sim::load::shape::Shape;
use common::{program, serve, text};
use serde_json::Value;

/// The lease is a minute.
const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(70);

/// The numbers of the events, which may come again.
fn sequences(lines: &str) -> BTreeSet<u64> {
    let number = |line| serde_json::from_str::<Value>(line).unwrap()["sequence"].as_u64();
    lines.lines().filter_map(number).collect()
}

#[test]
fn a_process_that_was_suspended_goes_on_to_the_end() {
    let endpoint = serve(Shape::HotPrefix, 2_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--bucket", "b", "--out", "events", "--max-rate", "500"];
    let child = program(&endpoint, folder.path(), &arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = folder.path().join("events");
    while std::fs::metadata(&out).map_or(0, |found| found.len()) == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let signal = |name: &str| {
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    };
    signal("-STOP");
    std::thread::sleep(LONGER_THAN_A_LEASE);
    signal("-CONT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found = sequences(&std::fs::read_to_string(out).unwrap());
    assert!(found.into_iter().eq(1..=2_000));
}

#[test]
fn a_reader_that_pauses_gets_everything_also_on_one_processor() {
    let endpoint = serve(Shape::HotPrefix, 5_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let whole = program(&endpoint, folder.path(), &["--bucket", "b", "--out", "-"]);
    let mut command = Command::new("taskset");
    command
        .args(["-c", "0"])
        .arg(whole.get_program())
        .args(whole.get_args());
    command.current_dir(folder.path());
    for (name, value) in whole.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    std::thread::sleep(LONGER_THAN_A_LEASE);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(sequences(&text(&output.stdout)).into_iter().eq(1..=5_000));
}
