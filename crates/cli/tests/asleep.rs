//! The program on a machine that sleeps, and behind a reader that does: longer than its lease lasts.

mod common;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use bridge_sim::load::shape::Shape;
use common::{End, program, serve, signal, start};
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
    let out = folder.path().join("events");
    let line = "--bucket b --out events --max-rate 500";
    let child = start(&mut program(&endpoint, folder.path(), line), &out);
    signal(&child, "-STOP");
    std::thread::sleep(LONGER_THAN_A_LEASE);
    signal(&child, "-CONT");
    End::wait(child).with(0);
    let found = sequences(&std::fs::read_to_string(out).unwrap());
    assert!(found.into_iter().eq(1..=2_000));
}

#[test]
fn a_reader_that_pauses_gets_everything_also_on_one_processor() {
    let endpoint = serve(Shape::HotPrefix, 5_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let whole = program(&endpoint, folder.path(), "--bucket b --out -");
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
    let end = End::wait(child).with(0);
    assert!(sequences(&end.stdout).into_iter().eq(1..=5_000));
}
