//! `exact` with the state directory's table: each key's stream is its history, whatever notifications and processes do.

use std::time::{Duration, SystemTime};

use bridge_core::timestamp::Timestamp;
use bridge_sim::load::server::Load;

use crate::process::{Serving, notification, services, wait_until};

const KEYS: u64 = 20;
const ROUNDS: u64 = 4;
const VERSIONS: u64 = 6;

/// A version is written now. It is notified later, or never.
fn put(load: &Load, key: &str, version: u64) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = Timestamp(i64::try_from(since.unwrap().as_millis()).unwrap());
    load.written().put(key, &format!("v{version}"), now);
    let mut change = notification("aws:s3", key, version);
    change["Records"][0]["eventTime"] = now.to_string().into();
    change.to_string()
}

/// What came of each key, as numbers of its versions.
fn histories(load: &Load) -> Vec<(String, Vec<u64>)> {
    let arrivals = load.arrivals();
    let keys = arrivals.of_key.iter().filter(|(key, _)| *key != "first");
    let number = |version: &String| version[1..].parse().unwrap();
    keys.map(|(key, came)| (key.clone(), came.iter().map(number).collect()))
        .collect()
}

/// New versions of all keys, whose notifications are swapped, some of them doubled and some lost; but a key's last is told.
fn change_all(load: &Load, round: u64, random: &mut fastrand::Rng) {
    let mut told = Vec::new();
    for version in round * VERSIONS + 1..=(round + 1) * VERSIONS {
        for key in 0..KEYS {
            let change = put(load, &key.to_string(), version);
            let is_last = version % VERSIONS == 0;
            let times = if is_last { 1 } else { random.usize(0..=2) };
            told.extend(std::iter::repeat_n(change, times));
        }
    }
    random.shuffle(&mut told);
    for change in told {
        load.inbox().put(change);
    }
}

#[test]
fn each_version_comes_in_order_and_once_also_over_kills() {
    let (load, endpoint) = services(|load| load.send_latency = Duration::from_millis(30));
    // A minute in truth.
    load.inbox().most_hidden = Some(Duration::from_secs(3));
    let folder = tempfile::tempdir().unwrap();
    let exact = [("LIVE_ORDER", "exact")];
    let mut random = fastrand::Rng::with_seed(11);
    let mut serving = Serving::start(&endpoint, folder.path(), &exact);
    // With the first change that it sees the stream begins.
    let first = put(&load, "first", 1);
    load.inbox().put(first);
    wait_until("it has begun", || load.inbox().is_empty());

    change_all(&load, 0, &mut random);
    load.let_sends_fail(true);
    std::thread::sleep(Duration::from_millis(700));
    load.let_sends_fail(false);
    wait_until("all is deleted", || load.inbox().is_empty());
    let expected: Vec<u64> = (1..=VERSIONS).collect();
    assert_eq!(histories(&load).len() as u64, KEYS);
    for (key, came) in histories(&load) {
        assert_eq!(came, expected, "{key}: no process died");
    }

    for round in 1..ROUNDS {
        let before = load.arrivals().messages;
        change_all(&load, round, &mut random);
        wait_until("some arrive", || load.arrivals().messages > before + KEYS);
        serving.kill();
        serving = Serving::start(&endpoint, folder.path(), &exact);
    }
    wait_until("all is deleted", || load.inbox().is_empty());
    for (key, came) in histories(&load) {
        let mut newest = 0;
        for number in &came {
            // A kill repeats what was in flight, from its begin on: nothing is left out, so nothing comes too early.
            assert!(*number <= newest + 1, "{key}: {came:?}");
            newest = newest.max(*number);
        }
        assert_eq!(came.last(), Some(&(ROUNDS * VERSIONS)), "{key}: {came:?}");
        let kills = usize::try_from(ROUNDS - 1).unwrap();
        for number in 1..=ROUNDS * VERSIONS {
            let times = came.iter().filter(|other| **other == number).count();
            assert!((1..=1 + kills).contains(&times), "{key}: {came:?}");
        }
    }
    assert_eq!(serving.end(), Some(0));
}
