//! Notifications by HTTP.

use std::time::Duration;

use crate::common::signal;
use crate::process::{Serving, TOKEN, notification, post, services, wait_until};

#[test]
fn a_webhook_of_minio_is_taken_with_its_token_alone() {
    let (load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    let change = notification("minio:s3", "red+flower.jpg", 1).to_string();

    let url = format!("{}/notifications", serving.url);
    let (status, answer) = post(&url, "another-token-of-the-tests", &change);
    assert_eq!(status, 401, "{answer}");
    assert!(load.arrivals().events.is_empty());
    let (status, answer) = serving.post(&change);
    assert_eq!((status, &answer["forwarded"]), (200, &1.into()), "{answer}");
    assert_eq!(
        load.arrivals().messages,
        1,
        "it is there when the answer comes"
    );

    let mut other_bucket = notification("minio:s3", "a", 1);
    other_bucket["Records"][0]["s3"]["bucket"]["name"] = "elsewhere".into();
    let mut unknown = notification("minio:s3", "a", 1);
    unknown["Records"][0]["eventName"] = "s3:ObjectCreated:Append".into();
    for (body, part) in [
        ("{".to_owned(), "not JSON"),
        ("{\"hello\":1}".to_owned(), "an object with hello"),
        (other_bucket.to_string(), "bucket \\\"elsewhere\\\""),
        (unknown.to_string(), "is not known"),
    ] {
        let (status, answer) = serving.post(&body);
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer.to_string().contains(part), "{part}: {answer}");
    }
    let (status, answer) = serving.post(&" ".repeat(1024 * 1024 + 1));
    assert_eq!(status, 413, "{answer}");
    assert_eq!(serving.get("/notifications").0, 405);
    assert_eq!(serving.get("/else").0, 404);
    assert_eq!(load.arrivals().messages, 1);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_queue_that_takes_nothing_is_told_to_whoever_notifies() {
    let (load, endpoint) = services(|load| load.send_latency = Duration::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    load.let_sends_fail(true);
    let change = notification("minio:s3", "a", 1).to_string();
    let (status, answer) = serving.post(&change);
    assert_eq!(status, 503, "{answer}");
    assert!(answer["retryAfter"].is_string(), "{answer}");
    load.let_sends_fail(false);
    assert_eq!(serving.post(&change).0, 200);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_request_that_was_taken_is_answered_after_a_signal_and_no_other_is_taken() {
    let (load, endpoint) = services(|load| load.send_latency = Duration::from_secs(5));
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(&endpoint, folder.path(), &[]);
    let clients: Vec<_> = (0..3)
        .map(|number| {
            let url = format!("{}/notifications", serving.url);
            let change = notification("minio:s3", &format!("k{number}"), 1).to_string();
            std::thread::spawn(move || post(&url, TOKEN, &change))
        })
        .collect();
    wait_until("they are at work", || {
        let figures = serving.get("/metrics").1;
        figures.contains("notifications_taken_total{source=\"http\"} 3")
    });
    signal(&serving.child, "-TERM");
    let address = serving.url.trim_start_matches("http://").to_owned();
    wait_until("nobody else comes in", || {
        std::net::TcpStream::connect(&address).is_err()
    });
    assert!(
        load.arrivals().events.is_empty(),
        "it was too quick for this test"
    );
    for client in clients {
        let (status, answer) = client.join().unwrap();
        assert_eq!((status, &answer["forwarded"]), (200, &1.into()), "{answer}");
    }
    assert_eq!(load.arrivals().events.len(), 3);
    // Another signal would end it at once.
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

#[test]
fn more_than_it_can_hold_is_refused_for_now_and_nothing_that_it_took_is_lost() {
    let (load, endpoint) = services(|load| load.send_latency = Duration::from_secs(3));
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    let (mut taken, mut refused) = (0, 0);
    let padding = "x".repeat(300_000);
    let clients: Vec<_> = (0..100)
        .map(|number| {
            let mut change = notification("minio:s3", &format!("k{number}"), 1);
            change["padding"] = padding.clone().into();
            let url = format!("{}/notifications", serving.url);
            let body = change.to_string();
            std::thread::spawn(move || post(&url, TOKEN, &body))
        })
        .collect();
    for client in clients {
        match client.join().unwrap() {
            (200, _) => taken += 1,
            (503, answer) => {
                assert!(answer["retryAfter"].is_string(), "{answer}");
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
    assert_eq!(load.arrivals().events.len(), taken, "and nothing else");
    let peak = serving.peak_kib();
    assert!(peak < 200 * 1024, "{peak} KiB");
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn with_newest_a_key_never_goes_back_also_over_a_kill() {
    let (load, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let newest = [("LIVE_ORDER", "newest")];
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let change = |version| notification("aws:s3", "a", version).to_string();
    let (status, answer) = serving.post(&change(2));
    assert_eq!((status, &answer["forwarded"]), (200, &1.into()), "{answer}");
    serving.kill();
    let serving = Serving::start(&endpoint, folder.path(), &newest);
    let (status, answer) = serving.post(&change(1));
    assert_eq!((status, &answer["late"]), (200, &1.into()), "{answer}");
    let (status, answer) = serving.post(&change(3));
    assert_eq!((status, &answer["forwarded"]), (200, &1.into()), "{answer}");
    wait_until("both arrived", || load.arrivals().events.len() == 2);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_body_of_the_shortest_objects_takes_no_more_memory_than_another() {
    let (_, endpoint) = services(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(&endpoint, folder.path(), &[]);
    let records = vec![r#"{"s3":{"a":1}}"#; 69_000].join(",");
    let body = format!("{{\"Records\":[{records}]}}");
    let clients: Vec<_> = (0..7)
        .map(|_| {
            let (url, body) = (format!("{}/notifications", serving.url), body.clone());
            std::thread::spawn(move || post(&url, TOKEN, &body))
        })
        .collect();
    for client in clients {
        let (status, answer) = client.join().unwrap();
        assert_eq!(status, 400, "{answer}");
        assert!(answer.to_string().contains("more values"), "{answer}");
    }
    let peak = serving.peak_kib();
    assert!(peak < 200 * 1024, "{peak} KiB");
    assert_eq!(serving.end(), Some(0));
}
