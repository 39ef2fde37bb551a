//! A plan from elsewhere becomes the job's own: it is read whole and checked row by row, and what the filter
//! chooses is written as sorted runs, before anything is sent (docs/decisions/0040).
//!
//! - `check`: what is wrong with it; `chosen`: rows in memory; `by_key`: the newest version of each key

mod by_key;
mod check;
mod chosen;

use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::plan::budget::Budget;
use crate::plan::commit::Commit;
use crate::plan::depth::Width;
use crate::plan::elsewhere::Elsewhere;
use crate::plan::elsewhere::footers::inspect;
use crate::plan::elsewhere::place::PlanSource;
use crate::plan::elsewhere::unchanged::Unchanged;
use crate::plan::manifest::{Adopting, Manifest, Run, Summary};
use crate::plan::passes::Passes;
use crate::plan::position::Position;
use crate::plan::run;
use crate::plan::store::{PlanError, PlanStore};
use crate::scan::adopt::by_key::{Newest, file, take_out};
use crate::scan::adopt::check::{check_kinds, check_rows, refused, shown, twice_in_key};
use crate::scan::adopt::chosen::Chosen;
use crate::scan::filter::Filter;
use crate::scan::scanner::ScanSettings;

/// The reading of a plan from elsewhere.
pub struct Adoption<'a> {
    /// Which plan.
    pub source: &'a PlanSource,
    /// The manifest's folder.
    pub elsewhere: Arc<dyn PlanStore>,
    /// Where to.
    pub store: Arc<dyn PlanStore>,
    /// Who keeps the manifest.
    pub commit: &'a dyn Commit,
    /// Which versions.
    pub filter: &'a Filter,
    /// Of a scan: memory, and how often to commit.
    pub settings: &'a ScanSettings,
    /// How many runs are read at the same time where the newest version of each key is looked for.
    pub width: Width,
    /// Unique to this segment: the first part of its runs' names.
    pub run_prefix: String,
    /// Once cancelled, what is in memory is written, and that is all.
    pub stop: CancellationToken,
}

/// What has been read and is in no run yet, and the run that is being written.
struct Work<'m> {
    manifest: &'m mut Manifest,
    /// How far the rows in memory go.
    at: Adopting,
    /// Versions read, those before this segment included.
    listed: u64,
    chosen: Chosen,
    writing: Option<Writing>,
    last_write: Instant,
    /// Runs begun by this segment, for their names.
    begun: usize,
}

/// A run on its way, with the cursors that belong to it.
struct Writing {
    run: Option<JoinHandle<Result<(Run, Summary), PlanError>>>,
    at: Adopting,
    listed: u64,
    /// Whether it is in the order of keys.
    is_by_key: bool,
}

impl Adoption<'_> {
    /// Reads what `manifest` says is still to be read. It ends with a commit; the manifest says whether all
    /// has been read.
    ///
    /// # Errors
    /// [`PlanError`]; what was committed before stays good.
    pub async fn run(self, manifest: &mut Manifest) -> Result<(), PlanError> {
        let (_, name) = self.source.parts();
        let plan = Elsewhere::load(&*self.elsewhere, name, &manifest.bucket).await;
        let plan = plan.map_err(|error| self.named(error))?;
        if plan.digest != self.source.digest {
            return Err(PlanError::Refused {
                name: self.source.uri.clone(),
                reason: "it was replaced after the job had been started: start another job, and leave the plan as \
                         it is until that has read it"
                    .to_owned(),
            });
        }
        let at = manifest.adopting.clone().unwrap_or_default();
        let mut work = Work {
            listed: manifest.listed,
            at,
            manifest,
            chosen: Chosen::default(),
            writing: None,
            last_write: Instant::now(),
            begun: 0,
        };
        while let Some(run) = plan.runs.get(work.at.runs) {
            let is_whole = self.read(run, &mut work).await;
            if !is_whole.map_err(|error| self.named(error))? {
                return self.leave(&mut work).await;
            }
        }
        check_kinds(&plan.summary, &work.at.read).map_err(|reason| PlanError::Refused {
            name: self.source.uri.clone(),
            reason,
        })?;
        if self.filter.current_only {
            // All that is filed is to be in runs.
            if work.manifest.adopting.as_ref() != Some(&work.at) {
                self.leave(&mut work).await?;
            }
            if !self.decide(&mut work).await? {
                return self.leave(&mut work).await;
            }
        }
        self.leave(&mut work).await?;
        work.manifest.adopting = None;
        work.manifest.summary.ambiguous = plan.summary.ambiguous;
        self.commit.commit(work.manifest).await
    }

    /// Reads one run from where it was left; whether to its end.
    async fn read(&self, run: &Run, work: &mut Work<'_>) -> Result<bool, PlanError> {
        let store = Arc::clone(&self.elsewhere);
        let store = Unchanged::open(store, &run.name, work.at.tag.as_ref()).await?;
        work.at.tag = store.tag().cloned();
        let inspected = inspect(&store, run, Budget::alone()).await?;
        let opened = inspected.open(Arc::new(store), run, work.at.after.clone());
        let mut reader = opened.map_err(refused)?;
        loop {
            if self.stop.is_cancelled() {
                return Ok(false);
            }
            // Whoever renews the lease works in the same task.
            yield_now().await;
            let rows = reader.next_rows().await;
            let rows = rows.map_err(refused)?;
            let Some(rows) = rows else { break };
            check_rows(run, &rows, &work.at).map_err(|(row, reason)| PlanError::Refused {
                name: run.name.clone(),
                reason: format!("{}: {reason}", inspected.place(row)),
            })?;
            self.take_in(rows, work).await?;
        }
        if work.at.rows != run.rows || work.at.after.as_ref() != Some(&run.last) {
            return Err(PlanError::Refused {
                name: run.name.clone(),
                reason: format!(
                    "it ends at {} after {} rows, and the manifest says at {} after {}: was it replaced while it was \
                     read?",
                    shown(work.at.after.as_ref()),
                    work.at.rows,
                    shown(Some(&run.last)),
                    run.rows
                ),
            });
        }
        work.at.runs += 1;
        (work.at.rows, work.at.after, work.at.tag) = (0, None, None);
        Ok(true)
    }

    async fn take_in(
        &self,
        rows: Vec<PlannedVersion>,
        work: &mut Work<'_>,
    ) -> Result<(), PlanError> {
        let borrowed: Vec<_> = rows.iter().map(PlannedVersion::borrowed).collect();
        work.at.read.add_all(&borrowed);
        work.at.rows += rows.len() as u64;
        work.at.after = borrowed.last().map(Position::of).or(work.at.after.take());
        work.listed += rows.len() as u64;
        for row in rows {
            if self.filter.current_only {
                let until = self.filter.until;
                let is_before = until.is_none_or(|until| row.effective_time < until);
                if is_before && self.filter.takes_key(&row.version.key) {
                    work.chosen.push(file(row));
                }
            } else if self.filter.keeps(&row.borrowed()) {
                work.chosen.push(row);
            }
        }
        self.write_if_due(work, self.filter.current_only).await
    }

    /// Chooses the newest version of each key from what is filed by key; whether all have been.
    async fn decide(&self, work: &mut Work<'_>) -> Result<bool, PlanError> {
        // All of them overlap.
        let passes = Passes {
            store: Arc::clone(&self.store),
            commit: self.commit,
            of: by_key,
            width: self.width,
            run_prefix: format!("{}-merged", self.run_prefix),
            commit_every: self.settings.commit_every,
            stop: self.stop.clone(),
        };
        let after = work.at.decided.clone();
        let opened = passes.open(work.manifest, after.as_ref()).await;
        let opened = opened.map_err(|error| self.of_keys(error))?;
        work.at.by_key.clone_from(by_key(work.manifest));
        let Some(mut merge) = opened else {
            return Ok(false);
        };
        let mut newest = Newest::default();
        let mut rows: u64 = 0;
        loop {
            let row = merge.next().await.map_err(|error| self.of_keys(error))?;
            let is_last = row.is_none();
            if let Some(decided) = newest.next(row) {
                work.at.decided = Some(Position::of(&decided.borrowed()));
                let row = take_out(decided)?;
                if self.filter.keeps(&row.borrowed()) {
                    work.chosen.push(row);
                }
            }
            if is_last {
                return Ok(true);
            }
            work.listed += 1;
            rows += 1;
            if rows.is_multiple_of(128) {
                if self.stop.is_cancelled() {
                    return Ok(false);
                }
                yield_now().await;
                self.write_if_due(work, false).await?;
            }
        }
    }

    async fn write_if_due(&self, work: &mut Work<'_>, is_by_key: bool) -> Result<(), PlanError> {
        let is_full = work.chosen.is_full(self.settings.memory_budget / 4);
        if is_full || work.last_write.elapsed() >= self.settings.commit_every {
            self.begin(work, is_by_key).await?;
        }
        Ok(())
    }

    /// Lets what is in memory be written, while reading goes on, and commits what was being written before.
    async fn begin(&self, work: &mut Work<'_>, is_by_key: bool) -> Result<(), PlanError> {
        self.end(work).await?;
        let rows = std::mem::take(&mut work.chosen).sorted();
        let rows = rows.map_err(|at| self.has_twice(&at, is_by_key))?;
        let run = if rows.is_empty() {
            None
        } else {
            let name = format!("{}-{:06}.parquet", self.run_prefix, work.begun);
            work.begun += 1;
            let store = Arc::clone(&self.store);
            Some(tokio::spawn(async move {
                run::write(&*store, name, rows).await
            }))
        };
        work.writing = Some(Writing {
            run,
            at: work.at.clone(),
            listed: work.listed,
            is_by_key,
        });
        work.last_write = Instant::now();
        Ok(())
    }

    /// Waits for the run that is being written, if there is one, and commits it.
    async fn end(&self, work: &mut Work<'_>) -> Result<(), PlanError> {
        let Some(writing) = work.writing.take() else {
            return Ok(());
        };
        let mut at = writing.at;
        if let Some(run) = writing.run {
            let run = run
                .await
                .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
            let (run, summary) = run?;
            if writing.is_by_key {
                work.at.by_key.push(run);
            } else {
                work.manifest.runs.push(run);
                work.manifest.summary.add(summary);
            }
        }
        at.by_key.clone_from(&work.at.by_key);
        work.manifest.adopting = Some(at);
        work.manifest.listed = writing.listed;
        self.commit.commit(work.manifest).await
    }

    /// Writes and commits all that is in memory.
    async fn leave(&self, work: &mut Work<'_>) -> Result<(), PlanError> {
        let is_by_key = self.filter.current_only && work.at.decided.is_none();
        self.begin(work, is_by_key).await?;
        self.end(work).await
    }

    /// A row of the plan is in another one of its runs, too.
    fn has_twice(&self, at: &Position, is_by_key: bool) -> PlanError {
        let reason = if is_by_key {
            twice_in_key(at)
        } else {
            format!("a row is in it twice, at {}", shown(Some(at)))
        };
        PlanError::Refused {
            name: self.source.uri.clone(),
            reason,
        }
    }

    /// What the runs in the order of keys have twice is the plan's fault, and not theirs.
    fn of_keys(&self, error: PlanError) -> PlanError {
        match error {
            PlanError::Repeated { at, .. } => self.has_twice(&at, true),
            error => error,
        }
    }

    /// An error about a file of the plan, which is then named in full.
    fn named(&self, mut error: PlanError) -> PlanError {
        if let PlanError::Damaged { name, .. } | PlanError::Refused { name, .. } = &mut error {
            let (folder, _) = self.source.parts();
            if !name.starts_with(folder) {
                *name = format!("{folder}/{name}");
            }
        }
        error
    }
}

/// Its runs in the order of keys.
fn by_key(manifest: &mut Manifest) -> &mut Vec<Run> {
    &mut manifest.adopting.get_or_insert_default().by_key
}
