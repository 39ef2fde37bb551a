//! The sorted runs of a plan as one stream, from after a position.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use crate::plan::run::RunReader;
use crate::plan::{Manifest, PlanError, PlanStore};
use crate::version::{PlannedVersion, Position};

/// A k-way merge. Memory: one row group a run.
pub struct Merge {
    store: Arc<dyn PlanStore>,
    sources: Vec<Source>,
    /// The run whose first row is the smallest, and so on.
    heads: BinaryHeap<Reverse<(Position, usize)>>,
    last: Option<Position>,
}

struct Source {
    name: String,
    reader: RunReader,
    rows: VecDeque<PlannedVersion>,
}

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
        let mut merge = Self {
            store,
            sources: Vec::new(),
            heads: BinaryHeap::new(),
            last: after.cloned(),
        };
        for run in &manifest.runs {
            if after.is_some_and(|after| run.last <= *after) {
                continue;
            }
            let reader = RunReader::open(&*merge.store, run, after.cloned()).await?;
            merge.sources.push(Source {
                name: run.name.clone(),
                reader,
                rows: VecDeque::new(),
            });
            merge.refill(merge.sources.len() - 1).await?;
        }
        Ok(merge)
    }

    /// The next version; `None` at the end of the plan.
    ///
    /// # Errors
    /// [`PlanError`] when a run cannot be read, or is not sorted.
    pub async fn next(&mut self) -> Result<Option<PlannedVersion>, PlanError> {
        let Some(Reverse((position, index))) = self.heads.pop() else {
            return Ok(None);
        };
        let source = &mut self.sources[index];
        if self.last.as_ref().is_some_and(|last| *last >= position) {
            return Err(PlanError::Damaged {
                name: source.name.clone(),
                reason: format!("it is not sorted, or repeats a row, at {position:?}"),
            });
        }
        self.last = Some(position);
        let row = source.rows.pop_front();
        match source.rows.front() {
            Some(row) => self.heads.push(Reverse((row.position(), index))),
            None => self.refill(index).await?,
        }
        Ok(row)
    }

    async fn refill(&mut self, index: usize) -> Result<(), PlanError> {
        let source = &mut self.sources[index];
        if let Some(rows) = source.reader.next_rows(&*self.store).await? {
            source.rows = rows.into();
            if let Some(row) = source.rows.front() {
                self.heads.push(Reverse((row.position(), index)));
            }
        }
        Ok(())
    }
}
