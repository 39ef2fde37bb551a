use super::*;
use crate::event::{Change, Source};

/// `v1@10` came in second 10; `u…` is an upload in parts, `m…` a marker; what is behind the slash is the time
/// that it is listed with: `u3@10/4`.
fn version(word: &str) -> Version {
    let (id, time) = word.split_once('@').unwrap();
    let second = |text: &str| Timestamp(text.parse::<i64>().unwrap() * 1000);
    let listed = time.split_once('/').map_or(time, |(_, listed)| listed);
    let is_delete_marker = id.starts_with('m');
    let dash = if id.starts_with('u') { "-2" } else { "" };
    Version {
        id: id.to_owned(),
        is_delete_marker,
        last_modified: second(listed),
        effective_time: second(listed),
        e_tag: (!is_delete_marker).then(|| format!("{id}{dash}")),
        size: None,
    }
}

fn listed(words: &str) -> Listed {
    let mut versions: Vec<Version> = words.split_whitespace().map(version).collect();
    let mut latest = Timestamp(i64::MIN);
    for version in &mut versions {
        latest = latest.max(version.last_modified);
        version.effective_time = latest;
    }
    Listed {
        versions,
        is_cut: false,
    }
}

fn ids(listed: &Listed, run: &Run) -> String {
    let ids = run.places.iter().map(|place| &listed.versions[*place].id);
    let ids: Vec<&str> = ids.map(String::as_str).collect();
    ids.join(" ") + if run.is_again { " again" } else { "" }
}

/// What is known once `words` were sent, of which nothing was known before.
fn sent(words: &str) -> Sent {
    let listed = listed(words);
    let run = from(&listed, Timestamp(i64::MIN), &[]);
    after(&listed, None, &run, run.places.len()).unwrap()
}

fn event(id: &str) -> Event {
    let what = match id.as_bytes()[0] {
        b'm' => (Change::Removed, "ObjectRemoved:DeleteMarkerCreated"),
        _ => (Change::Created, "ObjectCreated:Put"),
    };
    Event::new(Source::Realtime, "ledger", "k", id, what, Timestamp(0))
}

#[test]
fn what_stands_behind_the_last_one_is_sent() {
    for (before, now, expected) in [
        ("v1@1", "v1@1", ""),
        ("v1@1", "v1@1 v2@1 m3@1", "v2 m3"),
        // The clock was put back.
        ("v1@9", "v1@9 v2@5", "v2"),
        // The last is gone: its second and the names in it tell.
        ("v1@1 v2@5", "v1@1 v3@5 v4@6", "v3 v4"),
        ("v1@1 v2@5 v3@5", "v2@5 v4@5", "v4"),
        ("v1@1 v2@5", "v1@1", ""),
        ("v1@1", "", ""),
        // An upload that ended late, and what is newer again.
        ("v1@1 v3@5", "v1@1 u2@6/3 v3@5", "u2 v3 again"),
        ("v1@1 v3@5", "v1@1 u2@6/3 v3@5 v4@7", "u2 v3 v4 again"),
        // It is known when it is sent.
        ("v1@1 u2@3 v3@5", "v1@1 u2@3 v3@5", ""),
        // And it is found where the last one is gone.
        ("v1@1 v3@5", "v1@1 u2@6/3 v4@5", "u2 v4 again"),
        // A marker of a lifecycle rule is dated midnight.
        ("v1@90000", "v1@90000 m2@95000/86400", "m2"),
    ] {
        let listed = listed(now);
        let run = behind(&listed, &sent(before), &[], false);
        assert_eq!(ids(&listed, &run), expected, "{before} -> {now}");
        assert_eq!(run.is_to_be_noted, run.is_again, "{before} -> {now}");
    }
}

#[test]
fn a_null_version_that_was_replaced_in_place_is_another_one() {
    let mut after = listed("v1@1 v2@7");
    for version in &mut after.versions {
        version.id = "null".to_owned();
    }
    let mut before = after.clone();
    before.versions.pop();
    after.versions.remove(0);
    let run = from(&before, Timestamp(0), &[]);
    let sent = super::after(&before, None, &run, 1).unwrap();
    let run = behind(&after, &sent, &[], false);
    assert_eq!(run.places, [0]);
}

#[test]
fn without_an_item_a_run_begins_at_the_boundary_or_with_what_is_reported() {
    for (now, boundary, reported, expected) in [
        ("v1@1 v2@5 v3@9", 5, "", "v2 v3"),
        ("v1@1 v2@5 v3@9", 6, "", "v3"),
        ("v1@1 v2@5 v3@9", 10, "", ""),
        // Older than the boundary, and reported: from there on, leaving out none.
        ("v1@1 v2@5 v3@9", 9, "v1", "v1 v2 v3"),
        ("v1@1 v2@5 v3@9", 10, "v2", "v2 v3"),
        ("v1@1", 1, "v0", "v1"),
        // What may have come later than its time says stands directly before.
        ("v1@1 u2@8/4 v3@9", 9, "", "u2 v3"),
        ("v1@1 u2@8/4 v3@5 v4@9", 9, "", "v4"),
        ("v1@90000 m2@95000/86400 v3@99000", 98_000, "", "m2 v3"),
    ] {
        let listed = listed(now);
        let reported: Vec<Event> = reported.split_whitespace().map(event).collect();
        let reported: Vec<&Event> = reported.iter().collect();
        let run = from(&listed, Timestamp(boundary * 1000), &reported);
        assert_eq!(ids(&listed, &run), expected, "{now} from {boundary}");
    }
    // Uploads longer than an item lasts are not thought of: they would be sent again with each new item.
    let day = 86_400;
    let old = format!("u1@{}/0 v2@{}", 17 * day, 17 * day);
    let listed = listed(&old);
    let run = from(&listed, Timestamp(17 * day * 1000), &[]);
    assert_eq!(ids(&listed, &run), "v2");
}

#[test]
fn an_upload_that_was_there_at_first_is_sent_once_it_is_reported() {
    let listed = listed("u1@9/1 v2@8");
    let run = from(&listed, Timestamp(8_000), &[&event("v2")]);
    // It stands directly before the boundary's first, but for this test it is not sent.
    let run = Run {
        places: run.places.into_iter().filter(|place| *place == 1).collect(),
        ..run
    };
    let known = after(&listed, None, &run, 1).unwrap();
    assert_eq!(ids(&listed, &behind(&listed, &known, &[], false)), "");
    let reported = event("u1");
    let run = behind(&listed, &known, &[&reported], false);
    assert_eq!(ids(&listed, &run), "u1 v2 again");
    let known = after(&listed, Some(known), &run, 2).unwrap();
    let run = behind(&listed, &known, &[&reported], false);
    assert_eq!(ids(&listed, &run), "", "told twice");
}

#[test]
fn a_run_that_was_broken_off_is_begun_again() {
    let listed = listed("v1@1 v2@5 v3@9");
    let begun = [version("v9@4").identity(), listed.versions[1].identity()];
    let run = |sent_words| behind(&listed, &sent(sent_words), &[], true);
    let run_again = run("v1@1 v2@5 v3@9").with_begun(&listed, &begun, Timestamp(0));
    assert_eq!(ids(&listed, &run_again), "v2 v3 again");
    let run_on = run("v1@1").with_begun(&listed, &begun, Timestamp(0));
    assert_eq!(ids(&listed, &run_on), "v2 v3");
    let of_history = run("v1@1 v2@5 v3@9").with_begun(&listed, &begun, Timestamp(6_000));
    assert_eq!(ids(&listed, &of_history), "v3 again");
    let gone = version("v9@9").identity();
    let run = run("v1@1 v2@5").with_begun(&listed, &[gone], Timestamp(0));
    assert_eq!(ids(&listed, &run), "v3");
}

#[test]
fn what_is_confirmed_is_what_is_known() {
    let listed = listed("v1@1 u2@5 v3@5 v4@5");
    let run = from(&listed, Timestamp(0), &[]);
    let identity = |place: usize| listed.versions[place].identity();
    assert_eq!(after(&listed, None, &run, 0), None);
    let known = after(&listed, None, &run, 3).unwrap();
    assert_eq!(known.last, identity(2));
    assert_eq!(known.effective_time, Timestamp(5_000));
    let mut of_that_time = vec![identity(1), identity(2)];
    of_that_time.sort();
    assert_eq!(known.of_that_time, of_that_time);
    assert_eq!(known.dated_back, [identity(1)]);
    assert!(known.assumed.is_empty());
    let rest = behind(&listed, &known, &[], false);
    assert_eq!(ids(&listed, &rest), "v4");
    // Nothing confirmed, nothing changes.
    let same = after(&listed, Some(known.clone()), &rest, 0);
    assert_eq!(same, Some(known));
}

#[test]
fn so_many_uploads_are_known_by_name_and_older_ones_by_their_time() {
    let words: Vec<String> = (0..300).map(|n| format!("u{n}@{n}")).collect();
    let mut all = listed(&words.join(" "));
    let run = from(&all, Timestamp(0), &[]);
    let known = after(&all, None, &run, 300).unwrap();
    assert_eq!(known.dated_back.len(), MOST_NAMED);
    assert_eq!(known.named_since, Timestamp(100_000));
    assert_eq!(ids(&all, &behind(&all, &known, &[], false)), "");
    // Where the older pages are not read, their names are kept.
    all.versions.drain(..290);
    all.is_cut = true;
    all.versions.push(version("v1@300"));
    let run = behind(&all, &known, &[], false);
    assert_eq!(ids(&all, &run), "v1");
    let cut = after(&all, Some(known.clone()), &run, 1).unwrap();
    assert_eq!(cut.dated_back, known.dated_back);
}
