//! How many requests a scan of an unknown keyspace takes, and how many at a time: counted, not
//! timed. All requests take equally long here.

use std::collections::BTreeSet;

use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::page::{Marker, Page};
use bridge_core::listing::rows::Builder;
use bridge_core::listing::version::VersionRef;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::manifest::Range;
use bridge_history::scan::keyspace::Keyspace;
use proptest::prelude::*;

const PAGE: usize = 100;
/// What a server answers.
fn page(keys: &BTreeSet<String>, marker: Option<&Marker>) -> Page {
    use std::ops::Bound::{Excluded, Unbounded};
    let begin = marker.map_or(Unbounded, |m| Excluded(m.key.as_str()));
    let mut rest = keys.range::<str, _>((begin, Unbounded));
    let mut builder = Builder::default();
    let mut last = None;
    for key in rest.by_ref().take(PAGE) {
        builder.push(VersionRef {
            key,
            version_id: "v",
            last_modified: Timestamp(0),
            is_latest: true,
            is_delete_marker: false,
            size: Some(1),
            e_tag: None,
        });
        last = Some(key.clone());
    }
    let more = rest.next().is_some();
    Page {
        listing: builder.finish(),
        next: last.filter(|_| more).map(|key| Marker {
            key,
            version_id: Some("v".to_owned()),
        }),
    }
}

/// What listing everything took.
#[derive(Debug, Default)]
struct Effort {
    requests: usize,
    /// Rounds of requests.
    rounds: usize,
    /// The first round in which all listers had something to do.
    all_busy: Option<usize>,
    /// Keys in the order they came.
    found: Vec<String>,
}

fn list(keys: &BTreeSet<String>, listers: usize) -> Effort {
    let mut keyspace = Keyspace::new(vec![Range::default()], Dialect::default());
    let mut effort = Effort::default();
    loop {
        let round: Vec<_> = (1..=listers)
            .rev()
            .map_while(|idle| keyspace.next_request(idle))
            .collect();
        if round.is_empty() {
            assert_eq!(keyspace.remaining(), vec![]);
            return effort;
        }
        effort.rounds += 1;
        if round.len() == listers {
            effort.all_busy.get_or_insert(effort.rounds);
        }
        for request in round {
            effort.requests += 1;
            let page = page(keys, request.marker.as_ref());
            for listing in keyspace.accept(request.range, page).unwrap() {
                (effort.found).extend(listing.iter().map(|row| row.version.key.to_owned()));
            }
        }
    }
}

fn hashed() -> BTreeSet<String> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..200_000)
        .map(|n| format!("{:016x}/{n}.json", random.u64(..)))
        .collect()
}

fn dated() -> BTreeSet<String> {
    (0..200_000)
        .map(|n| {
            let day = n / 280;
            let (year, month, day) = (2023 + day / 336, day / 28 % 12 + 1, day % 28 + 1);
            let second = n % 280 * 308;
            let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
            format!(
                "logs/app/{year}/{month:02}/{day:02}/{hour:02}{minute:02}{second:02}-{n:07}.json.gz"
            )
        })
        .collect()
}

fn one_hot_prefix() -> BTreeSet<String> {
    let mut random = fastrand::Rng::with_seed(2);
    (0..200_000)
        .map(|n| {
            let id = random.u64(..);
            let tenant = if n % 10 == 0 { id % 400 } else { 7 };
            format!("tenant-{tenant:03}/orders/{id:016x}")
        })
        .collect()
}

fn words() -> BTreeSet<String> {
    let mut random = fastrand::Rng::with_seed(3);
    let syllables = ["ka", "né", "日", "ru", "Ω", "st", "mi", "zu", "ö", "te"];
    (0..200_000)
        .map(|n| {
            let word: String = (0..6).map(|_| syllables[random.usize(0..10)]).collect();
            format!("{word}-{n}")
        })
        .collect()
}

fn beyond_ascii() -> BTreeSet<String> {
    let mut random = fastrand::Rng::with_seed(4);
    let digits = [
        'ä', 'é', 'ö', 'ü', 'Ω', 'д', 'ж', 'я', 'ก', '中', '日', '本', '語', '가', '힣', '😀',
    ];
    (0..200_000)
        .map(|n| {
            let name: String = (0..12).map(|_| digits[random.usize(0..16)]).collect();
            format!("файлы/{name} & {n}.txt")
        })
        .collect()
}

#[test]
fn unknown_keyspaces_are_listed_in_parallel_with_few_requests_too_many() {
    for (name, keys) in [
        ("hashed", hashed()),
        ("dated", dated()),
        ("90 % under one prefix", one_hot_prefix()),
        ("beyond ASCII", beyond_ascii()),
        ("words", words()),
    ] {
        let needed = keys.len().div_ceil(PAGE);
        for listers in [64, 100, 256] {
            if name == "words" && listers > 64 {
                continue;
            }
            let effort = list(&keys, listers);
            let Effort {
                requests,
                rounds,
                all_busy,
                found,
            } = effort;
            println!(
                "{name}, {listers} listers: {needed} pages, {requests} requests in {rounds} rounds, all busy in {all_busy:?}"
            );
            assert_eq!(found.len(), keys.len(), "{name}: each key once");
            assert!(found.into_iter().collect::<BTreeSet<_>>() == keys, "{name}");
            // Syllables of several lengths and alphabets are as bad as names get. And to 256 listers there are
            // eight pages each, of which the last runs over the end of its range.
            let allowed = match (name, listers) {
                ("words", _) => 130,
                (_, 256) => 115,
                _ => 110,
            };
            assert!(
                requests * 100 <= needed * allowed,
                "{name}, {listers} listers: {requests} requests"
            );
            if name != "words" {
                assert!(
                    all_busy.is_some_and(|round| round <= 10),
                    "{name}, {listers}: {all_busy:?}"
                );
                let least = needed.div_ceil(listers);
                assert!(
                    rounds <= least + 15,
                    "{name}, {listers} listers: {rounds} rounds"
                );
            } else if listers == 64 {
                assert!(rounds * 25 <= needed, "{name}: {rounds} rounds");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever the alphabet: nothing is lost and nothing comes twice.
    #[test]
    fn cuts_never_lose_or_repeat_a_key(
        keys in prop::collection::btree_set("[a-c/é日\u{10ffff} ]{1,5}|\\PC{1,4}", 1..600),
        listers in prop::sample::select(vec![1usize, 2, 7, 64]),
    ) {
        let Effort { found, .. } = list(&keys, listers);
        prop_assert_eq!(found.len(), keys.len());
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), keys);
    }
}
