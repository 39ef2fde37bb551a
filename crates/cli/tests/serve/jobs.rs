//! Reseeds by HTTP.

use std::time::{Duration, Instant};

use bridge_sim::load::shape::Shape;
use serde_json::{Value, json};

use crate::common::{End, command, job_of, program, start};
use crate::process::{OPERATORS, Serving, TOKEN, notification, post, services, wait_until};

pub(crate) fn phase(serving: &Serving, job: &str) -> String {
    let (status, answer) = serving.get(&format!("/jobs/{job}"));
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["phase"].as_str().unwrap().to_owned()
}

/// Starts a job that live follows; once it holds live back, its id.
pub(crate) fn hold(serving: &Serving, asked: &Value) -> String {
    let (status, job) = serving.ask(&asked.to_string());
    assert_eq!(status, 200, "{job}");
    let job = job["jobId"].as_str().unwrap().to_owned();
    wait_until("live is held", || {
        serving.get(&format!("/jobs/{job}")).1.contains("\"hold\"")
    });
    job
}

#[test]
fn a_job_that_fails_is_an_error_in_the_log_with_its_reason() {
    let (_load, endpoint) = services(|load| load.refuse(vec![1]));
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    let (status, job) = serving.ask(r#"{"action":"start"}"#);
    assert_eq!(status, 200, "{job}");
    let id = job["jobId"].as_str().unwrap();
    wait_until("its failure is told", || {
        let log = serving.log.lock().unwrap();
        let mut told = log.iter().filter(|line| line.contains("ERROR"));
        told.any(|line| line.contains(id) && line.contains("onUndeliverable"))
    });
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_job_goes_on_in_the_process_that_follows_a_kill() {
    let (load, endpoint) = services(|load| {
        load.bucket.shape = Shape::Hashed;
        load.bucket.versions = 3_000;
    });
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    let (status, job) = serving.ask(&json!({ "maxRate": 1_000 }).to_string());
    assert_eq!(status, 200, "{job}");
    let job = job["jobId"].as_str().unwrap().to_owned();
    wait_until("some are sent", || load.arrivals().distinct > 500);
    serving.kill();
    assert!(
        load.arrivals().distinct < 3_000,
        "it was too quick for this test"
    );
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    wait_until("it is done", || phase(&serving, &job) == "done");
    assert_eq!(load.arrivals().distinct, 3_000);
    let (_, all) = serving.get("/jobs");
    assert!(all.contains(&job), "{all}");

    let url = format!("{}/jobs", serving.url);
    assert_eq!(
        post(&url, TOKEN, "{}").0,
        401,
        "who notifies is no operator"
    );
    for (asked, expected, part) in [
        ("{\"prefx\":1}", 400, "prefx"),
        ("{\"action\":\"sweep\"}", 400, "start, status"),
        ("[", 400, "not JSON"),
        (
            "{\"action\":\"status\",\"jobId\":\"20240501-1a2b3c4d-1\"}",
            404,
            "no job",
        ),
        (
            &json!({ "action": "pause", "jobId": job }).to_string(),
            409,
            "cannot",
        ),
    ] {
        let (status, answer) = post(&url, OPERATORS, asked);
        assert_eq!(status, expected, "{asked}: {answer}");
        assert!(answer.to_string().contains(part), "{asked}: {answer}");
    }
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn while_a_history_goes_first_nothing_live_is_received() {
    let (load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let newest = [("LIVE_ORDER", "newest")];
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let job = hold(&serving, &json!({ "then": "live" }));
    let change = notification("aws:s3", "a", 1).to_string();
    load.inbox().put(change.clone());
    let (status, answer) = serving.post(&change);
    assert_eq!(status, 503, "{answer}");
    assert!(answer.to_string().contains("history first"), "{answer}");
    let (status, ready) = serving.get("/readyz");
    assert_eq!(status, 200, "all of it answers: {ready}");
    assert!(ready.contains("history first"), "{ready}");
    // Also by the process that follows.
    serving.kill();
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    assert_eq!(serving.post(&change).0, 503);
    assert!(load.arrivals().events.is_empty());

    let cancel = json!({ "action": "cancel", "jobId": job }).to_string();
    assert_eq!(serving.ask(&cancel).0, 200);
    wait_until("it is cancelled", || phase(&serving, &job) == "cancelled");
    load.inbox().most_hidden = Some(Duration::from_secs(1));
    wait_until("live goes on", || load.inbox().is_empty());
    assert_eq!(load.arrivals().events.len(), 1);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_job_of_another_bucket_that_the_directory_holds_is_left_as_it_is() {
    let (load, endpoint) = services(|load| {
        load.bucket.shape = Shape::Hashed;
        load.bucket.versions = 3_000;
    });
    let folder = tempfile::tempdir().unwrap();
    let line = format!("--bucket elsewhere --queue-url {endpoint}/1/other.fifo --max-rate 500");
    let mut reseed = program(&endpoint, folder.path(), &line).spawn().unwrap();
    wait_until("some are sent", || load.arrivals().distinct > 100);
    reseed.kill().unwrap();
    reseed.wait().unwrap();
    let job = job_of(folder.path()).unwrap();
    let file = folder
        .path()
        .join(format!(".s3-sqs-bridge/jobs/{job}/job.json"));
    let before = std::fs::read_to_string(&file).unwrap();
    let sent = load.arrivals().messages;

    // What is listed now is the bucket `ledger`.
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    let resume = json!({ "action": "resume", "jobId": job }).to_string();
    let (status, answer) = serving.ask(&resume);
    assert_eq!(status, 400, "{answer}");
    let resumes = format!("reseed --state .s3-sqs-bridge --resume {job}`");
    for part in ["bucket elsewhere", &resumes] {
        assert!(answer.to_string().contains(part), "{answer}");
        for path in ["/jobs".to_owned(), format!("/jobs/{job}")] {
            let (status, told) = serving.get(&path);
            assert_eq!(status, 200, "{told}");
            let left = told.split_once("\"left\"").expect("it is told as left").1;
            assert!(left.contains(part), "{told}");
        }
    }
    // A job of its own is done meanwhile.
    let (status, own) = serving.ask("{}");
    assert_eq!(status, 200, "{own}");
    let own = own["jobId"].as_str().unwrap().to_owned();
    wait_until("its own is done", || phase(&serving, &own) == "done");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    assert_eq!(
        load.arrivals().messages - sent,
        3_000,
        "its own events alone"
    );
    let sent = load.arrivals().messages;
    let cancel = json!({ "action": "cancel", "jobId": job }).to_string();
    let (status, answer) = serving.ask(&cancel);
    assert_eq!(status, 200, "{answer}");
    wait_until("it is cancelled", || phase(&serving, &job) == "cancelled");
    let (_, all) = serving.get("/jobs");
    assert!(!all.contains("\"left\""), "{all}");
    assert_eq!(load.arrivals().messages, sent, "nothing of it is sent");
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_job_that_is_left_is_cancelled_whoever_died_on_it_and_whatever_it_writes_to() {
    let (load, endpoint) = services(|load| {
        load.bucket.shape = Shape::Hashed;
        load.bucket.versions = 3_000;
    });
    for signal in ["-KILL", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let line = "--bucket ledger --out events --max-rate 500";
        let events = folder.path().join("events");
        let mut reseed = start(&mut program(&endpoint, folder.path(), line), &events);
        crate::common::signal(&reseed, signal);
        reseed.wait().unwrap();
        let job = job_of(folder.path()).unwrap();
        let written = std::fs::read(&events).unwrap();
        let serving = Serving::start(&endpoint, folder.path(), &[]);
        assert_eq!(phase(&serving, &job), "sending");
        let pause = json!({ "action": "pause", "jobId": job }).to_string();
        assert_eq!(serving.ask(&pause).0, 400);
        let cancel = json!({ "action": "cancel", "jobId": job }).to_string();
        let (status, answer) = serving.ask(&cancel);
        assert_eq!(status, 200, "{answer}");
        wait_until("it is cancelled", || phase(&serving, &job) == "cancelled");
        assert_eq!(serving.ask(&cancel).0, 200, "again");
        assert_eq!(serving.end(), Some(0));
        assert_eq!(std::fs::read(&events).unwrap(), written, "{signal}");
    }
    assert_eq!(load.arrivals().messages, 0);
}

#[test]
fn a_hold_of_another_bucket_ends_when_its_job_is_cancelled() {
    let (_, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let newest = [("LIVE_ORDER", "newest")];
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let job = hold(&serving, &json!({ "then": "live" }));
    serving.kill();

    let other = [newest[0], ("BUCKET_NAME", "other")];
    let serving = Serving::start(&endpoint, folder.path(), &other);
    let (_, told) = serving.get(&format!("/jobs/{job}"));
    let left = told.split_once("\"left\"").expect("it is told as left").1;
    assert!(left.contains("a `serve` of that bucket"), "{told}");
    let mut change = notification("aws:s3", "a", 1);
    change["Records"][0]["s3"]["bucket"]["name"] = "other".into();
    let change = change.to_string();
    assert_eq!(serving.post(&change).0, 503, "its history goes first");
    let cancel = json!({ "action": "cancel", "jobId": job }).to_string();
    assert_eq!(serving.ask(&cancel).0, 200);
    wait_until("it is cancelled", || phase(&serving, &job) == "cancelled");
    wait_until("live goes on", || serving.post(&change).0 == 200);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn live_follows_a_history_whatever_is_killed_on_the_way() {
    let (load, endpoint) = services(|load| {
        load.bucket.shape = Shape::Hashed;
        load.bucket.versions = 2_000;
    });
    let folder = tempfile::tempdir().unwrap();
    let newest = [("LIVE_ORDER", "newest")];
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let job = hold(&serving, &json!({ "then": "live", "maxRate": 1_000 }));
    let mut change = notification("aws:s3", "a", 1);
    // After the history's end.
    change["Records"][0]["eventTime"] = "2999-05-01T12:00:00.000Z".into();
    load.inbox().put(change.to_string());
    load.inbox().most_hidden = Some(Duration::from_secs(1));
    // It waits for what may be on its way: an orderly end does not wait for that.
    assert_eq!(serving.end(), Some(0));
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    wait_until("some of the history is sent", || {
        load.arrivals().distinct > 100
    });
    serving.kill();
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    assert!(load.arrivals().events.is_empty(), "live came first");
    wait_until("live follows", || load.inbox().is_empty());
    assert_eq!(
        load.arrivals().distinct,
        2_000,
        "all of the history came before"
    );
    assert_eq!(load.arrivals().events.len(), 1);
    wait_until("it is done", || phase(&serving, &job) == "done");
    let (status, answer) = serving.post(&notification("aws:s3", "b", 1).to_string());
    assert_eq!(
        (status, &answer["skipped"]),
        (200, &1.into()),
        "the history held it: {answer}"
    );
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_job_that_live_follows_is_not_removed_with_what_could_let_live_go_on() {
    let (_load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let newest = [("LIVE_ORDER", "newest")];
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let job = hold(&serving, &json!({ "then": "live" }));
    serving.kill();
    let clean = |code| {
        let words = ["clean", "--job", &job];
        End::of(&mut command(&endpoint, folder.path(), &words)).with(code)
    };
    clean(2).says(&["--job", &job, "cancel"]);
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let cancel = json!({ "action": "cancel", "jobId": job }).to_string();
    assert_eq!(serving.ask(&cancel).0, 200);
    wait_until("it is cancelled", || phase(&serving, &job) == "cancelled");
    let change = notification("aws:s3", "a", 1).to_string();
    assert_eq!(serving.post(&change).0, 200, "live goes on");
    assert_eq!(serving.end(), Some(0));
    clean(0);
}

#[test]
fn a_hold_whose_job_is_gone_is_told_until_it_is_cancelled_all_the_same() {
    let (_load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let newest = [("LIVE_ORDER", "newest")];
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let job = hold(&serving, &json!({ "then": "live" }));
    let cancel = |job: &str| json!({ "action": "cancel", "jobId": job }).to_string();
    assert_eq!(serving.ask(&cancel("20240501-1a2b3c4d-1")).0, 404);
    serving.kill();
    std::fs::remove_dir_all(folder.path().join(".s3-sqs-bridge/jobs").join(&job)).unwrap();

    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let (status, ready) = serving.get("/readyz");
    assert_eq!(status, 503, "{ready}");
    for part in [&job, "is gone", "POST /jobs"] {
        assert!(ready.contains(part), "{ready}");
    }
    let change = notification("aws:s3", "a", 1).to_string();
    assert_eq!(serving.post(&change).0, 503, "its history goes first");
    let (status, answer) = serving.ask(&cancel(&job));
    assert_eq!(
        (status, &answer["phase"]),
        (200, &"cancelled".into()),
        "{answer}"
    );
    assert_eq!(serving.post(&change).0, 200, "live goes on");
    wait_until("all is well", || serving.get("/readyz").0 == 200);
    assert_eq!(serving.ask(&cancel(&job)).0, 404, "again");
    assert_eq!(serving.end(), Some(0));
}

/// One queue gets its history and then what happens.
#[test]
fn a_history_that_live_follows_is_left_where_live_goes_to_another_queue() {
    let (_load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let newest = ("LIVE_ORDER", "newest");
    let serving = Serving::start(&endpoint, folder.path(), &[newest]);
    let (status, job) = serving.ask(&json!({ "then": "live" }).to_string());
    assert_eq!(status, 200, "{job}");
    let job = job["jobId"].as_str().unwrap().to_owned();
    wait_until("live is held", || {
        serving.get(&format!("/jobs/{job}")).1.contains("\"hold\"")
    });
    serving.kill();
    let other = format!("{endpoint}/1/other.fifo");
    let serving = Serving::start(&endpoint, folder.path(), &[newest, ("QUEUE_URL", &other)]);
    let is_left = || {
        let answer = serving.get(&format!("/jobs/{job}")).1;
        answer.contains("\"left\"") || answer.contains("\"failed\"")
    };
    let end = Instant::now() + Duration::from_secs(20);
    while !is_left() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
    }
    let (is_left, answer) = (is_left(), serving.get(&format!("/jobs/{job}")).1);
    serving.kill();
    assert!(
        is_left,
        "it goes on, to a queue that live does not follow into: {answer}"
    );
}

#[test]
fn a_history_into_the_queue_of_notifications_is_refused() {
    let (load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    let asked = json!({
        "queueUrl": format!("{endpoint}/1/notifications"), "order": "none", "format": "s3",
    });
    let (status, answer) = serving.ask(&asked.to_string());
    serving.kill();
    assert_eq!(status, 400, "it would be taken for what happened: {answer}");
    assert!(answer.to_string().contains("queueUrl"), "{answer}");
    assert!(load.arrivals().events.is_empty());
}
