//! One row group of a run, decoded a few rows at a time.

use std::ops::Range;
use std::sync::Arc;

use bridge_core::listing::version::{ObjectVersion, PlannedVersion};
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{BoolType, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::serialized_reader::SerializedPageReader;

use crate::plan::reader::bounds::Of;
use crate::plan::reader::columns::{COUNT, Columns};
use crate::plan::reader::feed::Feed;
use crate::plan::reader::footer::GroupPlace;
use crate::plan::reader::pages::WithRows;
use crate::plan::reader::value;
use crate::plan::reader::walk::Walk;
use crate::plan::reader::window::Window;
use crate::plan::run::{COLUMNS, ROWS_A_PAGE};

/// Rows decoded at a time. Decoded rows take several times the memory of encoded ones.
const BATCH: usize = 128;

/// A row group that is being read.
pub(super) struct Group {
    /// Rows that have not been decoded.
    pub(super) rows_left: usize,
    /// What is held of its columns; none where it is held whole.
    pub(super) feeds: Vec<Feed>,
    /// How far the pages of its columns go, where it is held whole.
    walks: Vec<Walk>,
    /// Bytes that its pages take unpacked, at most, where it is held whole.
    unpacked: usize,
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

    /// What is wrong with a row's value of `column`.
    fn within(row: usize, column: &str) -> impl FnOnce(String) -> Self {
        move |reason| Self::at(row, format!("column {column}: {reason}"))
    }
}

impl Group {
    /// Opens the row group at `place`, which `window` holds.
    pub(super) fn open(
        columns: &Columns,
        place: &GroupPlace,
        window: &Arc<Window>,
    ) -> Result<Self, ParquetError> {
        let mut walks = Vec::with_capacity(COUNT);
        let mut unpacked = 0;
        for index in 0..COUNT {
            let column = place.column(columns, index)?;
            let (start, length) = column.byte_range();
            let chunk = window.slice(start, start.checked_add(length))?;
            let of = of_column(place, index);
            unpacked += of.check_pages(&chunk).map_err(ParquetError::General)?;
            walks.push(Walk::new(of, chunk));
        }
        let windows = vec![Arc::clone(window); COUNT];
        let mut group = Self::of(columns, place, &windows, Vec::new())?;
        (group.walks, group.unpacked) = (walks, unpacked);
        Ok(group)
    }

    /// Opens the row group at `place`, of which a piece at a time will be held.
    pub(super) fn open_in_pieces(
        columns: &Columns,
        place: &GroupPlace,
        file_bytes: u64,
    ) -> Result<Self, ParquetError> {
        let mut feeds = Vec::with_capacity(COUNT);
        for index in 0..COUNT {
            let (start, length) = place.column(columns, index)?.byte_range();
            let chunk = start..start.saturating_add(length);
            feeds.push(Feed::new(of_column(place, index), chunk, file_bytes));
        }
        let windows: Vec<_> = feeds.iter().map(Feed::window).collect();
        Self::of(columns, place, &windows, feeds)
    }

    fn of(
        columns: &Columns,
        place: &GroupPlace,
        windows: &[Arc<Window>],
        feeds: Vec<Feed>,
    ) -> Result<Self, ParquetError> {
        let rows = usize::try_from(place.rows)
            .map_err(|_| ParquetError::General("a negative number of rows".to_owned()))?;
        let opening = Opening {
            columns,
            place,
            windows,
            rows,
        };
        Ok(Self {
            rows_left: rows,
            feeds,
            walks: Vec::new(),
            unpacked: 0,
            effective_time: opening.column(0)?,
            key: opening.column(1)?,
            rank: opening.column(2)?,
            version_id: opening.column(3)?,
            last_modified: opening.column(4)?,
            is_delete_marker: opening.column(5)?,
            is_latest: opening.column(6)?,
            size: opening.column(7)?,
            e_tag: opening.column(8)?,
        })
    }

    /// What has to be fetched before the next rows can be decoded, each up to `piece` bytes, and for which of the feeds.
    ///
    /// # Errors
    /// What is wrong with a page, for a person.
    pub(super) fn missing(&mut self, piece: u64) -> Result<Vec<(usize, Range<u64>)>, String> {
        let mut missing = Vec::new();
        if self.rows_left == 0 {
            return Ok(missing);
        }
        for (number, feed) in self.feeds.iter_mut().enumerate() {
            missing.extend(feed.missing(piece)?.map(|range| (number, range)));
        }
        Ok(missing)
    }

    /// Bytes that its pages take unpacked, as far as is known.
    pub(super) fn unpacked(&self) -> usize {
        self.unpacked + self.feeds.iter().map(Feed::unpacked).sum::<usize>()
    }

    /// Bytes that decoded rows take, about: their texts and what is beside them.
    pub(super) fn decoded(&self) -> usize {
        let rows = self.rows_left.clamp(1, BATCH);
        let texts = self.unpacked() / self.rows_left.clamp(1, ROWS_A_PAGE) * rows;
        rows * size_of::<PlannedVersion>() + texts
    }

    /// How many rows are decoded next: no more than those that one page of each column has. What is decoded holds on to
    /// its page, and a page may have much behind its values.
    fn rows_of_pages(&self) -> usize {
        let feeds = self.feeds.iter().map(Feed::rows);
        let pages = feeds.chain(self.walks.iter().map(Walk::rows));
        // Where there are no more pages too few values are found, and that is told.
        let some = pages.filter(|rows| *rows > 0);
        some.fold(self.rows_left.min(BATCH), usize::min)
    }

    /// Decodes the next rows.
    pub(super) fn next_rows(&mut self) -> Result<Vec<PlannedVersion>, Fault> {
        let rows = self.rows_of_pages();
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
        for feed in &mut self.feeds {
            feed.decoded(rows);
        }
        for walk in &mut self.walks {
            walk.decoded(rows);
        }
        (0..rows)
            .map(|i| {
                let within = |column| Fault::within(i, column);
                let size = sizes.next().flatten().map(value::unsigned);
                let e_tag = e_tags.next().flatten();
                let e_tag = e_tag.as_ref().map(value::text);
                Ok(PlannedVersion {
                    effective_time: value::time(effective_times[i])
                        .map_err(within(self.effective_time.name))?,
                    rank: value::unsigned(ranks[i]).map_err(within(self.rank.name))?,
                    version: ObjectVersion {
                        key: value::text(&keys[i]).map_err(within(self.key.name))?,
                        version_id: value::id(&version_ids[i])
                            .map_err(within(self.version_id.name))?,
                        last_modified: value::time(last_modified[i])
                            .map_err(within(self.last_modified.name))?,
                        is_latest: latest[i],
                        is_delete_marker: delete_markers[i],
                        size: size.transpose().map_err(within(self.size.name))?,
                        e_tag: e_tag.transpose().map_err(within(self.e_tag.name))?,
                    },
                })
            })
            .collect()
    }
}

fn of_column(place: &GroupPlace, index: usize) -> Of {
    let (name, kind) = COLUMNS[index];
    let rows = place.rows;
    Of { name, kind, rows }
}

/// A row group whose columns are being opened.
struct Opening<'a> {
    columns: &'a Columns,
    place: &'a GroupPlace,
    /// Of each column.
    windows: &'a [Arc<Window>],
    rows: usize,
}

impl Opening<'_> {
    /// Opens a plan's column. [`Columns`] has checked that the file's is of its type.
    fn column<T: DataType>(&self, index: usize) -> Result<Column<T>, ParquetError> {
        let column = self.place.column(self.columns, index)?;
        let window = Arc::clone(&self.windows[index]);
        let pages = SerializedPageReader::new(window, &column, self.rows, None)?;
        let pages = Box::new(WithRows(pages));
        let values = get_column_reader(column.column_descr_ptr(), pages);
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
