//! Plans from elsewhere as their writers make them, good and bad: what is accepted is read as it is, and what is not is
//! refused with the file, the row and what to do.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::listing::version::PlannedVersion;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::budget::Budget;
use bridge_history::plan::commit::Commit;
use bridge_history::plan::elsewhere::Elsewhere;
use bridge_history::plan::elsewhere::footers::inspect_all;
use bridge_history::plan::elsewhere::place::PlanSource;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::merge::Merge;
use bridge_history::plan::store::{PlanError, PlanStore};
use bridge_history::scan::adopt::Adoption;
use bridge_history::scan::filter::Filter;
use bridge_history::scan::scanner::ScanSettings;
use bytes::Bytes;
use parquet::basic::Type;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The contract's columns.
const COLUMNS: [&str; 9] = [
    "required int64 effective_time (timestamp(millis, true));",
    "required binary key (utf8);",
    "required int64 rank;",
    "required binary version_id (utf8);",
    "required int64 last_modified (timestamp(millis, true));",
    "required boolean is_delete_marker;",
    "required boolean is_latest;",
    "optional int64 size;",
    "optional binary etag (utf8);",
];

type Row = (i64, &'static str, i64);

const ROWS: [Row; 4] = [(1, "a", 0), (1, "b", 0), (2, "a", 1), (3, "a", 2)];

/// A file of these columns, two rows a row group.
fn file(columns: &[String], rows: &[Row], properties: WriterProperties) -> Vec<u8> {
    let schema = format!("message m {{ {} }}", columns.join(" "));
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties.into()).unwrap();
    for rows in rows.chunks(2) {
        let mut group = writer.next_row_group().unwrap();
        for column in columns {
            let mut into = group.next_column().unwrap().unwrap();
            let levels: Vec<i16> = rows.iter().map(|_| 1).collect();
            let levels = column.starts_with("optional").then_some(&levels[..]);
            write(&mut into, column, rows, levels);
            into.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn write(
    into: &mut SerializedColumnWriter<'_>,
    column: &str,
    rows: &[Row],
    levels: Option<&[i16]>,
) {
    fn typed<T: DataType>(
        into: &mut SerializedColumnWriter<'_>,
        values: Vec<T::T>,
        levels: Option<&[i16]>,
    ) {
        into.typed::<T>()
            .write_batch(&values, levels, None)
            .unwrap();
    }
    let words: Vec<_> = column.split([' ', ';']).collect();
    let number = |(time, _, rank): &Row| match words[2] {
        "effective_time" | "last_modified" => *time,
        "rank" => *rank,
        _ => 1,
    };
    let text = |(_, key, rank): &Row| match words[2] {
        "key" => (*key).to_owned(),
        name => format!("{name}-{rank}"),
    };
    match words[1] {
        "int64" => typed::<Int64Type>(into, rows.iter().map(number).collect(), levels),
        "int32" => typed::<Int32Type>(into, rows.iter().map(|_| 1).collect(), levels),
        "int96" => typed::<Int96Type>(into, rows.iter().map(|_| Int96::new()).collect(), levels),
        "boolean" => typed::<BoolType>(into, rows.iter().map(|_| false).collect(), levels),
        _ => {
            let texts = rows
                .iter()
                .map(|row| ByteArray::from(text(row).into_bytes()));
            typed::<ByteArrayType>(into, texts.collect(), levels);
        }
    }
}

fn columns() -> Vec<String> {
    COLUMNS.map(str::to_owned).to_vec()
}

fn good(rows: &[Row]) -> Vec<u8> {
    file(&columns(), rows, WriterProperties::builder().build())
}

fn position((time, key, rank): Row) -> Value {
    json!({ "effectiveTime": Timestamp(time), "key": key, "rank": rank })
}

/// A run of the manifest, as its writer should write it.
fn run(name: &str, rows: &[Row], file: &[u8]) -> Value {
    let ends = [rows[0], rows[rows.len() - 1]].map(position);
    json!({ "name": name, "rows": rows.len(), "bytes": file.len(), "first": ends[0], "last": ends[1] })
}

fn manifest(runs: &[Value]) -> Value {
    let rows: u64 = runs.iter().map(|run| run["rows"].as_u64().unwrap()).sum();
    json!({
        "version": 1, "bucket": "ledger", "madeBy": "a test", "runs": runs,
        "summary": { "events": rows, "created": rows, "removed": 0, "bytes": rows, "byMonth": {} },
    })
}

/// Objects in memory.
#[derive(Default)]
struct Objects(Mutex<BTreeMap<String, Bytes>>);

#[async_trait]
impl PlanStore for Objects {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        self.0.lock().unwrap().insert(name.to_owned(), bytes);
        Ok(())
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        let object = self.0.lock().unwrap().get(name).cloned();
        let object = object.ok_or_else(|| PlanError::Store {
            doing: "reading",
            name: name.to_owned(),
            reason: "there is none".to_owned(),
            kind: FailureKind::Permanent,
        })?;
        let range = range.unwrap_or(0..object.len() as u64);
        let at = |end: u64| usize::try_from(end).unwrap().min(object.len());
        Ok(object.slice(at(range.start)..at(range.end)))
    }
}

/// The manifest in hand is the checkpoint; stops whoever commits, if it is to.
struct InHand(CancellationToken, bool);

#[async_trait]
impl Commit for InHand {
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError> {
        let json = serde_json::to_string(manifest).unwrap();
        *manifest = serde_json::from_str(&json).unwrap();
        if self.1 {
            self.0.cancel();
        }
        Ok(())
    }
}

struct Sent {
    rows: Vec<PlannedVersion>,
    manifest: Manifest,
    segments: usize,
}

/// Looks at a plan as `start` does, reads it as a job does, and what would be sent. With `commit_every` of nothing each
/// segment ends at its first commit.
fn adopt(
    files: &[(&str, Vec<u8>)],
    manifest: &Value,
    filter: &Filter,
    interrupted: bool,
) -> Result<Sent, PlanError> {
    let elsewhere = Objects::default();
    let all = files
        .iter()
        .map(|(name, file)| ((*name).to_owned(), file.clone().into()));
    elsewhere.0.lock().unwrap().extend(all);
    elsewhere
        .0
        .lock()
        .unwrap()
        .insert("m.json".to_owned(), manifest.to_string().into());
    let elsewhere: Arc<dyn PlanStore> = Arc::new(elsewhere);
    let own: Arc<dyn PlanStore> = Arc::new(Objects::default());
    let mut settings = ScanSettings::default();
    if interrupted {
        settings.commit_every = std::time::Duration::ZERO;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let plan = Elsewhere::load(&*elsewhere, "m.json", "ledger").await?;
        inspect_all(&elsewhere, &plan.runs.iter().collect::<Vec<_>>()).await?;
        let source = PlanSource {
            uri: "s3://plans/p/m.json".to_owned(),
            digest: plan.digest,
        };
        let mut manifest = Manifest::adopting("j-1".parse().unwrap(), "ledger");
        let mut segments = 0;
        while !manifest.is_complete() {
            segments += 1;
            assert!(segments < 100, "it does not get further: {manifest:?}");
            let stop = CancellationToken::new();
            let adoption = Adoption {
                source: &source,
                elsewhere: Arc::clone(&elsewhere),
                store: Arc::clone(&own),
                commit: &InHand(stop.clone(), interrupted),
                filter,
                settings: &settings,
                run_prefix: format!("runs/{segments}"),
                stop,
            };
            adoption.run(&mut manifest).await?;
        }
        let mut merge = Merge::open(own, &manifest.runs, None, Budget::unlimited()).await?;
        let mut rows = Vec::new();
        while let Some(row) = merge.next().await? {
            rows.push(row);
        }
        Ok(Sent {
            rows,
            manifest,
            segments,
        })
    })
}

fn places(sent: &Sent) -> Vec<(i64, &str, u64)> {
    let place = |row: &PlannedVersion| row.effective_time.0;
    sent.rows
        .iter()
        .map(|row| (place(row), row.version.key.as_str(), row.rank))
        .collect()
}

#[test]
fn runs_that_follow_each_other_or_overlap_are_sent_in_order_interrupted_or_not() {
    let (one, two) = (good(&ROWS[..2]), good(&ROWS[2..]));
    let apart = [run("r/1", &ROWS[..2], &one), run("r/2", &ROWS[2..], &two)];
    let (odd, even) = ([ROWS[0], ROWS[2]], [ROWS[1], ROWS[3]]);
    let (three, four) = (good(&odd), good(&even));
    let overlapping = [run("r/3", &odd, &three), run("r/4", &even, &four)];
    let files = [("r/1", one), ("r/2", two), ("r/3", three), ("r/4", four)];
    for runs in [&apart, &overlapping] {
        for interrupted in [false, true] {
            let sent = adopt(&files, &manifest(runs), &Filter::default(), interrupted).unwrap();
            assert_eq!(
                places(&sent),
                ROWS.map(|(time, key, rank)| (time, key, rank.cast_unsigned()))
            );
            assert_eq!(sent.manifest.summary.events, 4);
            assert_eq!(sent.manifest.listed, 4);
            assert_eq!(sent.segments > 1, interrupted, "{}", sent.segments);
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
        for interrupted in [false, true] {
            let sent = adopt(&files, &manifest, &filter, interrupted).unwrap();
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
        let sent = adopt(&[("r", file)], &manifest, &Filter::default(), false).unwrap();
        assert_eq!(sent.rows.len(), 4);
    }
    let empty = adopt(&[], &manifest(&[]), &Filter::default(), false).unwrap();
    assert_eq!(empty.rows, []);
}

/// The good file and its manifest after a change, and what must be in the error.
fn refused(file: Vec<u8>, manifest: &Value, parts: &[&str]) {
    let error = match adopt(&[("r", file)], manifest, &Filter::default(), false) {
        Err(error) => error.to_string(),
        Ok(sent) => panic!("{parts:?}: {} rows were sent", sent.rows.len()),
    };
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn columns_that_are_not_a_plans_are_refused_with_how_to_write_them() {
    let with = |index: usize, column: &str| {
        let mut columns = columns();
        columns[index] = column.to_owned();
        columns
    };
    let mut swapped = columns();
    swapped.swap(1, 2);
    let more = [columns(), vec!["required int64 more;".to_owned()]].concat();
    let ms = "TIMESTAMP_MILLIS";
    for (columns, parts) in [
        (
            columns()[..8].to_vec(),
            ["column etag is missing", "in this order"],
        ),
        (swapped, ["effective_time, rank, key", "in this order"]),
        (more, ["etag, more", "no others"]),
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
    let error = adopt(&files, &manifest(&runs), &Filter::default(), false)
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
