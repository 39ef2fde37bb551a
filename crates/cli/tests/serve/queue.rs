//! Notifications from a queue.

use std::time::Duration;

use serde_json::json;

use crate::common::{End, command};
use crate::process::{EVENTS, Serving, notification, serve, services, wait_until};

#[test]
fn what_a_queue_holds_is_forwarded_and_only_then_deleted() {
    let (load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let bridge = json!({
        "version": "0", "source": "aws.s3", "detail-type": "Object Created", "time": "2024-05-01T12:00:00Z",
        "detail": { "bucket": { "name": "ledger" }, "object": { "key": "by EventBridge", "version-id": "v1" } },
    });
    load.inbox().put(bridge.to_string());
    for number in 0..100 {
        let key = format!("accounts/{number}");
        load.inbox()
            .put(notification("aws:s3", &key, 1).to_string());
    }
    load.let_sends_fail(true);
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    // Nothing of it can be forwarded: nothing is deleted.
    wait_until("it has tried", || {
        serving
            .get("/metrics")
            .1
            .contains("notifications_taken_total{source=\"queue\"} 101")
    });
    assert_eq!(load.inbox().len(), 101);
    load.let_sends_fail(false);
    wait_until("all is forwarded", || load.inbox().is_empty());
    assert_eq!(load.arrivals().events.len(), 101);

    let (status, ready) = serving.get("/readyz");
    assert_eq!(status, 200, "{ready}");
    for part in ["queue", "notifications", "bucket", "liveTable"] {
        assert!(ready.contains(&format!("\"{part}\":\"ok\"")), "{ready}");
    }
    assert_eq!(serving.get("/healthz").0, 200);
    let figures = serving.get("/metrics").1;
    let forwarded = "s3_sqs_bridge_events_forwarded_total 101";
    assert!(figures.contains(forwarded), "{figures}");
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn nothing_is_lost_however_often_it_is_killed_and_whatever_the_queue_does() {
    let (load, endpoint) = services(|load| load.send_latency = Duration::from_millis(100));
    // A minute in truth.
    load.inbox().most_hidden = Some(Duration::from_secs(3));
    let folder = tempfile::tempdir().unwrap();
    let mut expected = 0;
    for round in 0..3 {
        let serving = Serving::start(&endpoint, folder.path(), &[]);
        for number in 0..600 {
            let key = format!("{round}/{number}");
            load.inbox()
                .put(notification("aws:s3", &key, 1).to_string());
        }
        expected += 600;
        wait_until("some arrive", || {
            load.arrivals().events.len() > expected - 500
        });
        load.let_sends_fail(true);
        std::thread::sleep(Duration::from_millis(300));
        serving.kill();
        load.let_sends_fail(false);
    }
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    wait_until("all is deleted", || load.inbox().is_empty());
    assert_eq!(load.arrivals().events.len(), expected);
    assert!(
        load.inbox().repeats > 0,
        "nothing was in flight when it was killed"
    );
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_second_process_in_the_same_state_refuses_to_start() {
    let (_, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let first = Serving::start(&endpoint, folder.path(), &[]);
    let mut second = serve(&endpoint, folder.path());
    second.env("QUEUE_URL", format!("{endpoint}{EVENTS}"));
    let end = End::of(&mut second).with(2);
    end.says(&["another process works in", "--state"]);
    assert_eq!(first.get("/healthz").0, 200, "the first goes on");
    first.kill();
    // The system has let go of it.
    let third = Serving::start(&endpoint, folder.path(), &[]);
    assert_eq!(third.end(), Some(0));
}

#[test]
fn what_was_taken_is_finished_after_a_signal() {
    let (load, endpoint) = services(|load| load.send_latency = Duration::from_secs(2));
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    for number in 0..40 {
        load.inbox()
            .put(notification("aws:s3", &number.to_string(), 1).to_string());
    }
    wait_until("it is at work", || {
        serving
            .get("/metrics")
            .1
            .contains("notifications_taken_total")
    });
    assert!(
        load.arrivals().events.is_empty(),
        "it was too quick for this test"
    );
    assert_eq!(serving.end(), Some(0));
    let arrived = load.arrivals().events.len();
    assert!(arrived > 0, "what was in flight did not end");
    assert_eq!(
        load.inbox().len(),
        40 - arrived,
        "what was forwarded is deleted"
    );
}

#[test]
fn what_takes_longer_than_it_is_hidden_is_hidden_again() {
    let (load, endpoint) = services(|load| load.send_latency = Duration::from_secs(3));
    // A minute in truth.
    load.inbox().most_hidden = Some(Duration::from_secs(40));
    let folder = tempfile::tempdir().unwrap();
    // One batch of ten after the other, each four sends long since a send holds a key once: the fifth, which is taken
    // together with the first, is at work when more than that has passed.
    let mut command = serve(&endpoint, folder.path());
    command.args(["--concurrency", "1"]);
    let serving = Serving::of(command, &endpoint, &[]);
    for number in 0..60 {
        let key = format!("{}/{}", number / 10, number % 3);
        let change = notification("aws:s3", &key, number);
        load.inbox().put(change.to_string());
    }
    wait_until("all is deleted", || load.inbox().is_empty());
    let inbox = load.inbox();
    assert!(inbox.renewals > 0, "it was too quick for this test");
    assert_eq!(inbox.repeats, 0, "handed over again");
    drop(inbox);
    let arrivals = load.arrivals();
    assert_eq!(arrivals.events.len(), 60);
    assert!(arrivals.events.values().all(|times| *times == 1));
    drop(arrivals);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn what_is_wrong_is_told_before_anything_is_taken() {
    let (_, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    for (variables, parts) in [
        (
            &[("QUEUE_URL", "https://x/1/q")][..],
            ["no source", "NOTIFICATIONS_TOKEN"],
        ),
        (
            &[("NOTIFICATIONS_TOKEN", "short")],
            ["QUEUE_URL", "found nothing"],
        ),
        (
            &[
                ("QUEUE_URL", "https://x/1/q"),
                ("NOTIFICATIONS_TOKEN", "short"),
            ],
            ["NOTIFICATIONS_TOKEN", "16 or more"],
        ),
        (
            &[
                ("QUEUE_URL", "https://x/1/q"),
                ("NOTIFICATIONS_TOKEN", "long-enough-for-anybody"),
                ("LIVE_ORDER", "exact"),
            ],
            ["LIVE_ORDER", "FIFO queue"],
        ),
    ] {
        let mut command = command(
            &endpoint,
            folder.path(),
            &["serve", "--listen", "127.0.0.1:0"],
        );
        command.envs(variables.iter().copied());
        End::of(&mut command).with(2).says(&parts);
    }
    let refused = command(&endpoint, folder.path(), &["serve", "--listen", "here"]).output();
    assert_eq!(refused.unwrap().status.code(), Some(2));
}
