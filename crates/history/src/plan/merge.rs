//! The sorted runs of a plan as one stream, from after a position.
//!
//! A run is opened when the stream comes to its first row, and closed at its last, so that only runs that overlap
//! are open at the same time. What they hold is counted ([`super::budget`]). That not too many
//! overlap is [`super::depth`]'s.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use tokio::task::JoinHandle;

use crate::plan::budget::{Budget, Need};
use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::RunReader;
use crate::plan::store::{PlanError, PlanStore};

/// Runs that are being opened at the same time, at most.
const OPENED_AT_ONCE: usize = 64;

/// Runs that are opened before the stream is near them.
const AHEAD: usize = 1;

/// A k-way merge. Memory: of each open run a row group as it is stored, another one while it is on its way, and a
/// few decoded rows; no more in all than its budget.
pub struct Merge {
    store: Arc<dyn PlanStore>,
    budget: Arc<Budget>,
    after: Option<Position>,
    /// Those not yet opened, by their first rows.
    runs: VecDeque<Run>,
    /// Those being opened: their first rows are the next ones.
    opening: VecDeque<Opening>,
    /// Where the first of the open ones ends, or of those being opened: a run that begins up to there is open
    /// together with all of them.
    first_end: Option<Position>,
    sources: Vec<Option<Source>>,
    /// The first row of each open run, the smallest on top.
    heads: BinaryHeap<Head>,
}

/// A run that is being opened.
struct Opening {
    begin: Position,
    last: Position,
    source: JoinHandle<Result<Source, PlanError>>,
}

struct Source {
    run: Run,
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
    /// Opens those of `runs` that the stream behind `after` begins with. Runs that end before it are not opened.
    ///
    /// # Errors
    /// [`PlanError`] when a run cannot be read; [`PlanError::Memory`] when more of them overlap there than
    /// `budget` has room for.
    pub async fn open(
        store: Arc<dyn PlanStore>,
        runs: &[Run],
        after: Option<&Position>,
        budget: Arc<Budget>,
    ) -> Result<Self, PlanError> {
        let is_behind = |run: &&Run| after.is_none_or(|after| run.last > *after);
        let mut runs: Vec<Run> = runs.iter().filter(is_behind).cloned().collect();
        runs.sort_by(|a, b| a.begin().cmp(b.begin()));
        let mut merge = Self {
            store,
            budget,
            after: after.cloned(),
            runs: runs.into(),
            opening: VecDeque::new(),
            first_end: None,
            sources: Vec::new(),
            heads: BinaryHeap::new(),
        };
        merge.open_due().await?;
        Ok(merge)
    }

    /// The next version; `None` at the end of the plan.
    ///
    /// # Errors
    /// [`PlanError`] when a run cannot be read, is not sorted, repeats another one's row, or has rows where the
    /// manifest says it has none; [`PlanError::Memory`] when there is no room for what has to be held.
    pub async fn next(&mut self) -> Result<Option<PlannedVersion>, PlanError> {
        let Some(Head { row, source }) = self.heads.pop() else {
            return Ok(None);
        };
        self.push_head(source).await?;
        self.open_due().await?;
        if let Some(next) = self.heads.peek()
            && next.row.order_key() <= row.order_key()
        {
            return Err(PlanError::Repeated {
                name: self.name(next.source).to_owned(),
                at: Position::of(&row.borrowed()),
            });
        }
        Ok(Some(row))
    }

    /// What it holds.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Opens the runs that begin before the next row does, or at it.
    async fn open_due(&mut self) -> Result<(), PlanError> {
        while !(self.opening.is_empty() && self.runs.is_empty()) {
            self.open_ahead();
            let Some(opening) = self.opening.front_mut() else {
                return Ok(());
            };
            if let Some(head) = self.heads.peek()
                && head.row.order_key() < key(&opening.begin)
            {
                return Ok(());
            }
            let source = (&mut opening.source).await;
            self.opening.pop_front();
            let source = source.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
            let number = self.add(source);
            self.push_head(number).await?;
        }
        Ok(())
    }

    /// Begins to open the runs that will be open together with those that are, and those that come soon.
    fn open_ahead(&mut self) {
        while self.opening.len() < OPENED_AT_ONCE
            && let Some(run) = self.runs.front()
        {
            let is_beside = self.heads.is_empty() && self.opening.is_empty()
                || self
                    .first_end
                    .as_ref()
                    .is_some_and(|end| run.begin() <= end)
                || self
                    .after
                    .as_ref()
                    .is_some_and(|after| run.begin() <= after);
            if !is_beside && self.opening.len() >= AHEAD {
                return;
            }
            let Some(run) = self.runs.pop_front() else {
                return;
            };
            let (begin, last) = (run.begin().clone(), run.last.clone());
            let need = if is_beside { Need::Now } else { Need::Ahead };
            let (store, after) = (Arc::clone(&self.store), self.after.clone());
            let source = Source::open(store, run, after, Arc::clone(&self.budget), need);
            let source = tokio::spawn(source);
            self.opening.push_back(Opening {
                begin,
                last,
                source,
            });
            self.find_first_end();
        }
    }

    /// Gives an opened run its number.
    fn add(&mut self, source: Source) -> usize {
        let free = self.sources.iter().position(Option::is_none);
        let number = free.unwrap_or(self.sources.len());
        if free.is_none() {
            self.sources.push(None);
        }
        self.sources[number] = Some(source);
        number
    }

    fn find_first_end(&mut self) {
        let open = self.sources.iter().flatten();
        let opening = self.opening.iter().map(|opening| &opening.last);
        let ends = open.map(|source| &source.run.last).chain(opening);
        self.first_end = ends.min().cloned();
    }

    async fn push_head(&mut self, number: usize) -> Result<(), PlanError> {
        let Some(source) = &mut self.sources[number] else {
            return Ok(());
        };
        if let Some(row) = source.next().await? {
            self.heads.push(Head {
                row,
                source: number,
            });
        } else {
            self.sources[number] = None;
            self.find_first_end();
        }
        Ok(())
    }

    fn name(&self, number: usize) -> &str {
        let source = self.sources[number].as_ref();
        source.map_or("", |source| &source.run.name)
    }
}

fn key(position: &Position) -> (bridge_core::timestamp::Timestamp, &str, u64) {
    (position.effective_time, &position.key, position.rank)
}

impl Source {
    async fn open(
        store: Arc<dyn PlanStore>,
        run: Run,
        after: Option<Position>,
        budget: Arc<Budget>,
        need: Need,
    ) -> Result<Self, PlanError> {
        let reader = RunReader::open_within(store, &run, after, budget, need).await?;
        let mut source = Self {
            run,
            reader,
            rows: Vec::new().into_iter(),
            last: None,
        };
        if need == Need::Now {
            source.refill().await?;
        }
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
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(());
        };
        let first = first.order_key();
        if self.last.as_ref().is_some_and(|last| key(last) >= first) {
            return Err(self.damaged("its rows are not sorted"));
        }
        // Whoever opens runs by the manifest's word must know when it is wrong.
        if first < key(&self.run.first) || last.order_key() > key(&self.run.last) {
            return Err(self.damaged("it has rows outside of what the manifest says it has"));
        }
        self.last = Some(Position::of(&last.borrowed()));
        self.rows = rows.into_iter();
        Ok(())
    }

    fn damaged(&self, reason: &str) -> PlanError {
        PlanError::damaged(&self.run.name, reason)
    }
}
