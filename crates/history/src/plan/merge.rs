//! The sorted runs of a plan as one stream, from after a position.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::plan::manifest::{Manifest, Run};
use crate::plan::position::Position;
use crate::plan::reader::RunReader;
use crate::plan::store::{PlanError, PlanStore};

/// Runs opened at the same time.
const OPENED_AT_ONCE: usize = 32;

/// A k-way merge. Memory: of each run two row groups as they are stored, and a few decoded rows.
pub struct Merge {
    sources: Vec<Source>,
    /// The first row of each run, the smallest on top.
    heads: BinaryHeap<Head>,
}

struct Source {
    name: String,
    reader: RunReader,
    rows: std::vec::IntoIter<PlannedVersion>,
    /// The last row handed out of the rows before these.
    last: Option<Position>,
}

/// The first row that a source has not handed out.
struct Head {
    row: PlannedVersion,
    source: usize,
}

impl Ord for Head {
    /// Reversed: a heap has its largest on top.
    fn cmp(&self, other: &Self) -> Ordering {
        other.row.order_key().cmp(&self.row.order_key())
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

impl Merge {
    /// Opens the runs of `manifest` behind `after`. Runs that end before it are not opened.
    ///
    /// # Errors
    /// [`PlanError`] when a run cannot be read.
    pub async fn open(
        store: Arc<dyn PlanStore>,
        manifest: &Manifest,
        after: Option<&Position>,
    ) -> Result<Self, PlanError> {
        let mut opening = Vec::new();
        for run in &manifest.runs {
            if after.is_none_or(|after| run.last > *after) {
                opening.push(Source::open(
                    Arc::clone(&store),
                    run.clone(),
                    after.cloned(),
                ));
            }
        }
        let sources = stream::iter(opening).buffered(OPENED_AT_ONCE);
        let mut merge = Self {
            sources: sources.try_collect().await?,
            heads: BinaryHeap::new(),
        };
        for source in 0..merge.sources.len() {
            merge.push_head(source).await?;
        }
        Ok(merge)
    }

    /// The next version; `None` at the end of the plan.
    ///
    /// # Errors
    /// [`PlanError`] when a run cannot be read, is not sorted, or repeats another one's row.
    pub async fn next(&mut self) -> Result<Option<PlannedVersion>, PlanError> {
        let Some(Head { row, source }) = self.heads.pop() else {
            return Ok(None);
        };
        self.push_head(source).await?;
        if let Some(next) = self.heads.peek()
            && next.row.order_key() <= row.order_key()
        {
            return Err(PlanError::Damaged {
                name: self.sources[next.source].name.clone(),
                reason: format!("it repeats a row at {:?}", Position::of(&row.borrowed())),
            });
        }
        Ok(Some(row))
    }

    async fn push_head(&mut self, source: usize) -> Result<(), PlanError> {
        if let Some(row) = self.sources[source].next().await? {
            self.heads.push(Head { row, source });
        }
        Ok(())
    }
}

impl Source {
    async fn open(
        store: Arc<dyn PlanStore>,
        run: Run,
        after: Option<Position>,
    ) -> Result<Self, PlanError> {
        let mut source = Self {
            name: run.name.clone(),
            reader: RunReader::open(store, &run, after).await?,
            rows: Vec::new().into_iter(),
            last: None,
        };
        source.refill().await?;
        Ok(source)
    }

    async fn next(&mut self) -> Result<Option<PlannedVersion>, PlanError> {
        if self.rows.len() == 0 {
            self.refill().await?;
        }
        Ok(self.rows.next())
    }

    async fn refill(&mut self) -> Result<(), PlanError> {
        let Some(rows) = self.reader.next_rows().await? else {
            return Ok(());
        };
        let goes_on = match (&self.last, rows.first()) {
            (Some(last), Some(first)) => *last < Position::of(&first.borrowed()),
            _ => true,
        };
        if !goes_on {
            return Err(PlanError::Damaged {
                name: self.name.clone(),
                reason: "its rows are not sorted".to_owned(),
            });
        }
        self.last = rows.last().map(|row| Position::of(&row.borrowed()));
        self.rows = rows.into_iter();
        Ok(())
    }
}
