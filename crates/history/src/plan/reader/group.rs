//! One row group of a run, decoded a few rows at a time.

use std::sync::Arc;

use bridge_core::listing::version::{MOST_TEXT, ObjectVersion, PlannedVersion};
use bridge_core::timestamp::Timestamp;
use bytes::{Buf, Bytes};
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::SchemaDescPtr;

use crate::plan::reader::bounds;
use crate::plan::reader::footer::GroupPlace;
use crate::plan::run::ROWS_A_PAGE;

/// Rows decoded at a time. Decoded rows take several times the memory of encoded ones.
const BATCH: usize = 128;

/// A row group that is being read.
pub(super) struct Group {
    /// Rows that have not been decoded.
    pub(super) rows_left: usize,
    /// Bytes that its pages take unpacked, at most.
    pub(super) unpacked: usize,
    effective_time: ColumnReaderImpl<Int64Type>,
    key: ColumnReaderImpl<ByteArrayType>,
    rank: ColumnReaderImpl<Int64Type>,
    version_id: ColumnReaderImpl<ByteArrayType>,
    last_modified: ColumnReaderImpl<Int64Type>,
    is_delete_marker: ColumnReaderImpl<BoolType>,
    is_latest: ColumnReaderImpl<BoolType>,
    size: ColumnReaderImpl<Int64Type>,
    e_tag: ColumnReaderImpl<ByteArrayType>,
}

impl Group {
    /// Opens the row group at `place`, which `window` holds.
    pub(super) fn open(
        schema: &SchemaDescPtr,
        place: &GroupPlace,
        window: &Arc<Window>,
    ) -> Result<Self, ParquetError> {
        let rows = usize::try_from(place.rows)
            .map_err(|_| ParquetError::General("a negative number of rows".to_owned()))?;
        let mut unpacked = 0;
        let mut column = |index| {
            let column = place.column(schema, index)?;
            let (start, length) = column.byte_range();
            let chunk = window.slice(start, start.checked_add(length))?;
            unpacked +=
                bounds::check_pages(&column, place.rows, &chunk).map_err(ParquetError::General)?;
            let pages = SerializedPageReader::new(Arc::clone(window), &column, rows, None)?;
            Ok::<_, ParquetError>(get_column_reader(
                column.column_descr_ptr(),
                Box::new(pages),
            ))
        };
        // The schema has been checked when the run was opened, so the types are the columns'.
        Ok(Self {
            rows_left: rows,
            effective_time: get_typed_column_reader(column(0)?),
            key: get_typed_column_reader(column(1)?),
            rank: get_typed_column_reader(column(2)?),
            version_id: get_typed_column_reader(column(3)?),
            last_modified: get_typed_column_reader(column(4)?),
            is_delete_marker: get_typed_column_reader(column(5)?),
            is_latest: get_typed_column_reader(column(6)?),
            size: get_typed_column_reader(column(7)?),
            e_tag: get_typed_column_reader(column(8)?),
            unpacked,
        })
    }

    /// Bytes that decoded rows take, about: their texts and what is beside them.
    pub(super) fn decoded(&self) -> usize {
        let rows = self.rows_left.clamp(1, BATCH);
        let texts = self.unpacked / self.rows_left.clamp(1, ROWS_A_PAGE) * rows;
        rows * size_of::<PlannedVersion>() + texts
    }

    /// Decodes the next rows.
    pub(super) fn next_rows(&mut self) -> Result<Vec<PlannedVersion>, ParquetError> {
        let rows = self.rows_left.min(BATCH);
        let effective_times = values(&mut self.effective_time, rows)?;
        let keys = values(&mut self.key, rows)?;
        let ranks = values(&mut self.rank, rows)?;
        let version_ids = values(&mut self.version_id, rows)?;
        let last_modified = values(&mut self.last_modified, rows)?;
        let delete_markers = values(&mut self.is_delete_marker, rows)?;
        let latest = values(&mut self.is_latest, rows)?;
        let mut sizes = optional(&mut self.size, rows)?.into_iter();
        let mut e_tags = optional(&mut self.e_tag, rows)?.into_iter();
        self.rows_left -= rows;
        (0..rows)
            .map(|i| {
                Ok(PlannedVersion {
                    effective_time: Timestamp(effective_times[i]),
                    rank: ranks[i].cast_unsigned(),
                    version: ObjectVersion {
                        key: text(&keys[i])?,
                        version_id: text(&version_ids[i])?,
                        last_modified: Timestamp(last_modified[i]),
                        is_latest: latest[i],
                        is_delete_marker: delete_markers[i],
                        size: sizes.next().flatten().map(i64::cast_unsigned),
                        e_tag: e_tags.next().flatten().as_ref().map(text).transpose()?,
                    },
                })
            })
            .collect()
    }
}

/// A text in memory of its own; the page that it was a part of may be much larger.
fn text(bytes: &ByteArray) -> Result<String, ParquetError> {
    if bytes.len() > MOST_TEXT {
        return Err(ParquetError::General(format!(
            "a text has {} bytes, allowed are {MOST_TEXT}",
            bytes.len()
        )));
    }
    bytes.as_utf8().map(str::to_owned)
}

fn values<T: DataType>(
    column: &mut ColumnReaderImpl<T>,
    rows: usize,
) -> Result<Vec<T::T>, ParquetError> {
    let mut values = Vec::with_capacity(rows);
    column.read_records(rows, None, None, &mut values)?;
    check_rows(values.len(), rows)?;
    Ok(values)
}

fn optional<T: DataType>(
    column: &mut ColumnReaderImpl<T>,
    rows: usize,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    column.read_records(rows, Some(&mut levels), None, &mut values)?;
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
pub(super) struct Window {
    /// Where the part begins.
    pub(super) start: u64,
    /// The part.
    pub(super) bytes: Bytes,
    /// The length of the whole.
    pub(super) file_bytes: u64,
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
