//! One sorted run: a Parquet file of object versions in the order of their positions.
//!
//! The schema is public, so that a plan can be opened with `DuckDB`, Athena or pandas, and one made
//! elsewhere can be sent. Row groups are small, so that reading holds little of each run in memory,
//! and their statistics let a resume begin near its place ([`super::reader`]).

use std::sync::Arc;

use bridge_core::listing::version::{PlannedRef, PlannedVersion};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type as PhysicalType};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use crate::plan::checksum::{self, Checksums};
use crate::plan::manifest::{Run, Summary};
use crate::plan::position::Position;
use crate::plan::store::{PlanError, PlanStore};

/// The public schema of plans (docs/ARCHITECTURE.md, "Plan"). Times are milliseconds since 1970 in UTC; keys
/// and ids are UTF-8.
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
pub(super) const COLUMNS: [(&str, PhysicalType); 9] = [
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

/// Rows a row group: about 200 kB as it is stored. A merge holds one or two of each run.
pub(crate) const ROWS_A_GROUP: usize = 2048;

/// Rows of a run, about, at most, however much memory a scan may use: their footer has 7 MB, and a
/// reader accepts 16 MiB.
pub(crate) const MOST_ROWS: usize = 16 * 1024 * 1024;

/// Rows a page, the unit that is unpacked.
pub(super) const ROWS_A_PAGE: usize = 512;

/// How runs are written. Dictionaries would not help, as nearly every value is new; times and
/// sizes are written as differences; only the first column's statistics are ever asked for.
fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(ROWS_A_PAGE)
        .set_write_batch_size(ROWS_A_PAGE)
        .set_offset_index_disabled(true)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(
            ColumnPath::from("effective_time"),
            EnabledStatistics::Chunk,
        );
    for (name, kind) in COLUMNS {
        if kind == PhysicalType::INT64 {
            properties = properties
                .set_column_encoding(ColumnPath::from(name), Encoding::DELTA_BINARY_PACKED);
        }
    }
    properties.build()
}

/// A run as a file.
pub(crate) struct Encoded {
    bytes: Bytes,
    summary: Summary,
    /// The first and the last row's places.
    ends: Option<(Position, Position)>,
}

/// A run that is being made. It holds its file as far as that is finished.
pub(crate) struct Encoder {
    writer: SerializedFileWriter<Vec<u8>>,
    checksums: Checksums,
    summary: Summary,
    ends: Option<(Position, Position)>,
}

impl Encoder {
    /// A run of about `bytes` bytes; more are fine.
    pub(crate) fn new(bytes: usize) -> Result<Self, ParquetError> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let file = Vec::with_capacity(bytes);
        Ok(Self {
            writer: SerializedFileWriter::new(file, schema, Arc::new(properties()))?,
            checksums: Checksums::default(),
            summary: Summary::default(),
            ends: None,
        })
    }

    /// Adds a row group, of [`ROWS_A_GROUP`] rows unless it is the last.
    pub(crate) fn add(&mut self, group: &[PlannedRef<'_>]) -> Result<(), ParquetError> {
        self.summary.add_all(group);
        if let (Some(first), Some(last)) = (group.first(), group.last()) {
            let ends = self.ends.take();
            let first = ends.map_or_else(|| Position::of(first), |(first, _)| first);
            self.ends = Some((first, Position::of(last)));
        }
        let begin = self.writer.bytes_written();
        let mut columns = self.writer.next_row_group()?;
        write_group(&mut columns, group)?;
        columns.close()?;
        self.writer.flush()?;
        self.checksums.add(&self.writer.inner()[begin..]);
        Ok(())
    }

    /// Bytes of the file so far.
    pub(crate) fn bytes(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.summary.events
    }

    pub(crate) fn finish(mut self) -> Result<Encoded, ParquetError> {
        self.writer.append_key_value_metadata(self.checksums.told());
        Ok(Encoded {
            bytes: self.writer.into_inner().map(Bytes::from)?,
            summary: self.summary,
            ends: self.ends,
        })
    }
}

fn encode<'a>(rows: impl Iterator<Item = PlannedRef<'a>>) -> Result<Encoded, ParquetError> {
    let mut encoder = Encoder::new(0)?;
    let mut rows = rows.peekable();
    let mut group: Vec<PlannedRef<'a>> = Vec::with_capacity(ROWS_A_GROUP);
    while rows.peek().is_some() {
        group.clear();
        group.extend(rows.by_ref().take(ROWS_A_GROUP));
        encoder.add(&group)?;
    }
    encoder.finish()
}

fn write_group(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    rows: &[PlannedRef<'_>],
) -> Result<(), ParquetError> {
    let versions = || rows.iter().map(|r| r.version);
    column::<Int64Type>(group, rows.iter().map(|r| r.effective_time.0))?;
    texts(group, versions().map(|v| Some(v.key)), false)?;
    column::<Int64Type>(group, rows.iter().map(|r| r.rank.cast_signed()))?;
    texts(group, versions().map(|v| Some(v.version_id)), false)?;
    column::<Int64Type>(group, versions().map(|v| v.last_modified.0))?;
    column::<BoolType>(group, versions().map(|v| v.is_delete_marker))?;
    column::<BoolType>(group, versions().map(|v| v.is_latest))?;
    let sizes = versions().filter_map(|v| v.size.map(u64::cast_signed));
    let present: Vec<i16> = versions().map(|v| i16::from(v.size.is_some())).collect();
    write_column::<Int64Type>(group, &sizes.collect::<Vec<_>>(), Some(&present))?;
    texts(group, versions().map(|v| v.e_tag), true)
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    write_column::<T>(group, &values.collect::<Vec<_>>(), None)
}

/// A column of texts: one allocation for all of them.
fn texts<'a>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: impl Iterator<Item = Option<&'a str>> + Clone,
    optional: bool,
) -> Result<(), ParquetError> {
    let bytes = values.clone().flatten().map(str::len).sum();
    let mut text = Vec::with_capacity(bytes);
    for value in values.clone().flatten() {
        text.extend_from_slice(value.as_bytes());
    }
    let text = Bytes::from(text);
    let mut at = 0;
    let parts: Vec<ByteArray> = values
        .clone()
        .flatten()
        .map(|value| {
            at += value.len();
            text.slice(at - value.len()..at).into()
        })
        .collect();
    if !optional {
        return write_column::<ByteArrayType>(group, &parts, None);
    }
    let present: Vec<i16> = values.map(|value| i16::from(value.is_some())).collect();
    write_column::<ByteArrayType>(group, &parts, Some(&present))
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

/// Rows in the order of a plan, with what they need to be handed to another thread.
pub trait SortedRows: Send + 'static {
    /// All rows in order.
    fn rows(&self) -> impl Iterator<Item = PlannedRef<'_>>;
}

impl SortedRows for Vec<PlannedVersion> {
    fn rows(&self) -> impl Iterator<Item = PlannedRef<'_>> {
        self.iter().map(PlannedVersion::borrowed)
    }
}

/// Writes sorted rows as the object `name` and describes it, and what is in it.
///
/// # Errors
/// [`PlanError`] from the store, or when there are no rows.
pub async fn write(
    store: &dyn PlanStore,
    name: String,
    rows: impl SortedRows,
) -> Result<(Run, Summary), PlanError> {
    // Sorting texts into columns takes a second for a large run: elsewhere, so that the lease
    // can be renewed meanwhile.
    let encoded =
        tokio::task::spawn_blocking(move || encode(rows.rows()).map_err(|e| e.to_string()));
    let encoded = encoded
        .await
        .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
    put(
        store,
        name.clone(),
        encoded.map_err(|reason| PlanError::damaged(&name, reason))?,
    )
    .await
}

/// Writes a run as the object `name` and describes it, and what is in it.
///
/// # Errors
/// [`PlanError`] from the store, or when there are no rows.
pub(crate) async fn put(
    store: &dyn PlanStore,
    name: String,
    encoded: Encoded,
) -> Result<(Run, Summary), PlanError> {
    let Encoded {
        bytes,
        summary,
        ends,
    } = encoded;
    let (first, last) = ends.ok_or_else(|| PlanError::damaged(&name, "a run without rows"))?;
    let run = Run {
        rows: summary.events,
        bytes: bytes.len() as u64,
        footer_crc32: checksum::of_footer(&bytes),
        first,
        last,
        after: None,
        name: name.clone(),
    };
    store.put(&name, bytes).await?;
    Ok((run, summary))
}
