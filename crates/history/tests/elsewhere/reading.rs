//! Good plans: what is in them is what is sent.

use std::collections::BTreeMap;

use bridge_core::timestamp::Timestamp;
use bridge_history::plan::depth::Width;
use bridge_history::scan::filter::Filter;
use parquet::file::properties::WriterProperties;
use serde_json::json;

use crate::adopting::{AT_ONCE, How, INTERRUPTED, adopt, places};
use crate::writing::{ROWS, Row, columns, file, good, manifest, nullable_in_another_order, run};

#[test]
fn runs_that_follow_each_other_or_overlap_are_sent_in_order_interrupted_or_not() {
    let (one, two) = (good(&ROWS[..2]), good(&ROWS[2..]));
    let apart = [run("r/1", &ROWS[..2], &one), run("r/2", &ROWS[2..], &two)];
    let (odd, even) = ([ROWS[0], ROWS[2]], [ROWS[1], ROWS[3]]);
    let (three, four) = (good(&odd), good(&even));
    let overlapping = [run("r/3", &odd, &three), run("r/4", &even, &four)];
    let files = [("r/1", one), ("r/2", two), ("r/3", three), ("r/4", four)];
    for runs in [&apart, &overlapping] {
        for how in [AT_ONCE, INTERRUPTED] {
            let sent = adopt(&files, &manifest(runs), &Filter::default(), how).unwrap();
            assert_eq!(
                places(&sent),
                ROWS.map(|(time, key, rank)| (time, key, rank.cast_unsigned()))
            );
            assert_eq!(sent.manifest.summary.events, 4);
            assert_eq!(sent.manifest.listed, 4);
            assert_eq!(sent.segments > 1, how.is_interrupted, "{}", sent.segments);
            let row = &sent.rows[2].version;
            assert_eq!(row.version_id, "version_id-1");
            assert_eq!((row.size, row.e_tag.as_deref()), (Some(1), Some("etag-1")));
        }
    }
}

#[test]
fn filters_choose_as_of_a_listing_and_the_present_state_is_found_by_key() {
    let file = good(&ROWS);
    let manifest = manifest(&[run("r", &ROWS, &file)]);
    let files = [("r", file)];
    let filter = |change: fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        filter
    };
    for (filter, expected) in [
        (filter(|f| f.prefix = "b".into()), vec![(1, "b", 0)]),
        (filter(|f| f.from = Some(Timestamp(3))), vec![(3, "a", 2)]),
        (
            filter(|f| f.until = Some(Timestamp(2))),
            vec![(1, "a", 0), (1, "b", 0)],
        ),
        (
            filter(|f| f.current_only = true),
            vec![(1, "b", 0), (3, "a", 2)],
        ),
        (
            filter(|f| (f.current_only, f.until) = (true, Some(Timestamp(3)))),
            vec![(1, "b", 0), (2, "a", 1)],
        ),
        (
            filter(|f| (f.current_only, f.from) = (true, Some(Timestamp(2)))),
            vec![(3, "a", 2)],
        ),
    ] {
        for how in [AT_ONCE, INTERRUPTED] {
            let sent = adopt(&files, &manifest, &filter, how).unwrap();
            assert_eq!(places(&sent), expected, "{filter:?}");
            assert_eq!(
                sent.rows[0].version.last_modified,
                sent.rows[0].effective_time
            );
            assert_eq!(sent.manifest.summary.events, expected.len() as u64);
        }
    }
}

#[test]
fn usual_writers_are_read() {
    let dictionary = WriterProperties::builder().set_dictionary_enabled(true);
    let snappy = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY);
    let plain = WriterProperties::builder().set_dictionary_enabled(false);
    for properties in [dictionary, snappy, plain] {
        let file = file(&columns(), &ROWS, properties.build());
        let manifest = manifest(&[run("r", &ROWS, &file)]);
        let sent = adopt(&[("r", file)], &manifest, &Filter::default(), AT_ONCE).unwrap();
        assert_eq!(sent.rows.len(), 4);
    }
    let empty = adopt(&[], &manifest(&[]), &Filter::default(), AT_ONCE).unwrap();
    assert_eq!(empty.rows, []);
}

#[test]
fn keys_whose_order_is_a_guess_are_told_of_as_their_manifest_does() {
    let file = good(&ROWS);
    let mut manifest = manifest(&[run("r", &ROWS, &file)]);
    let guessed = json!({ "keys": 2, "first": "a" });
    manifest["summary"]["ambiguous"] = guessed.clone();
    for how in [AT_ONCE, INTERRUPTED] {
        let files = [("r", file.clone())];
        let sent = adopt(&files, &manifest, &Filter::default(), how).unwrap();
        let told = serde_json::to_value(&sent.manifest.summary.ambiguous).unwrap();
        assert_eq!(told, guessed);
    }
}

#[test]
fn columns_are_found_by_name_and_may_be_called_nullable() {
    let file = file(
        &nullable_in_another_order(),
        &ROWS,
        WriterProperties::builder().build(),
    );
    let manifest = manifest(&[run("r", &ROWS, &file)]);
    for how in [AT_ONCE, INTERRUPTED] {
        let files = [("r", file.clone())];
        let read = adopt(&files, &manifest, &Filter::default(), how).unwrap();
        let good = good(&ROWS);
        let of_good = self::manifest(&[run("r", &ROWS, &good)]);
        let expected = adopt(&[("r", good)], &of_good, &Filter::default(), how).unwrap();
        assert_eq!(read.rows, expected.rows);
        assert_eq!(read.rows.len(), 4);
    }
}

#[test]
fn the_present_state_is_found_however_few_runs_are_read_at_the_same_time() {
    // 30 runs of two rows each; each key is in several of them.
    const KEYS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
    let rows: Vec<Row> = (0..60)
        .map(|n: i64| (n, KEYS[usize::try_from(n * n % 7).unwrap()], n))
        .collect();
    let file = good(&rows);
    let manifest = manifest(&[run("r", &rows, &file)]);
    let filter = Filter {
        current_only: true,
        until: Some(Timestamp(50)),
        ..Filter::default()
    };
    let mut newest = BTreeMap::new();
    for (time, key, rank) in rows.iter().filter(|(time, ..)| *time < 50) {
        newest.insert(*key, (*time, *key, rank.cast_unsigned()));
    }
    let mut expected: Vec<_> = newest.into_values().collect();
    expected.sort_unstable();
    for is_interrupted in [false, true] {
        let how = How {
            is_interrupted,
            in_small_runs: true,
            width: Width {
                runs: 2,
                bytes: 1 << 20,
            },
        };
        let files = [("r", file.clone())];
        let sent = adopt(&files, &manifest, &filter, how).unwrap();
        assert_eq!(places(&sent), expected);
        let merged = sent.written.iter().filter(|name| name.contains("-merged"));
        let merged = merged.count();
        assert!(merged > 10, "{merged} merged runs: {:?}", sent.written);
        let few = adopt(&files, &manifest, &filter, AT_ONCE).unwrap();
        assert_eq!(few.rows, sent.rows);
        assert!(few.written.len() < 5, "{:?}", few.written);
    }
}
