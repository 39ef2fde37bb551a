//! Jobs of one directory that `reseed` and `serve` leave to each other, whatever kills them.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use bridge_sim::load::server::Load;
use bridge_sim::load::shape::Shape;
use serde_json::{Value, json};

use crate::common::{End, command, job_of, program, run};
use crate::process::{EVENTS, Serving, TOKEN, serve, services, wait_until};

const EVENTS_OF_ALL: u64 = 3_000;

/// Of 600 keys, five versions each.
fn history(load: &mut Load) {
    load.bucket.shape = Shape::Hashed;
    load.bucket.versions = EVENTS_OF_ALL;
    load.bucket.per_key = 5;
}

/// The words that begin it slowly.
fn slowly(endpoint: &str) -> String {
    format!("--bucket ledger --queue-url {endpoint}{EVENTS} --max-rate 700")
}

/// Kills a process once so many events have come.
fn kill_behind(load: &Load, events: u64, mut process: Child) {
    wait_until("some are sent", || load.arrivals().distinct > events);
    process.kill().unwrap();
    process.wait().unwrap();
    let sent = load.arrivals().distinct;
    assert!(sent < EVENTS_OF_ALL, "it was too quick for this test");
}

fn file(folder: &Path, job: &str, name: &str) -> PathBuf {
    folder.join(format!(".s3-sqs-bridge/jobs/{job}/{name}"))
}

fn job(serving: &Serving, job: &str) -> Value {
    let (status, answer) = serving.get(&format!("/jobs/{job}"));
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

/// All of it came, each key's versions in their order.
fn assert_all_came(load: &Load) {
    let arrivals = load.arrivals();
    assert_eq!(arrivals.distinct, EVENTS_OF_ALL);
    assert_eq!((arrivals.overtaken, arrivals.bad_requests), (0, 0));
}

#[test]
fn serve_goes_on_with_a_killed_reseed_and_reseed_with_a_killed_serve() {
    let (load, endpoint) = services(|load| {
        history(load);
        load.list_latency = Duration::from_millis(700);
    });
    let folder = tempfile::tempdir().unwrap();
    // Before all is listed.
    let mut reseed = program(&endpoint, folder.path(), &slowly(&endpoint));
    let mut reseed = reseed.spawn().unwrap();
    wait_until("it has begun", || job_of(folder.path()).is_some());
    reseed.kill().unwrap();
    reseed.wait().unwrap();
    let id = job_of(folder.path()).unwrap();
    assert_eq!(load.arrivals().messages, 0);

    let serving = Serving::start(&endpoint, folder.path(), &[]);
    assert_eq!(job(&serving, &id).get("left"), None);
    kill_behind(&load, 500, serving.child);
    let resume = format!("--resume {id}");
    let reseed = program(&endpoint, folder.path(), &resume).spawn();
    kill_behind(&load, 1_200, reseed.unwrap());
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    kill_behind(&load, 1_900, serving.child);
    let end = run(&endpoint, folder.path(), &format!("{resume} --json"));
    assert_eq!(end.with(0).json()["checkpoint"], EVENTS_OF_ALL);
    assert_all_came(&load);

    // Nothing is left to do.
    let sent = load.arrivals().messages;
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    assert_eq!(job(&serving, &id)["phase"], "done");
    assert_eq!(serving.end(), Some(0));
    assert_eq!(load.arrivals().messages, sent);
}

#[test]
fn what_a_killed_reseed_parks_in_its_file_serve_parks_there_too() {
    let refused = [7, 2_500];
    let (load, endpoint) = services(|load| {
        history(load);
        load.refuse(refused.to_vec());
    });
    let folder = tempfile::tempdir().unwrap();
    let line = format!("{} --on-undeliverable park", slowly(&endpoint));
    let reseed = program(&endpoint, folder.path(), &line).spawn();
    kill_behind(&load, 500, reseed.unwrap());
    let id = job_of(folder.path()).unwrap();
    // There is no failure queue.
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    wait_until("it has ended", || job(&serving, &id)["phase"] != "sending");
    let end = job(&serving, &id);
    assert_eq!(end["phase"], "done", "{end}");
    assert_eq!(serving.end(), Some(0));
    let parked = std::fs::read_to_string(file(folder.path(), &id, "parked.jsonl")).unwrap();
    let parked = parked.lines().map(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["sequence"].as_u64().unwrap()
    });
    assert_eq!(parked.collect::<BTreeSet<_>>(), refused.into());
    assert_eq!(load.arrivals().distinct, EVENTS_OF_ALL - 2);
}

#[test]
fn a_history_that_live_follows_is_not_for_reseed() {
    let (load, endpoint) = services(history);
    let folder = tempfile::tempdir().unwrap();
    let newest = [("LIVE_ORDER", "newest")];
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let (status, answer) = serving.ask(&json!({ "then": "live" }).to_string());
    assert_eq!(status, 200, "{answer}");
    let id = answer["jobId"].as_str().unwrap().to_owned();
    wait_until("live is held", || job(&serving, &id).get("hold").is_some());
    serving.kill();
    let before = std::fs::read_to_string(file(folder.path(), &id, "job.json")).unwrap();
    let end = run(&endpoint, folder.path(), &format!("--resume {id}"));
    end.with(2).says(&[&id, "live changes", "`serve`"]);

    // Nor may anything else be sent beside it.
    let refusal = ["live changes follow", "`serve --state ", "cancel", &id];
    let line = format!("--bucket ledger --queue-url {endpoint}{EVENTS}");
    let end = run(&endpoint, folder.path(), &line);
    end.with(2).says(&refusal);
    std::fs::write(folder.path().join("nothing"), "").unwrap();
    let heal = format!("{endpoint}{EVENTS}");
    let words = "verify --bucket ledger --events nothing --heal".split(' ');
    let words: Vec<_> = words.chain([heal.as_str()]).collect();
    let end = End::of(&mut command(&endpoint, folder.path(), &words));
    end.with(2).says(&refusal);
    let after = std::fs::read_to_string(file(folder.path(), &id, "job.json")).unwrap();
    assert_eq!(after, before);
    assert_eq!(load.arrivals().messages, 0);

    // Another queue is none of its affairs, and a plan is sent to none.
    run(&endpoint, folder.path(), &format!("{line} --dry-run")).with(0);
    let line = format!("--bucket ledger --queue-url {endpoint}/1/other.fifo");
    run(&endpoint, folder.path(), &line).with(0);
    assert_eq!(load.arrivals().distinct, EVENTS_OF_ALL);

    // Cancelled, it holds nothing.
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let cancel = json!({ "action": "cancel", "jobId": id }).to_string();
    assert_eq!(serving.ask(&cancel).0, 200);
    wait_until("it is cancelled", || {
        job(&serving, &id)["phase"] == "cancelled"
    });
    assert_eq!(serving.end(), Some(0));
    let line = format!("--bucket ledger --queue-url {endpoint}{EVENTS}");
    run(&endpoint, folder.path(), &line).with(0);
}

#[test]
fn a_serve_without_a_bucket_says_what_was_interrupted_and_how_to_go_on() {
    let (load, endpoint) = services(history);
    let folder = tempfile::tempdir().unwrap();
    let reseed = program(&endpoint, folder.path(), &slowly(&endpoint)).spawn();
    kill_behind(&load, 100, reseed.unwrap());
    let id = job_of(folder.path()).unwrap();
    let mut serving = serve(&endpoint, folder.path())
        .env("QUEUE_URL", format!("{endpoint}{EVENTS}"))
        .env("NOTIFICATIONS_TOKEN", TOKEN)
        .spawn()
        .unwrap();
    let lines = BufReader::new(serving.stdout.take().unwrap()).lines();
    let mut told = lines
        .map(Result::unwrap)
        .take_while(|line| !line.contains("\"serving\""));
    let line = told.find(|line| line.contains("interrupted"));
    serving.kill().unwrap();
    serving.wait().unwrap();
    let line = line.expect("it says nothing of the job");
    for part in [&id, "BUCKET_NAME", &format!("--resume {id}`")] {
        assert!(line.contains(part), "{line}");
    }
}
