//! `jobs list` with a reseed function that the test plays.

mod common;

use common::{End, answering, command};
use serde_json::{Value, json};

/// Tells jobs 9 to 0, three a page; one cannot be read.
fn play() -> String {
    answering("200 OK", |head, body| {
        assert!(head.contains("/functions/s-reseed/invocations"), "{head}");
        let request: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(request["action"], "list");
        let after = request["next"].as_str().map_or(10, |n| n.parse().unwrap());
        let page: Vec<i32> = (0..after).rev().take(3).collect();
        let jobs = page
            .iter()
            .map(|n| json!({ "jobId": n.to_string(), "phase": "done" }));
        let mut answer = json!({ "jobs": jobs.collect::<Vec<_>>(), "unreadable": [] });
        match page.last() {
            Some(last) if *last > 0 => answer["next"] = json!(last.to_string()),
            _ => answer["unreadable"] = json!(["job \u{1b}x cannot be read"]),
        }
        answer.to_string()
    })
}

fn list(url: &str, more: &[&str]) -> End {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["jobs", "list", "--stack", "s"], more].concat();
    End::of(&mut command(url, folder.path(), &arguments))
}

#[test]
fn every_page_is_asked_for_and_each_job_written_once() {
    let url = play();
    // What could not be read is reported, and is no success.
    let end = list(&url, &[])
        .with(1)
        .says(&["job \\u{1b}x cannot be read"]);
    let ids: Vec<_> = end
        .stdout
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(ids, ["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]);
    let end = list(&url, &["--json"]);
    let first: Value = serde_json::from_str(end.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["jobId"], "9");
}

#[test]
fn a_page_that_comes_again_ends_it() {
    let url = answering("200 OK", |_, _| {
        json!({ "jobs": [], "unreadable": [], "next": "5" }).to_string()
    });
    list(&url, &[]).with(1).says(&["the same page twice"]);
}
