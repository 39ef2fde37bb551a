//! A run's footer: what the file says of its columns, and where its row groups are.

use std::collections::VecDeque;
use std::ops::Range;

use bridge_core::timestamp::Timestamp;
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FooterTail, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescPtr;

use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::bounds;
use crate::plan::reader::panic::catch_panic;
use crate::plan::run::COLUMNS;
use crate::plan::store::{PlanError, PlanStore};

/// The length of a Parquet file's tail: metadata length and magic.
const TAIL: u64 = 8;

/// What is read of a file's end at first, at least and at most: nearly always its whole footer.
const FOOTER_GUESS: (u64, u64) = (16 * 1024, 256 * 1024);

/// So many rows take a byte of the footer, or more: a row group of 2,048 takes about 500.
const ROWS_A_FOOTER_BYTE: u64 = 3;

/// The file's metadata as written. Parsed it takes ten times the memory, so only what is needed of it is kept.
pub(in crate::plan) struct Footer(Bytes);

/// Where a row group is.
pub(super) struct GroupPlace {
    /// Its rows.
    pub(super) rows: i64,
    /// Its bytes in the file.
    pub(super) extent: Range<u64>,
    /// Its columns, in the schema's order.
    columns: [ColumnPlace; COLUMNS.len()],
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
        schema: &SchemaDescPtr,
        index: usize,
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        let place = &self.columns[index];
        let start = i64::try_from(self.extent.start + u64::from(place.offset))?;
        ColumnChunkMetaData::builder(schema.column(index))
            .set_compression(place.codec)
            .set_num_values(self.rows)
            .set_total_compressed_size(i64::from(place.length))
            .set_data_page_offset(start)
            .set_dictionary_page_offset(place.has_dictionary.then_some(start))
            .build()
    }
}

impl Footer {
    /// Reads a run's footer, nearly always by one request.
    pub(in crate::plan) async fn read(store: &dyn PlanStore, run: &Run) -> Result<Self, PlanError> {
        let damaged = |reason: &str| PlanError::Damaged {
            name: run.name.clone(),
            reason: reason.to_owned(),
        };
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
            return Ok(Self(Bytes::copy_from_slice(&before[start..])));
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
        let footer = store.get(&run.name, Some(start..run.bytes - TAIL)).await?;
        Ok(Self(footer))
    }

    /// Parses it.
    ///
    /// # Errors
    /// What is wrong, for a person: it is out of bounds, or not of a plan.
    pub(super) fn check(&self) -> Result<ParquetMetaData, String> {
        let metadata = self.metadata()?;
        check_schema(&metadata)?;
        Ok(metadata)
    }

    /// What it says, of whatever schema.
    ///
    /// # Errors
    /// What is wrong, for a person: it is out of bounds, or cannot be read.
    pub(in crate::plan) fn metadata(&self) -> Result<ParquetMetaData, String> {
        bounds::check_footer(&self.0)?;
        catch_panic(|| ParquetMetaDataReader::decode_metadata(&self.0))
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

/// The row groups from the first on that may have rows behind `after`.
///
/// # Errors
/// What is wrong, for a person: one is too large, or not in the file's `file_bytes`.
pub(super) fn groups_behind(
    after: Option<&Position>,
    metadata: &ParquetMetaData,
    file_bytes: u64,
) -> Result<VecDeque<GroupPlace>, String> {
    let is_before = |group: &RowGroupMetaData| {
        let (Some(after), Some(latest)) = (after, latest_time(group)) else {
            return false;
        };
        latest < after.effective_time
    };
    let groups = metadata.row_groups().iter();
    groups
        .skip_while(|group| is_before(group))
        .map(|group| {
            let place = place(group, file_bytes).ok_or("a row group lies outside the file")?;
            bounds::check_group(group, place.extent.end - place.extent.start)?;
            Ok(place)
        })
        .collect()
}

/// The row group's latest effective time, as its statistics say.
fn latest_time(group: &RowGroupMetaData) -> Option<Timestamp> {
    match group.column(0).statistics() {
        Some(Statistics::Int64(statistics)) => statistics.max_opt().copied().map(Timestamp),
        _ => None,
    }
}

/// Where a row group's bytes are; `None` when that is not in the file.
fn place(group: &RowGroupMetaData, file_bytes: u64) -> Option<GroupPlace> {
    let mut extent = (u64::MAX, 0);
    let mut columns = Vec::with_capacity(COLUMNS.len());
    for column in group.columns() {
        let start = column
            .dictionary_page_offset()
            .unwrap_or_else(|| column.data_page_offset());
        let start = u64::try_from(start).ok()?;
        let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
        extent = (extent.0.min(start), extent.1.max(end));
        columns.push((start..end, column));
    }
    // What does not fit is in a row group that is far too large, and refused for that.
    let short = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let columns: Vec<_> = columns
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
        rows: group.num_rows(),
        extent: extent.0..extent.1,
        columns,
    })
}
