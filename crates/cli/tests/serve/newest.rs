//! `newest` under everything at once: what is left out is older than what was sent, and nothing else.

use std::time::Duration;

use crate::process::{Serving, notification, services, wait_until};

const KEYS: u64 = 40;
const VERSIONS: u64 = 25;

#[test]
fn each_key_ends_with_its_newest_change_and_never_goes_back() {
    let (load, endpoint) = services(|load| load.send_latency = Duration::from_millis(30));
    // A minute in truth.
    load.inbox().most_hidden = Some(Duration::from_secs(3));
    let folder = tempfile::tempdir().unwrap();
    let newest = [("LIVE_ORDER", "newest")];
    let mut random = fastrand::Rng::with_seed(7);
    let mut serving = Serving::start(&endpoint, folder.path(), &newest);
    for round in 0..5 {
        let in_round = VERSIONS / 5;
        let versions = (round * in_round + 1)..=((round + 1) * in_round);
        let mut changes: Vec<_> = versions
            .flat_map(|version| (0..KEYS).map(move |key| (key, version)))
            .collect();
        // A queue of notifications keeps no order.
        random.shuffle(&mut changes);
        for (key, version) in changes {
            let change = notification("aws:s3", &key.to_string(), version);
            load.inbox().put(change.to_string());
        }
        let before = load.arrivals().messages;
        wait_until("some arrive", || {
            load.arrivals().messages > before + KEYS / 2
        });
        load.let_sends_fail(true);
        std::thread::sleep(Duration::from_millis(700));
        if round % 2 == 1 {
            serving.kill();
            serving = Serving::start(&endpoint, folder.path(), &newest);
        }
        load.let_sends_fail(false);
    }
    wait_until("all is deleted", || load.inbox().is_empty());
    let arrivals = load.arrivals();
    assert_eq!(arrivals.of_key.len() as u64, KEYS);
    for (key, came) in &arrivals.of_key {
        let numbers: Vec<u64> = came.iter().map(|v| v[1..].parse().unwrap()).collect();
        assert_eq!(numbers.last(), Some(&VERSIONS), "{key}: {came:?}");
        assert!(numbers.is_sorted(), "{key} goes back: {came:?}");
    }
    let left_out = KEYS * VERSIONS - arrivals.events.len() as u64;
    assert!(left_out > 0, "nothing was late in this test");
    drop(arrivals);
    assert_eq!(serving.end(), Some(0));
}
