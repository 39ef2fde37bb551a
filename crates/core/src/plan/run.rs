//! One sorted run: a Parquet file of object versions in the order of their positions.
//!
//! The schema is public, so that a plan can be opened with `DuckDB`, Athena or pandas, and one made
//! elsewhere can be sent. Row groups are small, so that reading holds one of each run in memory,
//! and their statistics let a resume begin near its place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::basic::{Compression, Type as PhysicalType};
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FooterTail, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::manifest::Run;
use super::{PlanError, PlanStore};
use crate::time::Millis;
use crate::version::{ObjectVersion, PlannedVersion, Position};

/// Contract 5. Times are milliseconds since 1970 in UTC; keys and ids are UTF-8.
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

/// The columns with their physical types, in the order of [`SCHEMA`].
const COLUMNS: [(&str, PhysicalType); 9] = [
    ("effective_time", PhysicalType::INT64),
    ("key", PhysicalType::BYTE_ARRAY),
    ("rank", PhysicalType::INT64),
    ("version_id", PhysicalType::BYTE_ARRAY),
    ("last_modified", PhysicalType::INT64),
    ("is_delete_marker", PhysicalType::BOOLEAN),
    ("is_latest", PhysicalType::BOOLEAN),
    ("size", PhysicalType::INT64),
    ("etag", PhysicalType::BYTE_ARRAY),
];

/// Rows a row group: about 1 MB in memory.
const ROWS_A_GROUP: usize = 8192;

/// The length of a Parquet file's tail: metadata length and magic.
const TAIL: u64 = 8;

/// Sorted rows as a file. `rows` must not be empty.
fn encode(rows: &[PlannedVersion]) -> Result<Bytes, ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    for group in rows.chunks(ROWS_A_GROUP) {
        let mut columns = writer.next_row_group()?;
        write_group(&mut columns, group)?;
        columns.close()?;
    }
    writer.into_inner().map(Bytes::from)
}

fn write_group(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    rows: &[PlannedVersion],
) -> Result<(), ParquetError> {
    let versions = || rows.iter().map(|r| &r.version);
    let text = |text: &String| ByteArray::from(text.as_bytes().to_vec());
    column::<Int64Type>(group, rows.iter().map(|r| r.effective_time.0))?;
    column::<ByteArrayType>(group, versions().map(|v| text(&v.key)))?;
    column::<Int64Type>(group, rows.iter().map(|r| r.rank.cast_signed()))?;
    column::<ByteArrayType>(group, versions().map(|v| text(&v.version_id)))?;
    column::<Int64Type>(group, versions().map(|v| v.last_modified.0))?;
    column::<BoolType>(group, versions().map(|v| v.is_delete_marker))?;
    column::<BoolType>(group, versions().map(|v| v.is_latest))?;
    optional::<Int64Type>(group, versions().map(|v| v.size.map(u64::cast_signed)))?;
    optional::<ByteArrayType>(group, versions().map(|v| v.e_tag.as_ref().map(text)))
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    write_column::<T>(group, &values.collect::<Vec<_>>(), None)
}

fn optional<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: impl Iterator<Item = Option<T::T>> + Clone,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = values.clone().map(|v| i16::from(v.is_some())).collect();
    write_column::<T>(group, &values.flatten().collect::<Vec<_>>(), Some(&levels))
}

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("the schema has fewer columns".to_owned()))?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// Writes sorted rows as the object `name` and describes it. `rows` must not be empty.
///
/// # Errors
/// [`PlanError`] from the store.
pub async fn write(
    store: &dyn PlanStore,
    name: String,
    rows: &[PlannedVersion],
) -> Result<Run, PlanError> {
    let damaged = |reason: String| PlanError::Damaged {
        name: name.clone(),
        reason,
    };
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Err(damaged("a run without rows".to_owned()));
    };
    let bytes = encode(rows).map_err(|e| damaged(e.to_string()))?;
    let run = Run {
        rows: rows.len() as u64,
        bytes: bytes.len() as u64,
        first: first.position(),
        last: last.position(),
        name: name.clone(),
    };
    store.put(&name, bytes).await?;
    Ok(run)
}

/// Reads a run from after a position, a row group at a time.
pub struct RunReader {
    name: String,
    file_bytes: u64,
    metadata: ParquetMetaData,
    next_group: usize,
    after: Option<Position>,
}

impl RunReader {
    /// Opens a run behind `after`: row groups that end before it are not read at all.
    ///
    /// # Errors
    /// [`PlanError`] when it cannot be read, or is not of the public schema.
    pub async fn open(
        store: &dyn PlanStore,
        run: &Run,
        after: Option<Position>,
    ) -> Result<Self, PlanError> {
        let damaged = |reason: String| PlanError::Damaged {
            name: run.name.clone(),
            reason,
        };
        let tail_at = run
            .bytes
            .checked_sub(TAIL)
            .ok_or_else(|| damaged("shorter than a Parquet footer".to_owned()))?;
        let tail = store.get(&run.name, Some(tail_at..run.bytes)).await?;
        let tail = <[u8; 8]>::try_from(&tail[..])
            .map_err(|_| damaged("its size is not what the manifest says".to_owned()))?;
        let length = FooterTail::try_new(&tail)
            .map_err(|e| damaged(e.to_string()))?
            .metadata_length() as u64;
        let start = tail_at
            .checked_sub(length)
            .ok_or_else(|| damaged("its footer is longer than the file".to_owned()))?;
        let footer = store.get(&run.name, Some(start..tail_at)).await?;
        let metadata =
            ParquetMetaDataReader::decode_metadata(&footer).map_err(|e| damaged(e.to_string()))?;
        check_schema(&metadata).map_err(damaged)?;
        let next_group = after.as_ref().map_or(0, |after| {
            metadata
                .row_groups()
                .iter()
                .take_while(|group| latest_time(group).is_some_and(|t| t < after.effective_time))
                .count()
        });
        Ok(Self {
            name: run.name.clone(),
            file_bytes: run.bytes,
            metadata,
            next_group,
            after,
        })
    }

    /// The rows of the next row group that are behind the position; `None` at the end.
    ///
    /// # Errors
    /// [`PlanError`] when it cannot be read.
    pub async fn next_rows(
        &mut self,
        store: &dyn PlanStore,
    ) -> Result<Option<Vec<PlannedVersion>>, PlanError> {
        while self.next_group < self.metadata.num_row_groups() {
            let group = self.metadata.row_group(self.next_group);
            self.next_group += 1;
            let (start, end) =
                extent(group, self.file_bytes).ok_or_else(|| PlanError::Damaged {
                    name: self.name.clone(),
                    reason: "a row group lies outside the file".to_owned(),
                })?;
            let bytes = store.get(&self.name, Some(start..end)).await?;
            let window = Arc::new(Window {
                start,
                bytes,
                file_bytes: self.file_bytes,
            });
            let mut rows =
                decode_or_refuse(group, &window).map_err(|reason| PlanError::Damaged {
                    name: self.name.clone(),
                    reason,
                })?;
            if let Some(after) = &self.after {
                let after = (after.effective_time, after.key.as_str(), after.rank);
                rows.drain(..rows.partition_point(|row| row.order_key() <= after));
            }
            if !rows.is_empty() {
                self.after = None;
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }
}

fn check_schema(metadata: &ParquetMetaData) -> Result<(), String> {
    let found = metadata.file_metadata().schema_descr();
    let matches = found.num_columns() == COLUMNS.len()
        && found
            .columns()
            .iter()
            .zip(COLUMNS)
            .all(|(column, (name, kind))| {
                let optional = matches!(name, "size" | "etag");
                column.name() == name
                    && column.physical_type() == kind
                    && column.max_rep_level() == 0
                    && column.max_def_level() == i16::from(optional)
            });
    if matches {
        Ok(())
    } else {
        let names: Vec<_> = found.columns().iter().map(|c| c.name()).collect();
        Err(format!(
            "its columns are not those of a plan (docs/ARCHITECTURE.md): {}",
            names.join(", ")
        ))
    }
}

/// The row group's latest effective time, as its statistics say.
fn latest_time(group: &RowGroupMetaData) -> Option<Millis> {
    match group.column(0).statistics() {
        Some(Statistics::Int64(statistics)) => statistics.max_opt().copied().map(Millis),
        _ => None,
    }
}

/// Where a row group's bytes are.
fn extent(group: &RowGroupMetaData, file_bytes: u64) -> Option<(u64, u64)> {
    let mut extent = (u64::MAX, 0);
    for column in group.columns() {
        let start = column
            .dictionary_page_offset()
            .unwrap_or_else(|| column.data_page_offset());
        let start = u64::try_from(start).ok()?;
        let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
        extent = (extent.0.min(start), extent.1.max(end));
    }
    (extent.0 < extent.1 && extent.1 <= file_bytes).then_some(extent)
}

/// The Parquet library panics on some damaged pages (found by the test that damages runs). A job
/// must end with an error that names the file instead, so the panic is caught here; nothing that
/// it could have left half done is used again.
fn decode_or_refuse(
    group: &RowGroupMetaData,
    window: &Arc<Window>,
) -> Result<Vec<PlannedVersion>, String> {
    match catch_unwind(AssertUnwindSafe(|| decode_group(group, window))) {
        Ok(decoded) => decoded.map_err(|e| e.to_string()),
        Err(_) => Err("the Parquet reader gave up on it".to_owned()),
    }
}

fn decode_group(
    group: &RowGroupMetaData,
    window: &Arc<Window>,
) -> Result<Vec<PlannedVersion>, ParquetError> {
    let rows = usize::try_from(group.num_rows())
        .map_err(|_| ParquetError::General("a negative number of rows".to_owned()))?;
    let effective_times = read_column::<Int64Type>(group, window, 0, rows)?;
    let keys = read_column::<ByteArrayType>(group, window, 1, rows)?;
    let ranks = read_column::<Int64Type>(group, window, 2, rows)?;
    let version_ids = read_column::<ByteArrayType>(group, window, 3, rows)?;
    let last_modified = read_column::<Int64Type>(group, window, 4, rows)?;
    let delete_markers = read_column::<BoolType>(group, window, 5, rows)?;
    let latest = read_column::<BoolType>(group, window, 6, rows)?;
    let mut sizes = read_optional::<Int64Type>(group, window, 7, rows)?.into_iter();
    let mut e_tags = read_optional::<ByteArrayType>(group, window, 8, rows)?.into_iter();
    (0..rows)
        .map(|i| {
            Ok(PlannedVersion {
                effective_time: Millis(effective_times[i]),
                rank: ranks[i].cast_unsigned(),
                version: ObjectVersion {
                    key: keys[i].as_utf8()?.to_owned(),
                    version_id: version_ids[i].as_utf8()?.to_owned(),
                    last_modified: Millis(last_modified[i]),
                    is_latest: latest[i],
                    is_delete_marker: delete_markers[i],
                    size: sizes.next().flatten().map(i64::cast_unsigned),
                    e_tag: match e_tags.next().flatten() {
                        Some(bytes) => Some(bytes.as_utf8()?.to_owned()),
                        None => None,
                    },
                },
            })
        })
        .collect()
}

fn column_reader<T: DataType>(
    group: &RowGroupMetaData,
    window: &Arc<Window>,
    index: usize,
    rows: usize,
) -> Result<ColumnReaderImpl<T>, ParquetError> {
    let column = group.column(index);
    let pages = SerializedPageReader::new(Arc::clone(window), column, rows, None)?;
    // The schema has been checked when the run was opened, so the type is the column's.
    Ok(get_typed_column_reader(get_column_reader(
        column.column_descr_ptr(),
        Box::new(pages),
    )))
}

fn read_column<T: DataType>(
    group: &RowGroupMetaData,
    window: &Arc<Window>,
    index: usize,
    rows: usize,
) -> Result<Vec<T::T>, ParquetError> {
    let mut values = Vec::new();
    column_reader::<T>(group, window, index, rows)?.read_records(rows, None, None, &mut values)?;
    check_rows(values.len(), rows)?;
    Ok(values)
}

fn read_optional<T: DataType>(
    group: &RowGroupMetaData,
    window: &Arc<Window>,
    index: usize,
    rows: usize,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    column_reader::<T>(group, window, index, rows)?.read_records(
        rows,
        Some(&mut levels),
        None,
        &mut values,
    )?;
    check_rows(levels.len(), rows)?;
    let mut values = values.into_iter();
    Ok(levels
        .into_iter()
        .map(|level| if level == 1 { values.next() } else { None })
        .collect())
}

fn check_rows(found: usize, expected: usize) -> Result<(), ParquetError> {
    if found == expected {
        return Ok(());
    }
    Err(ParquetError::General(format!(
        "a column has {found} values for {expected} rows"
    )))
}

/// A part of a file, for readers that think in offsets of the whole.
struct Window {
    start: u64,
    bytes: Bytes,
    file_bytes: u64,
}

impl Window {
    fn slice(&self, start: u64, end: Option<u64>) -> Result<Bytes, ParquetError> {
        let length = self.bytes.len() as u64;
        let from = start.checked_sub(self.start);
        let to = end.map_or(Some(length), |end| end.checked_sub(self.start));
        match (from, to) {
            (Some(from), Some(to)) if from <= to && to <= length => Ok(self.bytes.slice(
                usize::try_from(from).unwrap_or(usize::MAX)
                    ..usize::try_from(to).unwrap_or(usize::MAX),
            )),
            _ => Err(ParquetError::EOF("outside the row group".to_owned())),
        }
    }
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.file_bytes
    }
}

impl ChunkReader for Window {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        self.slice(start, None).map(Buf::reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.slice(start, start.checked_add(length as u64))
    }
}
