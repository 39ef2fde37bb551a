//! Runs that stand for far more than they have bytes: refused before they are unpacked.
//!
//! What is allocated is counted, so that a refusal that comes too late fails.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::manifest::Run;
use bridge_history::plan::position::Position;
use bridge_history::plan::reader::RunReader;
use bridge_history::plan::store::{PlanError, PlanStore};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// One test at a time: all count in one place.
static TURN: Mutex<()> = Mutex::new(());

/// What refusing may allocate, beside the file itself.
const MOST: usize = 24 * 1024 * 1024;

const SCHEMA: &str = "message object_versions {
    required int64 effective_time (timestamp(millis, true));
    required binary key (utf8);
    required int64 rank;
    required binary version_id (utf8);
    required int64 last_modified (timestamp(millis, true));
    required boolean is_delete_marker;
    required boolean is_latest;
    optional int64 size;
    optional binary etag (utf8);
}";

/// A store of one object, which notes what was asked for. It may claim to be longer than it is: then
/// only its end is there.
struct One {
    bytes: Bytes,
    length: u64,
    asked: Mutex<Vec<Range<u64>>>,
}

impl One {
    fn new(bytes: Vec<u8>) -> Arc<Self> {
        let length = bytes.len() as u64;
        Self::of_length(bytes, length)
    }

    fn of_length(bytes: Vec<u8>, length: u64) -> Arc<Self> {
        Arc::new(Self {
            bytes: bytes.into(),
            length,
            asked: Mutex::default(),
        })
    }

    fn most_asked(&self) -> u64 {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|r| r.end - r.start).max().unwrap_or(0)
    }
}

#[async_trait]
impl PlanStore for One {
    async fn put(&self, _: &str, _: Bytes) -> Result<(), PlanError> {
        unreachable!("only read")
    }

    async fn get(&self, _: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        let range = range.unwrap();
        self.asked.lock().unwrap().push(range.clone());
        let missing = self.length - self.bytes.len() as u64;
        let at = |place: u64| usize::try_from(place.saturating_sub(missing)).unwrap();
        let found = self.bytes.slice(at(range.start)..at(range.end));
        let filler = usize::try_from(range.end - range.start).unwrap() - found.len();
        let bytes = [vec![0; filler], found.to_vec()].concat();
        Ok(bytes.into())
    }
}

/// Reads a run to its end: the error, and what was allocated at most.
fn read(store: &Arc<One>) -> (Result<usize, PlanError>, usize) {
    let place = |key: &str| Position {
        effective_time: Timestamp(0),
        key: key.to_owned(),
        rank: 0,
    };
    let run = Run {
        name: "run".to_owned(),
        rows: 1,
        bytes: store.length,
        footer_crc32: None,
        first: place("a"),
        last: place("z"),
        after: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let result = runtime.block_on(async {
        let mut reader = RunReader::open(store.clone(), &run, None).await?;
        let mut rows = 0;
        loop {
            match reader.next_rows().await {
                Ok(Some(more)) => rows += more.len(),
                Ok(None) => return Ok(rows),
                Err(error) => {
                    let again = reader.next_rows().await;
                    assert_eq!(again, Err(error.clone()), "a failure stays one");
                    return Err(error);
                }
            }
        }
    });
    (result, ALLOCATED.peak_usage().saturating_sub(before))
}

fn refused(store: &Arc<One>, part: &str) {
    let (result, allocated) = read(store);
    let error = result.unwrap_err().to_string();
    assert!(error.contains(part), "{part:?} is not in: {error}");
    assert!(allocated < MOST, "{allocated} bytes for: {error}");
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(1 << 30)
        .set_dictionary_page_size_limit(1 << 30)
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    let written = column.typed::<T>().write_batch(values, levels, None);
    written.unwrap();
    column.close().unwrap();
}

/// A run of the public schema, whose rows all have `key` but different ranks.
fn file(key: &[u8], rows: usize, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(properties.build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts = vec![ByteArray::from(Bytes::copy_from_slice(key)); rows];
    let ids = vec![ByteArray::from("v"); rows];
    let ranks: Vec<i64> = (0..).take(rows).collect();
    column::<Int64Type>(&mut group, &vec![5; rows], None);
    column::<ByteArrayType>(&mut group, &texts, None);
    column::<Int64Type>(&mut group, &ranks, None);
    column::<ByteArrayType>(&mut group, &ids, None);
    column::<Int64Type>(&mut group, &vec![5; rows], None);
    column::<BoolType>(&mut group, &vec![false; rows], None);
    column::<BoolType>(&mut group, &vec![true; rows], None);
    column::<Int64Type>(&mut group, &vec![7; rows], Some(&vec![1; rows]));
    column::<ByteArrayType>(&mut group, &ids, Some(&vec![1; rows]));
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// The file with other metadata than its own.
fn with_metadata(file: &[u8], change: impl Fn(ParquetMetaData) -> ParquetMetaData) -> Vec<u8> {
    let mut reader = ParquetMetaDataReader::new();
    reader.try_parse(&Bytes::copy_from_slice(file)).unwrap();
    let metadata = change(reader.finish().unwrap());
    let mut changed = Vec::new();
    let writer = ParquetMetaDataWriter::new(&mut changed, &metadata);
    writer.finish().unwrap();
    changed
}

#[test]
fn an_ordinary_run_is_read_with_and_without_dictionaries() {
    let _turn = TURN.lock();
    for dictionary in [false, true] {
        let run = file(b"k", 3000, properties().set_dictionary_enabled(dictionary));
        assert_eq!(read(&One::new(run)).0.unwrap(), 3000);
    }
}

#[test]
fn a_page_that_unpacks_to_much_is_refused_packed() {
    let _turn = TURN.lock();
    let run = file(&vec![b'a'; 64 << 20], 1, properties());
    assert!(run.len() < 4 << 20);
    refused(
        &One::new(run),
        "a page of key has 67108868 bytes unpacked, allowed are 8388608",
    );
}

#[test]
fn a_long_text_that_a_dictionary_repeats_is_refused_before_it_is_repeated() {
    let _turn = TURN.lock();
    let key = vec![b'a'; 1 << 20];
    let run = file(&key, 2000, properties().set_dictionary_enabled(true));
    assert!(run.len() < 100 << 10);
    refused(&One::new(run), "a text has 1048576 bytes, allowed are 8192");
}

#[test]
fn pages_that_allocate_by_what_is_inside_them_are_refused_by_their_encoding() {
    let _turn = TURN.lock();
    for (encoding, code) in [
        (Encoding::DELTA_LENGTH_BYTE_ARRAY, 6),
        (Encoding::DELTA_BYTE_ARRAY, 7),
    ] {
        let properties = properties().set_column_encoding(ColumnPath::from("key"), encoding);
        let store = One::new(file(b"k", 300, properties));
        refused(&store, &format!("a page of key has encoding {code}"));
    }
}

#[test]
fn a_footer_that_declares_millions_of_row_groups_is_refused_before_room_is_made() {
    let _turn = TURN.lock();
    let file = file(b"k", 1, properties());
    // One row; then the list of row groups: one structure.
    let list = [0x16, 0x02, 0x19, 0x1c];
    let at = file.windows(4).rposition(|part| part == list).unwrap();
    let millions = [0x16, 0x02, 0x19, 0xfc, 0x80, 0x80, 0x80, 0x02]; // 4 Mi
    let footer_begin = file.len()
        - 8
        - usize::try_from(u32::from_le_bytes(
            file[file.len() - 8..file.len() - 4].try_into().unwrap(),
        ))
        .unwrap();
    let mut footer = file[footer_begin..at].to_vec();
    footer.extend(millions);
    footer.extend(&file[at + 4..file.len() - 8]);
    footer.resize(footer.len() + (4 << 20), 0);
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    let run = [&file[..footer_begin], &footer, &length, b"PAR1"].concat();
    refused(
        &One::new(run),
        "it has 4194304 row groups, allowed are 65536",
    );
}

#[test]
fn a_footer_and_a_row_group_that_are_too_long_are_not_asked_for() {
    let _turn = TURN.lock();
    let tail = [&(200_u32 << 20).to_le_bytes()[..], b"PAR1"].concat();
    let long_footer = One::of_length(tail, 300 << 20);
    refused(
        &long_footer,
        "its footer has 209715200 bytes, allowed are 16777216",
    );
    let file = file(b"k", 1, properties());
    let changed = |size: i64, rows: i64| {
        with_metadata(&file, |metadata| {
            let group = metadata.row_group(0).clone();
            let mut columns = group.columns().to_vec();
            let key = columns[1].clone().into_builder();
            columns[1] = key.set_total_compressed_size(size).build().unwrap();
            let group = group.into_builder().set_column_metadata(columns);
            let group = group.set_num_rows(rows).build().unwrap();
            let builder = metadata.into_builder();
            builder.set_row_groups(vec![group]).build()
        })
    };
    let long_group = One::of_length(changed(3 << 30, 1), 4 << 30);
    refused(&long_group, "bytes, allowed are 2147483648");
    let many_rows = One::of_length(changed(100, 1 << 40), 300 << 20);
    refused(
        &many_rows,
        "a row group has 1099511627776 rows, allowed are 67108864",
    );
    for store in [long_footer, long_group, many_rows] {
        assert!(store.most_asked() <= 256 << 10, "{}", store.most_asked());
    }
}
