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

use crate::plan::reader::bounds;
use crate::plan::reader::columns::Columns;
use crate::plan::reader::footer::GroupPlace;
use crate::plan::run::{COLUMNS, ROWS_A_PAGE};

/// Rows decoded at a time. Decoded rows take several times the memory of encoded ones.
const BATCH: usize = 128;

/// A row group that is being read.
pub(super) struct Group {
    /// Rows that have not been decoded.
    pub(super) rows_left: usize,
    /// Bytes that its pages take unpacked, at most.
    pub(super) unpacked: usize,
    effective_time: Column<Int64Type>,
    key: Column<ByteArrayType>,
    rank: Column<Int64Type>,
    version_id: Column<ByteArrayType>,
    last_modified: Column<Int64Type>,
    is_delete_marker: Column<BoolType>,
    is_latest: Column<BoolType>,
    size: Column<Int64Type>,
    e_tag: Column<ByteArrayType>,
}

/// A column of a row group that is being read.
struct Column<T: DataType> {
    name: &'static str,
    /// Whether the file says that it may be null.
    is_nullable: bool,
    values: ColumnReaderImpl<T>,
}

/// What is wrong with rows.
pub(super) struct Fault {
    /// With which of those that were to be decoded, from 0; `None` when that is not known.
    pub(super) row: Option<usize>,
    /// For a person.
    pub(super) reason: String,
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        Self::somewhere(error.to_string())
    }
}

impl Fault {
    /// In an unknown row.
    pub(super) fn somewhere(reason: String) -> Self {
        Self { row: None, reason }
    }

    fn at(row: usize, reason: String) -> Self {
        let row = Some(row);
        Self { row, reason }
    }
}

impl Group {
    /// Opens the row group at `place`, which `window` holds.
    pub(super) fn open(
        columns: &Columns,
        place: &GroupPlace,
        window: &Arc<Window>,
    ) -> Result<Self, ParquetError> {
        let rows = usize::try_from(place.rows)
            .map_err(|_| ParquetError::General("a negative number of rows".to_owned()))?;
        let mut opening = Opening {
            columns,
            place,
            window,
            rows,
            unpacked: 0,
        };
        Ok(Self {
            rows_left: rows,
            effective_time: opening.column(0)?,
            key: opening.column(1)?,
            rank: opening.column(2)?,
            version_id: opening.column(3)?,
            last_modified: opening.column(4)?,
            is_delete_marker: opening.column(5)?,
            is_latest: opening.column(6)?,
            size: opening.column(7)?,
            e_tag: opening.column(8)?,
            unpacked: opening.unpacked,
        })
    }

    /// Bytes that decoded rows take, about: their texts and what is beside them.
    pub(super) fn decoded(&self) -> usize {
        let rows = self.rows_left.clamp(1, BATCH);
        let texts = self.unpacked / self.rows_left.clamp(1, ROWS_A_PAGE) * rows;
        rows * size_of::<PlannedVersion>() + texts
    }

    /// Decodes the next rows.
    pub(super) fn next_rows(&mut self) -> Result<Vec<PlannedVersion>, Fault> {
        let rows = self.rows_left.min(BATCH);
        let effective_times = self.effective_time.required(rows)?;
        let keys = self.key.required(rows)?;
        let ranks = self.rank.required(rows)?;
        let version_ids = self.version_id.required(rows)?;
        let last_modified = self.last_modified.required(rows)?;
        let delete_markers = self.is_delete_marker.required(rows)?;
        let latest = self.is_latest.required(rows)?;
        let mut sizes = self.size.optional(rows)?.into_iter();
        let mut e_tags = self.e_tag.optional(rows)?.into_iter();
        self.rows_left -= rows;
        (0..rows)
            .map(|i| {
                let text = |column: &str, bytes: &ByteArray| {
                    text(bytes).map_err(|reason| Fault::at(i, format!("column {column}: {reason}")))
                };
                let e_tag = e_tags.next().flatten();
                Ok(PlannedVersion {
                    effective_time: Timestamp(effective_times[i]),
                    rank: ranks[i].cast_unsigned(),
                    version: ObjectVersion {
                        key: text(self.key.name, &keys[i])?,
                        version_id: text(self.version_id.name, &version_ids[i])?,
                        last_modified: Timestamp(last_modified[i]),
                        is_latest: latest[i],
                        is_delete_marker: delete_markers[i],
                        size: sizes.next().flatten().map(i64::cast_unsigned),
                        e_tag: e_tag
                            .map(|e_tag| text(self.e_tag.name, &e_tag))
                            .transpose()?,
                    },
                })
            })
            .collect()
    }
}

/// A row group whose columns are being opened.
struct Opening<'a> {
    columns: &'a Columns,
    place: &'a GroupPlace,
    window: &'a Arc<Window>,
    rows: usize,
    /// Of the columns that are open.
    unpacked: usize,
}

impl Opening<'_> {
    /// Opens a plan's column. [`Columns`] has checked that the file's is of its type.
    fn column<T: DataType>(&mut self, index: usize) -> Result<Column<T>, ParquetError> {
        let column = self.place.column(self.columns, index)?;
        let (start, length) = column.byte_range();
        let chunk = self.window.slice(start, start.checked_add(length))?;
        self.unpacked +=
            bounds::check_pages(&column, self.place.rows, &chunk).map_err(ParquetError::General)?;
        let pages = SerializedPageReader::new(Arc::clone(self.window), &column, self.rows, None)?;
        let values = get_column_reader(column.column_descr_ptr(), Box::new(pages));
        Ok(Column {
            name: COLUMNS[index].0,
            is_nullable: column.column_descr().max_def_level() > 0,
            values: get_typed_column_reader(values),
        })
    }
}

impl<T: DataType> Column<T> {
    /// The next values, of which none may be null.
    fn required(&mut self, rows: usize) -> Result<Vec<T::T>, Fault> {
        let mut values = Vec::with_capacity(rows);
        let mut levels = Vec::new();
        let (read, ..) = if self.is_nullable {
            levels.reserve(rows);
            let levels = Some(&mut levels);
            self.values.read_records(rows, levels, None, &mut values)?
        } else {
            self.values.read_records(rows, None, None, &mut values)?
        };
        self.check(read, rows)?;
        if let Some(row) = levels.iter().position(|level| *level == 0) {
            let reason = format!(
                "column {} is null, which only size and etag may be",
                self.name
            );
            return Err(Fault::at(row, reason));
        }
        self.check(values.len(), rows)?;
        Ok(values)
    }

    /// The next values, of a column that the file calls nullable.
    fn optional(&mut self, rows: usize) -> Result<Vec<Option<T::T>>, Fault> {
        let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let into = Some(&mut levels);
        self.values.read_records(rows, into, None, &mut values)?;
        self.check(levels.len(), rows)?;
        let mut values = values.into_iter();
        Ok(levels
            .into_iter()
            .map(|level| if level == 1 { values.next() } else { None })
            .collect())
    }

    fn check(&self, found: usize, expected: usize) -> Result<(), Fault> {
        if found == expected {
            return Ok(());
        }
        Err(Fault::somewhere(format!(
            "column {} has {found} values for {expected} rows",
            self.name
        )))
    }
}

/// A text in memory of its own; the page that it was a part of may be much larger.
fn text(bytes: &ByteArray) -> Result<String, String> {
    if bytes.len() > MOST_TEXT {
        return Err(format!(
            "a text has {} bytes, allowed are {MOST_TEXT}",
            bytes.len()
        ));
    }
    bytes
        .as_utf8()
        .map(str::to_owned)
        .map_err(|e| e.to_string())
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
