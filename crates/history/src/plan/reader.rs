//! Reading a run from after a position, a row group at a time and the next one ahead.

mod bounds;
mod compact;
mod group;

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use bridge_core::timestamp::Timestamp;
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FooterTail, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::statistics::Statistics;
use tokio::task::JoinHandle;

use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::group::{Group, Window};
use crate::plan::run::COLUMNS;
use crate::plan::store::{PlanError, PlanStore};

/// The length of a Parquet file's tail: metadata length and magic.
const TAIL: u64 = 8;

/// When so many rows are left of a row group, the next one is asked for.
const ROWS_BEFORE_AHEAD: usize = 512;

/// What is read of a file's end at first: nearly always its whole footer.
const FOOTER_GUESS: u64 = 256 * 1024;

/// Reads a run from after a position.
pub struct RunReader {
    store: Arc<dyn PlanStore>,
    name: String,
    file_bytes: u64,
    /// The file's metadata as written. Parsed it takes ten times the memory, so it is parsed
    /// again for each row group.
    footer: Bytes,
    /// Row groups that have not been begun.
    groups: VecDeque<(usize, Range<u64>)>,
    /// The bytes of the first of them, on their way.
    ahead: Option<JoinHandle<Result<Bytes, PlanError>>>,
    current: Option<Group>,
    after: Option<Position>,
}

impl RunReader {
    /// Opens a run behind `after`: row groups that end before it are not read at all.
    ///
    /// # Errors
    /// [`PlanError`] when it cannot be read, or is not of the public schema.
    pub async fn open(
        store: Arc<dyn PlanStore>,
        run: &Run,
        after: Option<Position>,
    ) -> Result<Self, PlanError> {
        let damaged = |reason: String| PlanError::Damaged {
            name: run.name.clone(),
            reason,
        };
        let footer = read_footer(&*store, run).await?;
        bounds::check_footer(&footer).map_err(damaged)?;
        let metadata = catch_panic(|| ParquetMetaDataReader::decode_metadata(&footer));
        let metadata = metadata.map_err(damaged)?;
        check_schema(&metadata).map_err(damaged)?;
        let mut groups = VecDeque::new();
        for (number, group) in metadata.row_groups().iter().enumerate() {
            let is_before = |after: &Position| {
                latest_time(group).is_some_and(|latest| latest < after.effective_time)
            };
            if groups.is_empty() && after.as_ref().is_some_and(is_before) {
                continue;
            }
            let extent = extent(group, run.bytes)
                .ok_or_else(|| damaged("a row group lies outside the file".to_owned()))?;
            bounds::check_group(group, extent.end - extent.start).map_err(damaged)?;
            groups.push_back((number, extent));
        }
        let mut reader = Self {
            store,
            name: run.name.clone(),
            file_bytes: run.bytes,
            footer,
            groups,
            ahead: None,
            current: None,
            after,
        };
        reader.read_ahead();
        Ok(reader)
    }

    /// The next rows that are behind the position; `None` at the end.
    ///
    /// # Errors
    /// [`PlanError`] when they cannot be read, or are not sorted.
    pub async fn next_rows(&mut self) -> Result<Option<Vec<PlannedVersion>>, PlanError> {
        loop {
            let Some(group) = &mut self.current else {
                if !self.begin_group().await? {
                    return Ok(None);
                }
                continue;
            };
            let mut rows = match catch_panic(|| group.next_rows()) {
                Ok(rows) => rows,
                Err(reason) => return Err(self.damaged(reason)),
            };
            let group_left = group.rows_left;
            if group_left == 0 {
                self.current = None;
            }
            if self.ahead.is_none() && group_left <= ROWS_BEFORE_AHEAD {
                self.read_ahead();
            }
            if !rows.is_sorted_by(|a, b| a.order_key() < b.order_key()) {
                return Err(self.damaged("its rows are not sorted".to_owned()));
            }
            if let Some(after) = &self.after {
                let after = (after.effective_time, after.key.as_str(), after.rank);
                rows.drain(..rows.partition_point(|row| row.order_key() <= after));
            }
            if !rows.is_empty() {
                self.after = None;
                return Ok(Some(rows));
            }
        }
    }

    /// Asks for the next row group's bytes.
    fn read_ahead(&mut self) {
        if let Some((_, extent)) = self.groups.front() {
            let (store, name, extent) =
                (Arc::clone(&self.store), self.name.clone(), extent.clone());
            self.ahead = Some(tokio::spawn(
                async move { store.get(&name, Some(extent)).await },
            ));
        }
    }

    /// `false` when there is none.
    async fn begin_group(&mut self) -> Result<bool, PlanError> {
        let Some((number, extent)) = self.groups.pop_front() else {
            return Ok(false);
        };
        let bytes = match self.ahead.take() {
            Some(ahead) => ahead
                .await
                .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?,
            None => self.store.get(&self.name, Some(extent.clone())).await?,
        };
        let window = Arc::new(Window {
            start: extent.start,
            bytes,
            file_bytes: self.file_bytes,
        });
        let footer = self.footer.clone();
        let opened = catch_panic(|| {
            let metadata = ParquetMetaDataReader::decode_metadata(&footer)?;
            Group::open(metadata.row_group(number), &window)
        });
        self.current = Some(opened.map_err(|reason| self.damaged(reason))?);
        Ok(true)
    }

    fn damaged(&self, reason: String) -> PlanError {
        PlanError::Damaged {
            name: self.name.clone(),
            reason,
        }
    }
}

/// The file's metadata as it is written at its end.
async fn read_footer(store: &dyn PlanStore, run: &Run) -> Result<Bytes, PlanError> {
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
    let (before, tail) = end.split_at(end.len() - 8);
    let tail = <[u8; 8]>::try_from(tail).map_err(|_| damaged("it has no footer"))?;
    let length = FooterTail::try_new(&tail)
        .map_err(|e| damaged(&e.to_string()))?
        .metadata_length();
    if let Some(start) = before.len().checked_sub(length) {
        // A copy: a slice would hold on to all that was read.
        return Ok(Bytes::copy_from_slice(&before[start..]));
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
    store.get(&run.name, Some(start..run.bytes - TAIL)).await
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

/// The Parquet library panics on some damaged pages (found by the test that damages runs). A job
/// must end with an error that names the file instead, so the panic is caught here; nothing that
/// it could have left half done is used again (docs/decisions/0003).
fn catch_panic<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(|e| e.to_string()),
        Err(_) => Err("the Parquet reader panicked on it".to_owned()),
    }
}
