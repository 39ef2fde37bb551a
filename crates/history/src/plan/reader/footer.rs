//! A run's footer: what the file says of its columns, and where its row groups are.

use std::collections::VecDeque;
use std::ops::Range;

use bridge_core::timestamp::Timestamp;
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FooterTail, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::statistics::Statistics;

use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::bounds;
use crate::plan::reader::panic::catch_panic;
use crate::plan::run::COLUMNS;
use crate::plan::store::{PlanError, PlanStore};

/// The length of a Parquet file's tail: metadata length and magic.
const TAIL: u64 = 8;

/// What is read of a file's end at first: nearly always its whole footer.
const FOOTER_GUESS: u64 = 256 * 1024;

/// The file's metadata as written. Parsed it takes ten times the memory, so it is parsed again for each
/// row group.
pub(in crate::plan) struct Footer(Bytes);

/// Where a row group is.
pub(super) struct GroupPlace {
    /// In the file, from 0.
    pub(super) number: usize,
    /// Its bytes.
    pub(super) extent: Range<u64>,
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
        let guess = run.bytes.saturating_sub(FOOTER_GUESS);
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

    /// Parses it for the first time.
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
        catch_panic(|| self.parse())
    }

    /// Parses it again.
    pub(super) fn parse(&self) -> Result<ParquetMetaData, ParquetError> {
        ParquetMetaDataReader::decode_metadata(&self.0)
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
    let groups = metadata.row_groups().iter().enumerate();
    groups
        .skip_while(|(_, group)| is_before(group))
        .map(|(number, group)| {
            let extent =
                extent(group, file_bytes).ok_or("a row group lies outside the file".to_owned())?;
            bounds::check_group(group, extent.end - extent.start)?;
            Ok(GroupPlace { number, extent })
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

/// Where a row group's bytes are.
fn extent(group: &RowGroupMetaData, file_bytes: u64) -> Option<Range<u64>> {
    let mut extent = (u64::MAX, 0);
    for column in group.columns() {
        let start = column
            .dictionary_page_offset()
            .unwrap_or_else(|| column.data_page_offset());
        let start = u64::try_from(start).ok()?;
        let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
        extent = (extent.0.min(start), extent.1.max(end));
    }
    (extent.0 < extent.1 && extent.1 <= file_bytes).then_some(extent.0..extent.1)
}
