//! A row group that is larger than what may be held is read in pieces: all of its rows come, and what is allocated is
//! what may be.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::budget::Budget;
use bridge_history::plan::manifest::Run;
use bridge_history::plan::merge::Merge;
use bridge_history::plan::position::Position;
use bridge_history::plan::store::{PlanError, PlanStore};
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// One test at a time: what is allocated is counted in one place.
static TURN: Mutex<()> = Mutex::new(());

/// As `DuckDB` would write it: all may be null.
const SCHEMA: &str = "message m {
    optional int64 effective_time (timestamp(millis, true));
    optional binary key (utf8);
    optional int64 rank;
    optional binary version_id (utf8);
    optional int64 last_modified (timestamp(millis, true));
    optional boolean is_delete_marker;
    optional boolean is_latest;
    optional int64 size;
    optional binary etag (utf8);
}";

const ROWS: u64 = 100_000;

const MEBIBYTE: usize = 1024 * 1024;

/// Bytes that are not counted: decoded rows, the footer as the library reads it, what a decoder holds.
const UNCOUNTED: usize = 2 * MEBIBYTE;

/// One object; notes the largest part that was asked for.
struct One {
    bytes: Bytes,
    most: Mutex<u64>,
}

#[async_trait]
impl PlanStore for One {
    async fn put(&self, _: &str, _: Bytes) -> Result<(), PlanError> {
        unreachable!("only read")
    }

    async fn get(&self, _: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        let range = range.unwrap();
        let mut most = self.most.lock().unwrap();
        *most = (*most).max(range.end - range.start);
        let at = |place: u64| usize::try_from(place).unwrap();
        // A copy, as of a store that is not in this memory.
        let part = &self.bytes[at(range.start)..at(range.end)];
        Ok(Bytes::copy_from_slice(part))
    }
}

fn key(number: u64) -> String {
    let text = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{text:016x}/data/{:016x}.json", text.rotate_left(29))
}

fn place(number: u64) -> Position {
    Position {
        effective_time: Timestamp(number.cast_signed()),
        key: key(number),
        rank: 0,
    }
}

fn column<T: DataType>(group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, values: &[T::T]) {
    let mut column = group.next_column().unwrap().unwrap();
    let levels = vec![1; values.len()];
    let written = column.typed::<T>().write_batch(values, Some(&levels), None);
    written.unwrap();
    column.close().unwrap();
}

/// A run of one row group, of some nine megabytes.
fn run(properties: WriterPropertiesBuilder) -> (Arc<One>, Run) {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = properties
        .set_compression(Compression::SNAPPY)
        .set_data_page_size_limit(MEBIBYTE / 16)
        .set_dictionary_page_size_limit(MEBIBYTE / 16)
        .set_write_batch_size(256);
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let numbers: Vec<i64> = (0..ROWS).map(u64::cast_signed).collect();
    let texts = |text: &dyn Fn(u64) -> String| -> Vec<ByteArray> {
        let texts = (0..ROWS).map(|number| text(number).into_bytes().into());
        texts.collect()
    };
    let rows = numbers.len();
    column::<Int64Type>(&mut group, &numbers);
    column::<ByteArrayType>(&mut group, &texts(&key));
    column::<Int64Type>(&mut group, &vec![0; rows]);
    column::<ByteArrayType>(&mut group, &texts(&|number| format!("v{number}")));
    column::<Int64Type>(&mut group, &numbers);
    column::<BoolType>(&mut group, &vec![false; rows]);
    column::<BoolType>(&mut group, &vec![true; rows]);
    column::<Int64Type>(&mut group, &numbers);
    column::<ByteArrayType>(&mut group, &texts(&|number| key(!number)));
    group.close().unwrap();
    let bytes: Bytes = writer.into_inner().unwrap().into();
    assert!(bytes.len() > 6 * MEBIBYTE, "{} bytes", bytes.len());
    let run = Run {
        name: "run".to_owned(),
        rows: ROWS,
        bytes: bytes.len() as u64,
        footer_crc32: None,
        first: place(0),
        last: place(ROWS - 1),
        after: None,
    };
    let most = Mutex::default();
    (Arc::new(One { bytes, most }), run)
}

/// Reads all behind row `after`, and what was allocated at most.
fn read(
    store: &Arc<One>,
    run: &Run,
    after: Option<u64>,
    budget: usize,
) -> Result<usize, PlanError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let begin = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    runtime.block_on(async {
        let store: Arc<dyn PlanStore> = Arc::clone(store) as _;
        let (runs, position) = ([run.clone()], after.map(place));
        let budget = Budget::new(budget);
        let mut merge = Merge::open(store, &runs, position.as_ref(), budget).await?;
        let mut expected = after.map_or(0, |after| after + 1);
        while let Some(row) = merge.next().await? {
            assert_eq!(Position::of(&row.borrowed()), place(expected));
            assert_eq!(row.version.version_id, format!("v{expected}"));
            assert_eq!(row.version.size, Some(expected));
            assert_eq!(row.version.e_tag, Some(key(!expected)));
            expected += 1;
        }
        assert_eq!(expected, ROWS);
        assert_eq!(merge.budget().held(), 0, "all is given back");
        Ok::<_, PlanError>(())
    })?;
    Ok(ALLOCATED.peak_usage().saturating_sub(begin))
}

#[test]
fn a_row_group_larger_than_the_memory_is_read_in_pieces() {
    let _turn = TURN.lock();
    for has_dictionaries in [false, true] {
        let builder = WriterProperties::builder().set_dictionary_enabled(has_dictionaries);
        let (store, run) = run(builder);
        for after in [None, Some(0), Some(ROWS / 2), Some(ROWS - 2)] {
            let budget = 4 * MEBIBYTE;
            let allocated = read(&store, &run, after, budget).unwrap();
            println!("dictionaries: {has_dictionaries}, after {after:?}: {allocated} bytes");
            assert!(allocated < budget + UNCOUNTED, "{allocated} bytes");
            let most = *store.most.lock().unwrap();
            assert!(most <= (MEBIBYTE / 16) as u64, "{most} bytes at once");
        }
    }
}

#[test]
fn pieces_that_do_not_fit_either_are_refused_with_what_to_do() {
    let _turn = TURN.lock();
    let (store, run) = run(WriterProperties::builder().set_dictionary_enabled(false));
    let error = read(&store, &run, None, MEBIBYTE / 4).unwrap_err();
    let error = error.to_string();
    for part in [
        "reading plan object run",
        "more memory",
        "smaller row groups",
    ] {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn a_row_group_that_ends_early_is_damaged_and_not_waited_for() {
    let _turn = TURN.lock();
    let (store, run) = run(WriterProperties::builder().set_dictionary_enabled(false));
    let mut bytes = store.bytes.to_vec();
    // Amid the keys.
    bytes[4 * MEBIBYTE..4 * MEBIBYTE + 200_000].fill(0xff);
    let store = Arc::new(One {
        bytes: bytes.into(),
        most: Mutex::default(),
    });
    let error = read(&store, &run, None, 4 * MEBIBYTE).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("run is damaged: at or behind row "),
        "{error}"
    );
    assert!(error.contains("(row group 0)"), "{error}");
}
