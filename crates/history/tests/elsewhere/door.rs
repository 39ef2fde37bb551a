//! What is refused before a row is read, or by what the manifest says.

use parquet::basic::Type;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use crate::adopting::refused;
use crate::writing::{ROWS, Row, columns, file, good, manifest, position, run};

#[test]
fn columns_that_are_not_a_plans_are_refused_with_how_to_write_them() {
    let with = |index: usize, column: &str| {
        let mut columns = columns();
        columns[index] = column.to_owned();
        columns
    };
    let more = [columns(), vec!["required int64 more;".to_owned()]].concat();
    let twice = [columns(), vec!["required int64 rank;".to_owned()]].concat();
    let ms = "TIMESTAMP_MILLIS";
    for (columns, parts) in [
        (
            columns()[..8].to_vec(),
            ["column etag is missing", "in any order"],
        ),
        (more, ["has no column more", "no others"]),
        (twice, ["column rank is there twice", "no others"]),
        (
            with(0, "required int96 effective_time;"),
            ["effective_time is INT96", ms],
        ),
        (
            with(
                0,
                "required int64 effective_time (timestamp(micros, true));",
            ),
            ["effective_time is a timestamp of another unit", ms],
        ),
        (
            with(4, "required binary last_modified (utf8);"),
            ["last_modified is BYTE_ARRAY", ms],
        ),
        (
            with(1, "required int64 key;"),
            ["key is INT64", "UTF-8 text"],
        ),
        (
            with(2, "required int32 rank;"),
            ["rank is INT32", "int64 (signed)"],
        ),
        (
            with(2, "required int64 rank (integer(64, false));"),
            ["rank is unsigned", "signed"],
        ),
        (
            with(6, "required int32 is_latest;"),
            ["is_latest is INT32", "boolean"],
        ),
        (
            with(7, "required int64 size;"),
            ["size is one that is never null", "optional"],
        ),
    ] {
        let file = file(&columns, &ROWS, WriterProperties::builder().build());
        let manifest = manifest(&[run("r", &ROWS, &file)]);
        refused(file, &manifest, &[&["r: "][..], &parts[..]].concat());
    }
    assert_eq!(Type::INT96.to_string(), "INT96");
}

#[test]
fn a_manifest_that_does_not_say_what_is_in_its_files_is_found_out() {
    let with = |pointer: &str, value: Value| {
        let mut manifest = manifest(&[run("r", &ROWS, &good(&ROWS))]);
        *manifest.pointer_mut(pointer).unwrap() = value;
        manifest
    };
    let at = |row: Row| position(row);
    let length = good(&ROWS).len();
    let mut more = with("/runs/0/rows", json!(5));
    (more["summary"]["events"], more["summary"]["created"]) = (json!(5), json!(5));
    let mut kinds = with("/summary/created", json!(3));
    kinds["summary"]["removed"] = json!(1);
    for (manifest, parts) in [
        (
            with("/runs/0/bytes", json!(length + 1)),
            ["r", "size is not what the manifest says"],
        ),
        (
            with("/runs/0/bytes", json!(length - 1)),
            ["r", "Corrupt footer"],
        ),
        (with("/runs/0/bytes", json!(3)), ["r", "no footer"]),
        (more, ["it has 4 rows", "the manifest says 5"]),
        (
            with("/runs/0/first", at((0, "a", 0))),
            ["row 1 (row group 0)", "begins at"],
        ),
        (
            with("/runs/0/last", at((2, "z", 0))),
            ["row 4 (row group 1)", "ends at"],
        ),
        (
            with("/runs/0/last", at((9, "z", 0))),
            ["after 4 rows", "rank 2"],
        ),
        (kinds, ["3 created and 1 removed", "its rows are 4 and 0"]),
        (
            with("/runs/0/name", json!("q")),
            ["reading", "there is none"],
        ),
    ] {
        refused(good(&ROWS), &manifest, &parts);
    }
}
