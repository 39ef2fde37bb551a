//! Copies with k of N removed, repeated, swapped and altered.

use std::collections::{BTreeMap, HashSet};

use bridge_core::event::{Event, Source};
use bridge_core::format::{Format, body, document, record};
use bridge_core::listing::version::{ObjectVersion, PlannedVersion};
use bridge_core::timestamp::Timestamp;
use bridge_history::verify::report::{Finding, Kind};
use proptest::prelude::*;
use serde_json::json;

use crate::memory::{BUCKET, found, line, scope};

/// A bucket of some keys with some versions each, in the order of a plan.
pub(crate) fn bucket(keys: &[usize]) -> Vec<PlannedVersion> {
    let mut rows = vec![];
    for (key, versions) in keys.iter().enumerate() {
        for rank in 0..*versions {
            let number = i64::try_from(rank * 7 + key).unwrap();
            let is_delete_marker = (rank + key) % 4 == 3;
            rows.push(PlannedVersion {
                effective_time: Timestamp(number * 1_000),
                rank: rank as u64,
                version: ObjectVersion {
                    key: format!("käy/{key}\u{0} +"),
                    // Ids tell nothing of the order.
                    version_id: format!("{:x}", (rank * 7919 + 13) % 1009),
                    last_modified: Timestamp(number * 1_000),
                    is_latest: rank + 1 == *versions,
                    is_delete_marker,
                    size: (!is_delete_marker).then_some(number.cast_unsigned()),
                    e_tag: (!is_delete_marker).then(|| format!("{:032x}", number * 31)),
                },
            });
        }
    }
    rows.sort_by(|a, b| a.order_key().cmp(&b.order_key()));
    rows
}

fn events(rows: &[PlannedVersion]) -> Vec<Event> {
    (1..)
        .zip(rows)
        .map(|(n, row)| row.clone().into_event(BUCKET, "20240501-1a2b3c4d-1", n))
        .collect()
}

fn name(event: &Event) -> String {
    format!("{}@{}", event.key, event.version_id)
}

/// An event as one of the kinds of line that a consumer may have kept.
fn any_line(event: &Event, kind: u8) -> String {
    let s3 = body(event, Format::S3, "eu-west-1");
    match kind % 5 {
        0 => line(event),
        1 => s3,
        2 => document(&record(event, "eu-west-1")),
        3 => json!({ "Body": s3, "MessageAttributes": { "source": { "StringValue": "reseed" } } })
            .to_string(),
        _ => json!({ "Messages": [{ "Body": line(event) }] }).to_string(),
    }
}

/// What is done to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Remove,
    Repeat,
    Size,
    Tag,
    Time,
    Id,
    Version,
}

fn harm() -> impl Strategy<Value = Harm> {
    use Harm::{Id, Remove, Repeat, Size, Tag, Time, Version};
    prop::sample::select(vec![Remove, Repeat, Size, Tag, Time, Id, Version])
}

fn keys() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..7, 1..12)
}

/// Versions whose first delivery stands behind all of a newer one's, by the definition.
fn out_of_order(rows: &[PlannedVersion], events: &[Event]) -> Vec<String> {
    let ranks: BTreeMap<String, u64> = rows
        .iter()
        .map(|row| {
            (
                format!("{}@{}", row.version.key, row.version.version_id),
                row.rank,
            )
        })
        .collect();
    let mut places: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        places
            .entry(name(event))
            .and_modify(|(_, last)| *last = place)
            .or_insert((place, place));
    }
    let key = |name: &str| name.rsplit_once('@').unwrap().0.to_owned();
    let late = places.iter().filter(|(older, (first, _))| {
        places.iter().any(|(newer, (_, last))| {
            key(older) == key(newer)
                && ranks[newer.as_str()] > ranks[older.as_str()]
                && last < first
        })
    });
    late.map(|(name, _)| name.clone()).collect()
}

/// Findings without the time of their version in the bucket: an event may claim another.
fn at_another_time<'a>(rows: &[PlannedVersion], all: &'a [Finding]) -> Vec<&'a Finding> {
    let times: BTreeMap<_, _> = rows
        .iter()
        .map(|row| &row.version)
        .map(|of| ((&*of.key, &*of.version_id), of.last_modified))
        .collect();
    let found = all.iter().filter(|finding| {
        let key = finding.key.as_deref().unwrap();
        let version = finding.version_id.as_deref().unwrap();
        let version = version.trim_end_matches("-new");
        finding.time != times.get(&(key, version)).copied()
    });
    found.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_whole_copy_is_right_in_any_format_and_its_digest_is_the_same_in_any_order(
        keys in keys(), kinds in prop::collection::vec(any::<u8>(), 1..9), seed: u64
    ) {
        let rows = bucket(&keys);
        let events = events(&rows);
        let lines: Vec<_> = events.iter().zip(kinds.iter().cycle()).map(|(e, k)| any_line(e, *k)).collect();
        let whole = found(&scope(|_| {}), &rows, &lines);
        prop_assert_eq!(whole.counts(), [0; 6]);
        prop_assert!(whole.report.is_right(true));
        prop_assert_eq!((whole.report.compared, whole.report.expected), (rows.len() as u64, rows.len() as u64));
        let mut shuffled = lines;
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let other = found(&scope(|_| {}), &rows, &shuffled);
        prop_assert_eq!(&other.report.digest, &whole.report.digest);
        shuffled.pop();
        prop_assert_ne!(&found(&scope(|_| {}), &rows, &shuffled).report.digest, &whole.report.digest);
    }

    #[test]
    fn what_was_removed_repeated_or_altered_is_named_and_nothing_else(
        keys in keys(), harms in prop::collection::vec((any::<prop::sample::Index>(), harm(), any::<u8>()), 0..9)
    ) {
        let rows = bucket(&keys);
        let mut told: Vec<Vec<Event>> = events(&rows).into_iter().map(|event| vec![event]).collect();
        let mut expected: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        let mut harmed = HashSet::new();
        let mut first_missing: BTreeMap<String, u64> = BTreeMap::new();
        for (index, harm, _) in &harms {
            let place = index.index(rows.len());
            if !harmed.insert(place) {
                continue;
            }
            let event = &mut told[place][0];
            let name = name(event);
            let mut note = |kind, name: &String| expected.entry(kind).or_default().push(name.clone());
            match harm {
                Harm::Remove => {
                    note(Kind::Missing, &name);
                    told[place].clear();
                }
                Harm::Repeat => {
                    note(Kind::Repeated, &name);
                    let again = event.clone();
                    told[place].push(again);
                }
                Harm::Size | Harm::Tag if event.size.is_none() => {}
                Harm::Size => {
                    note(Kind::Changed, &name);
                    event.size = event.size.map(|size| size + 1);
                }
                Harm::Tag => {
                    note(Kind::Changed, &name);
                    event.e_tag = Some("other".to_owned());
                }
                Harm::Time => {
                    note(Kind::Changed, &name);
                    event.event_time = Timestamp(event.event_time.0 + 1);
                }
                Harm::Id => {
                    note(Kind::Changed, &name);
                    event.event_id = event.event_id.replace(char::is_numeric, "x");
                }
                Harm::Version => {
                    note(Kind::Missing, &name);
                    event.version_id.push_str("-new");
                    note(Kind::Unknown, &self::name(event));
                }
            }
            if matches!(harm, Harm::Remove | Harm::Version) {
                let row = &rows[place];
                let rank = first_missing.entry(row.version.key.clone()).or_insert(row.rank);
                *rank = row.rank.min(*rank);
            }
        }
        let lines: Vec<_> = told.iter().flatten().map(line).collect();
        let found = found(&scope(|_| {}), &rows, &lines);
        for kind in Kind::ALL {
            let mut expected = expected.remove(&kind).unwrap_or_default();
            expected.sort();
            prop_assert_eq!(found.names(kind), expected, "{:?}", kind);
        }
        prop_assert_eq!(at_another_time(&rows, &found.all), Vec::<&Finding>::new());
        let mut gaps = found.gaps;
        gaps.sort();
        prop_assert_eq!(gaps, first_missing.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn what_was_swapped_moved_or_repeated_later_is_out_of_order_by_the_definition(
        keys in keys(),
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 0..9)
    ) {
        let rows = bucket(&keys);
        let mut told = events(&rows);
        let mut repeats = 0;
        for (one, other, is_repeat) in &moves {
            let (one, other) = (one.index(told.len()), other.index(told.len()));
            if *is_repeat {
                let again = told[one].clone();
                told.insert(other, again);
                repeats += 1;
            } else {
                told.swap(one, other);
            }
        }
        let lines: Vec<_> = told.iter().map(line).collect();
        let found = found(&scope(|_| {}), &rows, &lines);
        prop_assert_eq!(found.names(Kind::OutOfOrder), out_of_order(&rows, &told));
        prop_assert_eq!(found.counts()[..3].to_vec(), vec![0, 0, repeats]);
        prop_assert_eq!(at_another_time(&rows, &found.all), Vec::<&Finding>::new());
        prop_assert!(found.report.is_right(false) == found.names(Kind::OutOfOrder).is_empty());
    }
}

#[test]
fn the_source_of_a_line_decides_whether_its_time_is_compared() {
    let rows = bucket(&[1]);
    let mut event = events(&rows).remove(0);
    event.event_time = Timestamp(event.event_time.0 + 250);
    event.source = Source::Realtime;
    assert_eq!(
        found(&scope(|_| {}), &rows, &[line(&event)]).counts(),
        [0; 6]
    );
    assert_eq!(
        found(&scope(|_| {}), &rows, &[any_line(&event, 1)]).counts(),
        [0; 6]
    );
    assert_eq!(
        found(&scope(|_| {}), &rows, &[any_line(&event, 3)]).counts(),
        [0, 0, 0, 0, 1, 0]
    );
}
