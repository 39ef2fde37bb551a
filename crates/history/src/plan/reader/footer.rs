//! A run's footer: what the file says of its columns, and where its row groups are.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bridge_core::timestamp::Timestamp;
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FooterTail, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::statistics::Statistics;
use tokio::sync::OwnedSemaphorePermit;

use crate::plan::budget::Budget;
use crate::plan::checksum;
use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::bounds;
use crate::plan::reader::columns::{COUNT, Columns};
use crate::plan::reader::panic::catch_panic;
use crate::plan::store::{PlanError, PlanStore};

/// The length of a Parquet file's tail: metadata length and magic.
const TAIL: u64 = 8;

/// What is read of a file's end at first, at least and at most: nearly always its whole footer.
const FOOTER_GUESS: (u64, u64) = (16 * 1024, 256 * 1024);

/// So many rows take a byte of the footer, or more: a row group of 2,048 takes about 500.
const ROWS_A_FOOTER_BYTE: u64 = 3;

/// The file's metadata as written. Parsed it takes twenty times the memory, so only what is needed of it is kept.
pub(in crate::plan) struct Footer {
    bytes: Bytes,
    /// Where it is long: no other such footer is held.
    _turn: Option<OwnedSemaphorePermit>,
}

/// Where a row group is.
pub(super) struct GroupPlace {
    /// Its number in the file, from 0.
    pub(super) number: u32,
    /// Rows before it in the file.
    pub(super) before: u64,
    /// Its rows.
    pub(super) rows: i64,
    /// Its bytes in the file.
    pub(super) extent: Range<u64>,
    /// Their CRC-32, if the footer holds it.
    pub(super) crc32: Option<u32>,
    /// Its columns, in a plan's order.
    columns: [ColumnPlace; COUNT],
}

/// Where a column of a row group is.
#[derive(Clone, Copy)]
struct ColumnPlace {
    /// Behind the row group's first byte. A row group has far less than 4 GiB ([`bounds::check_group`]).
    offset: u32,
    length: u32,
    has_dictionary: bool,
    codec: Compression,
}

impl GroupPlace {
    /// What the library wants to know of column `index`.
    pub(super) fn column(
        &self,
        columns: &Columns,
        index: usize,
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        let place = &self.columns[index];
        let start = i64::try_from(self.extent.start + u64::from(place.offset))?;
        ColumnChunkMetaData::builder(Arc::clone(&columns.descriptors[index]))
            .set_compression(place.codec)
            .set_num_values(self.rows)
            .set_total_compressed_size(i64::from(place.length))
            .set_data_page_offset(start)
            .set_dictionary_page_offset(place.has_dictionary.then_some(start))
            .build()
    }
}

/// Where a row is, for a person: rows are counted from 1, row groups from 0 as other tools do.
pub(in crate::plan) fn shown_place(row: u64, group: usize) -> String {
    format!("row {row} (row group {group})")
}

impl Footer {
    /// Reads a run's footer, nearly always by one request. A long one waits until no other of `budget` is held.
    pub(in crate::plan) async fn read(
        store: &dyn PlanStore,
        run: &Run,
        budget: &Budget,
    ) -> Result<Self, PlanError> {
        let damaged = |reason: &str| PlanError::damaged(&run.name, reason);
        if run.bytes < TAIL {
            return Err(damaged("it has no footer"));
        }
        let guess = (run.rows / ROWS_A_FOOTER_BYTE).clamp(FOOTER_GUESS.0, FOOTER_GUESS.1);
        let guess = run.bytes.saturating_sub(guess);
        let end = store.get(&run.name, Some(guess..run.bytes)).await?;
        if end.len() as u64 != run.bytes - guess {
            return Err(damaged("its size is not what the manifest says"));
        }
        let (before, tail) = end
            .split_last_chunk()
            .ok_or_else(|| damaged("it has no footer"))?;
        let length = FooterTail::try_new(tail)
            .map_err(|e| damaged(&e.to_string()))?
            .metadata_length();
        if let Some(start) = before.len().checked_sub(length) {
            // A copy: a slice would hold on to all that was read.
            return Self::as_written(run, Bytes::copy_from_slice(&before[start..]), None);
        }
        let start = (run.bytes - TAIL)
            .checked_sub(length as u64)
            .ok_or_else(|| damaged("its footer is longer than the file"))?;
        if length as u64 > bounds::MOST_FOOTER {
            let most = bounds::MOST_FOOTER;
            return Err(damaged(&format!(
                "its footer has {length} bytes, allowed are {most}"
            )));
        }
        drop(end);
        let turn = Arc::clone(&budget.long_footers).acquire_owned().await;
        let bytes = store.get(&run.name, Some(start..run.bytes - TAIL)).await?;
        Self::as_written(run, bytes, turn.ok())
    }

    /// The footer, if it is as the manifest says it was written.
    fn as_written(
        run: &Run,
        bytes: Bytes,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, PlanError> {
        let written = run.footer_crc32;
        if written.is_some_and(|written| written != checksum::of(&bytes)) {
            let reason = format!("its footer {}", checksum::WRONG);
            return Err(PlanError::damaged(&run.name, reason));
        }
        Ok(Self { bytes, _turn: turn })
    }

    /// Parses it, and finds a plan's columns.
    ///
    /// # Errors
    /// What is wrong, for a person: it is out of bounds, cannot be read, or has other columns than a plan.
    pub(in crate::plan) fn check(&self) -> Result<(ParquetMetaData, Columns), String> {
        bounds::check_footer(&self.bytes)?;
        let metadata = catch_panic(|| ParquetMetaDataReader::decode_metadata(&self.bytes))?;
        let columns = Columns::find(&metadata)?;
        Ok((metadata, columns))
    }
}

/// The row groups from the first on that may have rows behind `after`.
///
/// # Errors
/// What is wrong, for a person: one is too large, or not in the file's `file_bytes`.
pub(super) fn groups_behind(
    after: Option<&Position>,
    metadata: &ParquetMetaData,
    columns: &Columns,
    file_bytes: u64,
) -> Result<VecDeque<GroupPlace>, String> {
    let is_before = |group: &RowGroupMetaData| {
        let (Some(after), Some(latest)) = (after, latest_time(group, columns)) else {
            return false;
        };
        latest < after.effective_time
    };
    let checksums = checksum::read(metadata)?;
    let mut before: u64 = 0;
    let numbered = (0..).zip(metadata.row_groups()).map(|(number, group)| {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        before = before.saturating_add(rows);
        (number, before - rows, group)
    });
    numbered
        .skip_while(|(_, _, group)| is_before(group))
        .map(|(number, before, group)| {
            let wrong = |reason: String| format!("row group {number}: {reason}");
            let place = place(group, columns, file_bytes);
            let mut place = place.ok_or_else(|| wrong("it lies outside the file".to_owned()))?;
            bounds::check_group(group, place.extent.end - place.extent.start).map_err(wrong)?;
            (place.number, place.before) = (number, before);
            place.crc32 = checksums.as_ref().map(|all| all[number as usize]);
            Ok(place)
        })
        .collect()
}

/// The row group's latest effective time, as its statistics say.
fn latest_time(group: &RowGroupMetaData, columns: &Columns) -> Option<Timestamp> {
    match columns.of(group).next()?.statistics() {
        Some(Statistics::Int64(statistics)) => statistics.max_opt().copied().map(Timestamp),
        _ => None,
    }
}

/// Where a row group's bytes are; `None` when that is not in the file.
fn place(group: &RowGroupMetaData, columns: &Columns, file_bytes: u64) -> Option<GroupPlace> {
    let mut extent = (u64::MAX, 0);
    let mut places = Vec::with_capacity(COUNT);
    for column in columns.of(group) {
        let start = column
            .dictionary_page_offset()
            .unwrap_or_else(|| column.data_page_offset());
        let start = u64::try_from(start).ok()?;
        let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
        extent = (extent.0.min(start), extent.1.max(end));
        places.push((start..end, column));
    }
    // What does not fit is in a row group that is far too large, and refused for that.
    let short = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let columns: Vec<_> = places
        .into_iter()
        .map(|(bytes, column)| ColumnPlace {
            offset: short(bytes.start - extent.0),
            length: short(bytes.end - bytes.start),
            has_dictionary: column.dictionary_page_offset().is_some(),
            codec: column.compression(),
        })
        .collect();
    let columns = columns.try_into().ok()?;
    (extent.0 < extent.1 && extent.1 <= file_bytes).then_some(GroupPlace {
        number: 0,
        before: 0,
        rows: group.num_rows(),
        extent: extent.0..extent.1,
        crc32: None,
        columns,
    })
}
