//! What is not wrong, and what is where it looks lawful.

use std::sync::Arc;

use bridge_core::event::{Change, Event, Source};
use bridge_core::listing::version::{ObjectVersion, PlannedVersion};
use bridge_core::timestamp::Timestamp;
use bridge_history::scan::filter::Events;
use bridge_history::verify::heal::{first_missing, note_gap};
use bridge_history::verify::intake::Intake;
use bridge_history::verify::report::{Findings, Kind};
use bridge_history::verify::scope::Scope;
use bridge_history::verify::scratch::Scratch;
use bridge_history::verify::sorter::Sorter;

use crate::memory::{BUCKET, Files, Found, found, line, scope};

const CREATED: (Change, &str) = (Change::Created, "ObjectCreated:Put");
const REMOVED: (Change, &str) = (Change::Removed, "ObjectRemoved:DeleteMarkerCreated");
const DELETED: (Change, &str) = (Change::Deleted, "ObjectRemoved:Delete");

/// A version of key `k`, listed at `time`.
fn row(id: &str, rank: u64, time: i64, tag: Option<&str>) -> PlannedVersion {
    PlannedVersion {
        effective_time: Timestamp(time),
        rank,
        version: ObjectVersion {
            key: "k".to_owned(),
            version_id: id.to_owned(),
            last_modified: Timestamp(time),
            is_latest: false,
            is_delete_marker: tag.is_none(),
            size: tag.map(|_| 1),
            e_tag: tag.map(str::to_owned),
        },
    }
}

/// A live event of key `k`.
fn live(id: &str, what: (Change, &str), time: i64, tag: Option<&str>, sequencer: &str) -> String {
    line(&Event {
        sequencer: Some(sequencer.to_owned()),
        size: tag.map(|_| 1),
        e_tag: tag.map(str::to_owned),
        ..Event::new(Source::Realtime, BUCKET, "k", id, what, Timestamp(time))
    })
}

fn all(rows: &[PlannedVersion], lines: &[String]) -> Found {
    found(&scope(|_| {}), rows, lines)
}

#[test]
fn a_version_whose_removal_is_told_is_not_unknown() {
    let made = live("v1", CREATED, 5, Some("a"), "1");
    let removed = live("v1", DELETED, 9, None, "2");
    for lines in [
        [made.clone(), removed.clone()],
        [removed.clone(), made.clone()],
    ] {
        let found = all(&[], &lines);
        assert_eq!((found.counts(), found.report.removed_for_good), ([0; 6], 1));
    }
    assert_eq!(all(&[], std::slice::from_ref(&removed)).counts(), [0; 6]);
    assert_eq!(all(&[], &[made]).names(Kind::Unknown), ["k@v1"]);
}

#[test]
fn a_removal_of_what_is_there_is_unknown_but_not_in_a_plan_from_earlier() {
    let rows = [row("v1", 0, 5, Some("a"))];
    let removed = live("v1", DELETED, 9, None, "2");
    let lines = [live("v1", CREATED, 5, Some("a"), "1"), removed.clone()];
    assert_eq!(all(&rows, &lines).counts(), [0, 1, 0, 0, 0, 0]);
    let frozen = scope(|scope| scope.is_frozen = true);
    assert_eq!(found(&frozen, &rows, &lines).counts(), [0; 6]);
    // Removed before it was read, so told by its removal only.
    assert_eq!(found(&frozen, &rows, &[removed]).counts(), [0; 6]);
}

#[test]
fn overwrites_of_an_object_without_versions_are_replaced() {
    let rows = [row("null", 0, 30, Some("c"))];
    let overwrites = [("a", 10, "1"), ("b", 20, "2"), ("c", 30, "3")];
    let lines =
        overwrites.map(|(tag, time, sequencer)| live("null", CREATED, time, Some(tag), sequencer));
    let found = all(&rows, &lines);
    assert_eq!((found.counts(), found.report.replaced), ([0; 6], 2));
    assert_eq!(found.report.compared, 1);
    // The last one is lost; what is missing has another content than all that came.
    assert_eq!(all(&rows, &lines[..2]).names(Kind::Missing), ["k@null"]);
    // A marker of suspended versioning replaced them all.
    let marker = [row("null", 0, 40, None)];
    assert_eq!(all(&marker, &lines).names(Kind::Missing), ["k@null"]);
    let with_marker = [&lines[..], &[live("null", REMOVED, 40, None, "4")]].concat();
    assert_eq!(all(&marker, &with_marker).counts(), [0; 6]);
    // The same notification twice.
    let twice = [&lines[..], &lines[2..]].concat();
    assert_eq!(all(&rows, &twice).counts(), [0, 0, 1, 0, 0, 0]);
    assert_eq!(all(&[], &lines).counts(), [0, 3, 0, 0, 0, 0]);
}

#[test]
fn an_object_without_versions_that_claims_the_listed_time_and_another_content_is_changed() {
    let rows = [row("null", 0, 30, Some("c"))];
    let mut event = rows[0].clone().into_event(BUCKET, "20240501-1a2b3c4d-1", 1);
    event.e_tag = Some("d".to_owned());
    assert_eq!(all(&rows, &[line(&event)]).names(Kind::Changed), ["k@null"]);
}

/// What a reseed tells of a row.
fn replayed(row: &PlannedVersion) -> String {
    line(&row.clone().into_event(BUCKET, "20240501-1a2b3c4d-1", 1))
}

#[test]
fn an_overwrite_with_the_content_that_was_there_is_told_by_its_time() {
    let (before, now) = (
        row("null", 0, 1_000, Some("a")),
        row("null", 0, 9_000, Some("a")),
    );
    let again = live("null", CREATED, 9_200, Some("a"), "2");
    // A reseed told what was there, then the same content came again.
    let found = all(
        std::slice::from_ref(&now),
        &[replayed(&before), again.clone()],
    );
    assert_eq!((found.counts(), found.report.replaced), ([0; 6], 1));
    // The newer one is lost, whichever way the older one came.
    let older = live("null", CREATED, 1_100, Some("a"), "1");
    for older in [replayed(&before), older] {
        let found = all(std::slice::from_ref(&now), &[older]);
        assert_eq!(found.names(Kind::Missing), ["k@null"]);
    }
    // A plan from earlier, and a later job.
    let frozen = scope(|scope| scope.is_frozen = true);
    let lines = [replayed(&before), replayed(&now)];
    let found = crate::memory::found(&frozen, std::slice::from_ref(&before), &lines);
    assert_eq!((found.counts(), found.report.replaced), ([0; 6], 1));
}

#[test]
fn an_object_without_versions_that_came_again_is_not_removed_by_what_was_before() {
    let removed = live("null", DELETED, 5_000, None, "2");
    let (old, new) = (
        live("null", CREATED, 1_000, Some("a"), "1"),
        live("null", CREATED, 9_000, Some("b"), "3"),
    );
    // Its second removal is lost: the file has what the bucket has not.
    let found = all(&[], &[old.clone(), removed.clone(), new.clone()]);
    assert_eq!(found.counts(), [0, 1, 0, 0, 0, 0]);
    // Its second coming is lost.
    let rows = [row("null", 0, 9_000, Some("b"))];
    let frozen = scope(|scope| scope.is_frozen = true);
    let found = crate::memory::found(&frozen, &rows, &[old, removed]);
    assert_eq!(found.names(Kind::Missing), ["k@null"]);
    // Removed since the plan was made.
    let later = live("null", DELETED, 9_500, None, "4");
    assert_eq!(
        crate::memory::found(&frozen, &rows, &[later]).counts(),
        [0; 6]
    );
}

#[test]
fn an_object_without_versions_that_came_on_both_paths_is_late_behind_what_is_newer() {
    let rows = [
        row("null", 0, 10_000, Some("a")),
        row("v", 1, 20_000, Some("x")),
    ];
    let null = [
        live("null", CREATED, 10_000, Some("a"), "1"),
        replayed(&rows[0]),
    ];
    let version = live("v", CREATED, 20_000, Some("x"), "2");
    let late = [std::slice::from_ref(&version), &null[..]].concat();
    assert_eq!(all(&rows, &late).names(Kind::OutOfOrder), ["k@null"]);
    let beside = [&null[..1], &[version], &null[1..]].concat();
    assert_eq!(all(&rows, &beside).counts(), [0; 6]);
}

#[test]
fn a_text_longer_than_any_is_unreadable_and_the_rest_is_compared() {
    let rows = [row("v", 0, 10, Some("a"))];
    let mut long = Event::new(Source::Realtime, BUCKET, "k", "v", CREATED, Timestamp(10));
    long.key = "k".repeat(17 << 20);
    let found = all(&rows, &[line(&long), replayed(&rows[0])]);
    assert_eq!(found.counts(), [0, 0, 0, 0, 0, 1]);
}

#[test]
fn several_overwrites_of_one_content_are_in_no_order() {
    let rows = [row("v", 0, 20, Some("x")), row("null", 1, 30, Some("a"))];
    let lines = [
        live("null", CREATED, 10, Some("a"), "1"),
        live("v", CREATED, 20, Some("x"), "2"),
        live("null", CREATED, 30, Some("a"), "3"),
    ];
    assert_eq!(all(&rows, &lines).counts(), [0; 6]);
    assert_eq!(all(&rows, &lines[..2]).names(Kind::OutOfOrder), ["k@v"]);
}

#[test]
fn a_rewind_is_not_out_of_order() {
    let rows: Vec<_> = (0..3)
        .map(|n| row(&format!("v{n}"), n, 10, Some("a")))
        .collect();
    let told = |order: &[usize]| -> [u64; 6] {
        let lines: Vec<_> = order
            .iter()
            .map(|n| live(&format!("v{n}"), CREATED, 10, Some("a"), "1"))
            .collect();
        all(&rows, &lines).counts()
    };
    assert_eq!(told(&[0, 1, 2, 1, 2]), [0, 0, 2, 0, 0, 0]);
    assert_eq!(told(&[0, 2, 1, 2]), [0, 0, 1, 0, 0, 0]);
    assert_eq!(told(&[0, 2, 1]), [0, 0, 0, 1, 0, 0]);
}

#[test]
fn what_was_not_asked_for_is_outside() {
    let rows = [
        row("v1", 0, 10, Some("a")),
        row("m1", 1, 20, None),
        row("v2", 2, 30, Some("b")),
    ];
    let lines = [
        live("v1", CREATED, 10, Some("a"), "1"),
        live("m1", REMOVED, 20, None, "2"),
        live("v2", CREATED, 30, Some("b"), "3"),
        live("gone", CREATED, 1, Some("b"), "0"),
    ];
    let none = |s: &mut Scope| s.filter.prefix = "other".to_owned();
    for (change, expected, outside, unknown) in [
        ((|_| {}) as fn(&mut Scope), 3, 0, 1),
        (|s| s.filter.from = Some(Timestamp(15)), 2, 2, 0),
        (|s| s.filter.until = Some(Timestamp(15)), 1, 2, 1),
        (
            |s| (s.filter.until, s.is_until_given) = (Some(Timestamp(1)), true),
            0,
            4,
            0,
        ),
        (|s| s.filter.events = Events::Removed, 1, 3, 0),
        (|s| s.filter.events = Events::Created, 2, 1, 1),
    ] {
        let found = found(&scope(change), &rows, &lines);
        let report = &found.report;
        assert_eq!(
            (report.expected, report.outside),
            (expected, outside),
            "{report:?}"
        );
        assert_eq!(found.counts(), [0, unknown, 0, 0, 0, 0]);
    }
    let found = found(&scope(none), &[], &lines);
    assert_eq!((found.counts(), found.report.outside), ([0; 6], 4));
}

#[test]
fn what_is_missing_behind_the_newest_event_is_counted_apart() {
    let rows = [
        row("v1", 0, 10, Some("a")),
        row("v2", 1, 20, Some("b")),
        row("v3", 2, 30, Some("c")),
    ];
    let found = all(&rows, &[live("v2", CREATED, 20, Some("b"), "1")]);
    assert_eq!(
        (found.report.missing, found.report.missing_after_newest),
        (2, 1)
    );
    assert_eq!(found.report.newest, Some(Timestamp(20)));
    assert_eq!(found.gaps, [("k".to_owned(), 0)]);
}

#[test]
fn other_buckets_and_lines_that_are_no_events_are_told() {
    let other = Event::new(Source::Realtime, "other", "k", "v1", CREATED, Timestamp(1));
    let found = all(&[], &[line(&other), "{".to_owned(), String::new()]);
    assert_eq!(found.counts(), [0, 0, 0, 0, 0, 1]);
    assert_eq!((found.report.other_bucket, found.report.lines), (1, 3));
    assert_eq!(found.report.examples.unreadable[0].line, Some(2));
    assert!(!found.report.is_right(false));
}

#[test]
fn what_was_handed_over_without_order_says_nothing_of_it() {
    let rows = [
        row("v1", 0, 1_000, Some("a")),
        row("v2", 1, 2_000, Some("b")),
    ];
    let lines = [
        live("v2", CREATED, 2_000, Some("b"), "2"),
        live("v1", CREATED, 1_000, Some("a"), "1"),
    ];
    assert_eq!(all(&rows, &lines).names(Kind::OutOfOrder), ["k@v1"]);
    let unordered = scope(|scope| scope.has_order = false);
    let found = found(&unordered, &rows, &lines);
    assert_eq!((found.counts(), found.report.compared), ([0; 6], 2));
}

#[test]
fn of_each_key_that_lacks_something_its_first_missing_version_is_handed_out() {
    let scratch: Arc<dyn Scratch> = Arc::new(Files::default());
    let (scope, mut findings) = (scope(|_| {}), Findings::new(0, None));
    let mut rows = Sorter::new(Arc::clone(&scratch), 2_000, 0);
    let mut intake = Intake::new(&scope, &mut rows, &mut findings);
    for (key, rank) in [("a", 0), ("b", 0), ("b", 1), ("b", 2), ("c", 0), ("d", 0)] {
        let mut row = row(&format!("{key}{rank}"), rank, 1_000, Some("e"));
        row.version.key = key.to_owned();
        intake.row(&row).unwrap();
    }
    let mut gaps = Sorter::new(scratch, 2_000, 1 << 40);
    note_gap(&mut gaps, "b", 1).unwrap();
    note_gap(&mut gaps, "d", 0).unwrap();
    let mut found = vec![];
    first_missing(&rows.finish().unwrap(), &gaps.finish().unwrap(), |row| {
        found.push(row.version.version_id);
        Ok(())
    })
    .unwrap();
    assert_eq!(found, ["b1", "d0"]);
}
