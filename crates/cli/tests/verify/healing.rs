//! What is missing is sent again, by `--heal`, and from what it is not.

use serde_json::Value;

use crate::common::{End, run};
use crate::{copy, program, verify, write};

#[test]
fn what_is_missing_is_sent_again_with_what_is_newer_of_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, mut lines) = copy(folder.path(), "");
    // Of two keys with two versions each, one lacks the newer, the other the older.
    let newer = lines
        .iter()
        .position(|line| line.contains("\"isLatest\":true"))
        .unwrap();
    lines.remove(newer);
    let older = lines
        .iter()
        .rposition(|line| line.contains("\"isLatest\":false"))
        .unwrap();
    lines.remove(older);
    write(folder.path(), &lines);
    let line = format!("--events copy --heal {endpoint}/1/load.fifo --state state");
    let end = verify(&endpoint, folder.path(), &line).with(1);
    end.answers(&["2  missing"])
        .says(&["healing 2 keys with 3 events"]);
    let mut stats = ureq::get(format!("{endpoint}/_load/stats")).call().unwrap();
    let stats: Value = serde_json::from_str(&stats.body_mut().read_to_string().unwrap()).unwrap();
    let found =
        ["messages", "distinct", "outOfOrder", "badRequests"].map(|name| stats[name].clone());
    assert_eq!(found, [3, 3, 0, 0].map(Value::from));

    // The whole copy needs no healing.
    run(&endpoint, folder.path(), "--bucket b --out whole").with(0);
    let line = line.replace("copy", "whole");
    verify(&endpoint, folder.path(), &line)
        .with(0)
        .says(&["nothing is missing"]);
}

/// What was sent to the load server's queue.
fn messages(endpoint: &str) -> Value {
    let mut stats = ureq::get(format!("{endpoint}/_load/stats")).call().unwrap();
    let stats: Value = serde_json::from_str(&stats.body_mut().read_to_string().unwrap()).unwrap();
    stats["messages"].clone()
}

/// Each of them would have the whole bucket sent again, or much of it.
#[test]
fn from_a_file_that_is_not_read_whole_nothing_is_healed() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, lines) = copy(folder.path(), "");
    let events = |lines: &[String]| -> Vec<Value> {
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let pretty: Vec<_> = events(&lines[..100])
        .iter()
        .map(|event| format!("{event:#}"))
        .collect();
    let elsewhere = lines[..100]
        .join("\n")
        .replace("\"bucket\":\"b\"", "\"bucket\":\"c\"");
    let mut cut = lines[..2_000].join("\n");
    cut.truncate(cut.len() - 20);
    for (text, parts) in [
        (String::new(), ["is empty", "reseed"]),
        (
            "<!doctype html>\n<p>a page\n".to_owned(),
            ["no line of got is an event", "reseed"],
        ),
        (pretty.join("\n"), ["no line of got is an event", "jq -c"]),
        (elsewhere, ["no event of got is of bucket b", "reseed"]),
        (cut, ["1 part unreadable, first in line 2,000", "cut off"]),
    ] {
        std::fs::write(folder.path().join("got"), text).unwrap();
        let healing = format!("--events got --heal {endpoint}/1/load.fifo --state state");
        let end = verify(&endpoint, folder.path(), &healing)
            .with(1)
            .says(&parts);
        assert!(end.stderr.contains("Nothing was sent"), "{}", end.stderr);
        assert!(!end.stderr.contains("healing"), "{}", end.stderr);
        assert_eq!(messages(&endpoint), 0, "{}", end.stderr);
        let end = verify(&endpoint, folder.path(), "--events got")
            .with(1)
            .says(&parts);
        assert!(!end.stderr.contains("--heal QUEUE_URL"), "{}", end.stderr);
        assert!(!folder.path().join("state/jobs").exists(), "a job was made");
    }
}

#[test]
fn the_end_is_one_json_object_also_where_something_is_healed() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, mut lines) = copy(folder.path(), "");
    lines.pop();
    write(folder.path(), &lines);
    let line = format!("--events copy --heal {endpoint}/1/load.fifo --state state --json");
    let end = verify(&endpoint, folder.path(), &line).with(1);
    let told: Result<Value, _> = serde_json::from_str(&end.stdout);
    assert_eq!(told.unwrap()["missing"], 1, "{}", end.stdout);
    end.says(&["healing 1 key", "done: 1 event"]);
}

#[test]
fn a_state_directory_that_is_anothers_is_told_before_anything_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, lines) = copy(folder.path(), "");
    write(folder.path(), &lines[..lines.len() - 1]);
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let held = std::fs::File::create(state.join("lock")).unwrap();
    held.lock().unwrap();
    let line = format!("--events copy --heal {endpoint}/1/load.fifo --state state");
    let end = verify(&endpoint, folder.path(), &line).with(2);
    let end = end.says(&["another process works in"]);
    assert_eq!(end.stdout, "", "it was compared first");
}

#[test]
fn a_queue_that_is_not_there_is_told_before_anything_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, lines) = copy(folder.path(), "");
    write(folder.path(), &lines[..lines.len() - 1]);
    let line = "--events copy --heal http://127.0.0.1:9/1/load.fifo --state state";
    let mut command = program(&endpoint, folder.path(), line);
    let end = End::of(command.env("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9"));
    assert_ne!(end.code, Some(0));
    assert_eq!(end.stdout, "", "it was compared first");
    end.says(&["http://127.0.0.1:9"]);
}
