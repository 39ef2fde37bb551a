//! Runs made fewer before they are read in order, where more overlap than are read at the same time.
//!
//! Some of those that overlap are merged into a sequence of runs that do not, until few enough are left. What has
//! been merged is committed like what has been listed: the sequence is in the manifest, and its rows are no more
//! read of the runs that they come from ([`Run::after`]). docs/decisions/0038-flat-merge.md

use std::sync::Arc;
use std::time::Duration;

use bridge_core::listing::version::PlannedVersion;
use parquet::errors::ParquetError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::plan::budget::Budget;
use crate::plan::commit::Commit;
use crate::plan::depth::Width;
use crate::plan::manifest::{Manifest, Run};
use crate::plan::merge::Merge;
use crate::plan::position::Position;
use crate::plan::run::{self, Encoder, MOST_ROWS, ROWS_A_GROUP};
use crate::plan::store::{PlanError, PlanStore};

/// Rows that are merged, then encoded.
const PACKET: usize = 2 * ROWS_A_GROUP;

/// Bytes of a run that is made of others, about; also a part of the memory.
const RUN_BYTES: usize = 32 * 1024 * 1024;
const RUN_PART: usize = 8;

/// The part of the memory that is not for reading: the run that is made, and its next rows.
const WRITING_PART: usize = 4;

/// What passes over a plan need.
pub struct Passes<'a> {
    /// Where runs are.
    pub store: Arc<dyn PlanStore>,
    /// Who keeps the manifest.
    pub commit: &'a dyn Commit,
    /// Which of its runs: [`sent`], or those of another order.
    pub of: fn(&mut Manifest) -> &mut Vec<Run>,
    /// How many runs may be read at the same time.
    pub width: Width,
    /// Unique to this segment: the first part of its runs' names.
    pub run_prefix: String,
    /// What is merged is committed at least this often.
    pub commit_every: Duration,
    /// Once cancelled, what has been merged is committed, and no more is.
    pub stop: CancellationToken,
}

/// The runs that are sent.
pub fn sent(manifest: &mut Manifest) -> &mut Vec<Run> {
    &mut manifest.runs
}

impl Passes<'_> {
    /// Makes the runs of `manifest` few enough and opens them behind `after`; `None` when it was stopped before.
    ///
    /// # Errors
    /// [`PlanError`]; what was committed before stays good.
    pub async fn open(
        mut self,
        manifest: &mut Manifest,
        after: Option<&Position>,
    ) -> Result<Option<Merge>, PlanError> {
        let mut written = 0;
        loop {
            while let Some(chosen) = self.width.exceeded_by((self.of)(manifest), after) {
                if self.stop.is_cancelled() {
                    return Ok(None);
                }
                let (runs, of) = (chosen.len(), (self.of)(manifest).len());
                tracing::info!(runs, of, "too many runs overlap: merging some of them");
                let merged = self.merge(manifest, &chosen, &mut written).await;
                self.or_fewer(merged)?;
            }
            let (store, budget) = (Arc::clone(&self.store), Budget::new(self.width.bytes));
            let merge = Merge::open(store, (self.of)(manifest), after, budget).await;
            if let Some(merge) = self.or_fewer(merge)? {
                return Ok(Some(merge));
            }
        }
    }

    /// Runs that take more than was reckoned are tried again, fewer at the same time.
    fn or_fewer<T>(&mut self, result: Result<T, PlanError>) -> Result<Option<T>, PlanError> {
        match result {
            Err(PlanError::Memory { .. }) if self.width.runs > 2 => {
                self.width.runs /= 2;
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    /// Merges the runs that are `chosen` into a sequence.
    async fn merge(
        &self,
        manifest: &mut Manifest,
        chosen: &[usize],
        written: &mut usize,
    ) -> Result<(), PlanError> {
        let runs = (self.of)(manifest);
        let inputs: Vec<Run> = chosen.iter().map(|n| runs[*n].clone()).collect();
        let run_bytes = RUN_BYTES.min(self.width.bytes / RUN_PART);
        let budget = Budget::new(self.width.bytes - self.width.bytes / WRITING_PART);
        let mut merge = Merge::open(Arc::clone(&self.store), &inputs, None, budget).await?;
        let mut sequence = Vec::new();
        let mut begun = None;
        let mut last_commit = Instant::now();
        let mut rows = packet(&mut merge).await?;
        while !rows.is_empty() {
            // Here, and not on another thread as a scan's runs: when that ended would be chance, so that a simulation
            // could not be repeated from its seed. The heartbeat works between two packets.
            let filled = encode(begun, run_bytes, &rows).map_err(|error| self.failed(&error))?;
            let more = packet(&mut merge).await;
            let is_stopped = self.stop.is_cancelled();
            let is_over = more.as_ref().map_or(true, Vec::is_empty) || is_stopped;
            if is_over || filled.bytes() >= run_bytes || filled.rows() >= MOST_ROWS as u64 {
                let finished = filled.finish().map_err(|error| self.failed(&error))?;
                let name = format!("{}-{written:06}.parquet", self.run_prefix);
                *written += 1;
                sequence.push(run::put(&*self.store, name, finished).await?.0);
                if is_over || last_commit.elapsed() >= self.commit_every {
                    replace((self.of)(manifest), &inputs, std::mem::take(&mut sequence));
                    self.commit.commit(manifest).await?;
                    last_commit = Instant::now();
                }
                begun = None;
            } else {
                begun = Some(filled);
            }
            if is_stopped {
                return Ok(());
            }
            rows = more?;
        }
        // Also where the manifest says that they have more.
        let is_merged = |run: &Run| inputs.iter().any(|input| input.name == run.name);
        (self.of)(manifest).retain(|run| !is_merged(run));
        Ok(())
    }

    fn failed(&self, error: &ParquetError) -> PlanError {
        PlanError::damaged(&self.run_prefix, format!("a run cannot be made: {error}"))
    }
}

/// The next rows, none at the end.
async fn packet(merge: &mut Merge) -> Result<Vec<PlannedVersion>, PlanError> {
    let mut rows = Vec::with_capacity(PACKET);
    while rows.len() < PACKET
        && let Some(row) = merge.next().await?
    {
        rows.push(row);
    }
    Ok(rows)
}

/// Adds rows to the run that is being made, or to a new one.
fn encode(
    encoder: Option<Encoder>,
    run_bytes: usize,
    rows: &[PlannedVersion],
) -> Result<Encoder, ParquetError> {
    // A little more than it will have, so that it is not copied when it outgrows that.
    let mut encoder = match encoder {
        Some(encoder) => encoder,
        None => Encoder::new(run_bytes / 4 * 5)?,
    };
    for group in rows.chunks(ROWS_A_GROUP) {
        let group: Vec<_> = group.iter().map(PlannedVersion::borrowed).collect();
        encoder.add(&group)?;
    }
    Ok(encoder)
}

/// Puts a sequence in the place of the rows that it was made of: `inputs`' up to its last.
fn replace(runs: &mut Vec<Run>, inputs: &[Run], sequence: Vec<Run>) {
    let Some(passed) = sequence.last().map(|run| run.last.clone()) else {
        return;
    };
    for run in runs.iter_mut() {
        if inputs.iter().any(|input| input.name == run.name) {
            run.after = Some(passed.clone());
        }
    }
    runs.retain(|run| run.after.as_ref().is_none_or(|after| run.last > *after));
    runs.extend(sequence);
}
