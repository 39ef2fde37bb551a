//! Files that are not what they should be inside.

use bridge_history::scan::filter::Filter;
use parquet::file::properties::WriterProperties;

use crate::adopting::{AT_ONCE, INTERRUPTED, Objects, Plan, adopt, refused};
use crate::writing::{
    ROWS, Row, columns, file_with_null, good, manifest, nullable_in_another_order, run,
};

#[test]
fn rows_out_of_order_are_named_with_their_place() {
    let swapped = [ROWS[0], ROWS[2], ROWS[1], ROWS[3]];
    let twice = [ROWS[0], ROWS[1], ROWS[1], ROWS[3]];
    for rows in [swapped, twice] {
        let file = good(&rows);
        let manifest = manifest(&[run("r", &rows, &file)]);
        refused(file, &manifest, &["s3://plans/p/r", "row group", "sorted"]);
    }
    // In two runs that overlap.
    let file = good(&ROWS);
    let runs = [run("r", &ROWS, &file), run("r2", &ROWS, &file)];
    let files = [("r", file.clone()), ("r2", file)];
    let error = adopt(&files, &manifest(&runs), &Filter::default(), AT_ONCE)
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("a row is in it twice"),
        "{error}"
    );
}

#[test]
fn a_damaged_or_truncated_file_is_named() {
    let mut damaged = good(&ROWS);
    for byte in &mut damaged[4..40] {
        *byte = 0xff;
    }
    let rows = manifest(&[run("r", &ROWS, &damaged)]);
    refused(damaged, &rows, &["s3://plans/p/r", "row 1 (row group 0)"]);
    let mut truncated = good(&ROWS);
    let whole = manifest(&[run("r", &ROWS, &truncated)]);
    truncated.truncate(truncated.len() / 2);
    refused(
        truncated,
        &whole,
        &["r", "size is not what the manifest says"],
    );
}

#[test]
fn a_null_where_none_may_be_is_named_with_its_row_and_column() {
    let columns = nullable_in_another_order();
    for name in [
        "effective_time",
        "key",
        "rank",
        "version_id",
        "last_modified",
        "is_delete_marker",
        "is_latest",
    ] {
        let null = Some((name, 3));
        let file = file_with_null(&columns, &ROWS, WriterProperties::builder().build(), null);
        let rows = manifest(&[run("r", &ROWS, &file)]);
        let column = format!("column {name} is null");
        refused(
            file,
            &rows,
            &["s3://plans/p/r: row 4 (row group 1)", &column],
        );
    }
    for name in ["size", "etag"] {
        let null = Some((name, 3));
        let file = file_with_null(&columns, &ROWS, WriterProperties::builder().build(), null);
        let rows = manifest(&[run("r", &ROWS, &file)]);
        let sent = adopt(&[("r", file)], &rows, &Filter::default(), AT_ONCE).unwrap();
        let version = &sent.rows[3].version;
        let is_null = [version.size.is_none(), version.e_tag.is_none()];
        assert_eq!(is_null, [name == "size", name == "etag"]);
    }
}

#[test]
fn a_run_that_is_exchanged_while_it_is_read_is_found_out() {
    // 20 row groups; of the same length, with the same first and last row and number of rows.
    let rows: Vec<Row> = (0..40)
        .map(|n| (n, if n % 2 == 0 { "a" } else { "b" }, n))
        .collect();
    let mut others = rows.clone();
    (others[20].1, others[21].1) = ("b", "a");
    let (one, other) = (good(&rows), good(&others));
    assert_eq!(one.len(), other.len());
    let manifest = manifest(&[run("r", &rows, &one)]);
    let plan = Plan::start(&[("r", one)], &manifest).unwrap();
    let exchange = |objects: &Objects| objects.replace("r", other.clone());
    let error = plan.send(&Filter::default(), INTERRUPTED, exchange).err();
    let error = error.unwrap().to_string();
    assert!(
        error.contains("s3://plans/p/r: it was replaced while it was read: start another job"),
        "{error}"
    );
    // Before a row of it has been read it is as good as the one before.
    let sent = plan.send(&Filter::default(), INTERRUPTED, |_| {}).unwrap();
    assert_eq!(sent.rows[20].version.key, "b");
}

#[test]
fn a_number_below_zero_is_no_size_and_no_rank_and_a_time_that_no_text_can_tell_is_none() {
    for (rows, column) in [
        (
            [(1, "a", 0), (2, "negative", 0), (3, "b", 0)],
            "size: found -1",
        ),
        ([(1, "a", 0), (2, "a", -1), (3, "b", 0)], "rank: found -1"),
        (
            [(1, "a", 0), (i64::MAX - 1, "a", 0), (i64::MAX, "b", 0)],
            "effective_time: found 9223372036854775806",
        ),
    ] {
        let file = good(&rows);
        let manifest = manifest(&[run("r", &rows, &file)]);
        refused(
            file,
            &manifest,
            &["s3://plans/p/r: row 2 (row group 0)", column],
        );
    }
}

#[test]
fn a_row_that_is_in_two_runs_is_found_where_only_the_present_state_is_asked_for_too() {
    // The newest of a key, and one that is not; in one batch and in several.
    let others = [
        vec![(3, "a", 2)],
        vec![(1, "a", 0), (4, "c", 0)],
        ROWS.to_vec(),
    ];
    let filter = Filter {
        current_only: true,
        ..Filter::default()
    };
    for other in others {
        let (file, second) = (good(&ROWS), good(&other));
        let runs = [run("r", &ROWS, &file), run("r2", &other, &second)];
        let manifest = manifest(&runs);
        let files = [("r", file), ("r2", second)];
        for how in [AT_ONCE, INTERRUPTED] {
            let error = adopt(&files, &manifest, &filter, how).err();
            let error = error.expect("a plan with a row twice was sent").to_string();
            let parts = [
                "s3://plans/p/m.json: a row is in it twice: key",
                "two of rank",
            ];
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }
}

#[test]
fn a_delete_marker_with_a_size_or_an_entity_tag_is_refused_and_one_without_is_sent() {
    let of_marker = |key: &'static str, null: Option<(&str, usize)>| {
        let rows = [(1, "a", 0), (2, key, 0), (3, "b", 0)];
        let columns = columns();
        let file = file_with_null(&columns, &rows, WriterProperties::default(), null);
        let mut manifest = manifest(&[run("r", &rows, &file)]);
        manifest["summary"]["created"] = 2.into();
        manifest["summary"]["removed"] = 1.into();
        (file, manifest)
    };
    for (null, column) in [(None, "size"), (Some(("size", 1)), "etag")] {
        let (file, manifest) = of_marker("marker with more", null);
        let found = format!("s3://plans/p/r: row 2 (row group 0): column {column} is not null");
        refused(file, &manifest, &[&found, "write null"]);
    }
    let (file, manifest) = of_marker("marker", None);
    let sent = adopt(&[("r", file)], &manifest, &Filter::default(), AT_ONCE).unwrap();
    let version = &sent.rows[1].version;
    assert!(version.is_delete_marker && version.size.is_none() && version.e_tag.is_none());
}

#[test]
fn the_longest_version_id_is_sent_with_and_without_the_present_state_alone() {
    for current_only in [false, true] {
        let filter = Filter {
            current_only,
            ..Filter::default()
        };
        for (key, is_sent) in [("long", true), ("too long", false)] {
            let rows = [(-62_135_596_800_001, "a", 0), (-62_135_596_800_000, key, 0)];
            let file = good(&rows);
            let manifest = manifest(&[run("r", &rows, &file)]);
            match adopt(&[("r", file)], &manifest, &filter, AT_ONCE) {
                Ok(sent) if is_sent => assert_eq!(sent.rows[1].version.version_id.len(), 8192),
                Err(error) if !is_sent => {
                    let error = error.to_string();
                    let found = "s3://plans/p/r: row 2 (row group 0): column version_id: a text has 8193 bytes";
                    assert!(error.contains(found), "{error}");
                }
                sent => panic!("{current_only} {key}: {:?}", sent.err()),
            }
        }
    }
}
