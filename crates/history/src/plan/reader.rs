//! Reading a run from after a position, a few rows at a time; `source`: where its row groups come from.

mod bounds;
pub(super) mod columns;
mod compact;
mod feed;
pub(super) mod footer;
mod group;
mod pages;
mod panic;
mod source;
mod value;
mod walk;
mod window;

use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;

use crate::plan::budget::{Budget, Need};
use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::footer::{Footer, shown_place};
use crate::plan::reader::group::Fault;
use crate::plan::reader::panic::catch_panic;
use crate::plan::reader::source::{Asked, Opened, Source};
use crate::plan::store::{PlanError, PlanStore};

/// When so many rows are left of a row group, the next one is asked for.
const ROWS_BEFORE_AHEAD: usize = 512;

/// Reads a run from after a position.
pub struct RunReader {
    source: Source,
    state: State,
    /// Rows up to here are dropped; `None` when one behind it has come.
    after: Option<Position>,
}

/// What a reader is at.
enum State {
    /// No row group is read or on its way.
    Between,
    /// A row group's bytes are on their way.
    Waiting(Asked),
    /// A row group is decoded, a few rows at a time.
    Reading {
        group: Box<Opened>,
        /// The one behind it, asked for when few rows are left.
        next: Option<Asked>,
    },
    /// What was asked for did not come, or was damaged.
    Failed(PlanError),
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
        Self::open_within(store, run, after, Budget::alone(), Need::Now).await
    }

    /// Opens a run of which no more is held than `budget` has. Its first row group is asked for, if it is for
    /// [`Need::Ahead`] only when there is room.
    pub(super) async fn open_within(
        store: Arc<dyn PlanStore>,
        run: &Run,
        after: Option<Position>,
        budget: Arc<Budget>,
        need: Need,
    ) -> Result<Self, PlanError> {
        let permit = budget.requests.acquire().await;
        let footer = Footer::read(&*store, run, &budget).await?;
        drop(permit);
        Self::behind_footer(store, run, after, budget, need, &footer)
    }

    /// The same of a run whose footer has been read.
    pub(super) fn behind_footer(
        store: Arc<dyn PlanStore>,
        run: &Run,
        after: Option<Position>,
        budget: Arc<Budget>,
        need: Need,
        footer: &Footer,
    ) -> Result<Self, PlanError> {
        let after = after.max(run.after.clone());
        let mut source = Source::new(store, run, after.as_ref(), budget, footer)?;
        let state = match need {
            Need::Ahead => source.ask(need),
            Need::Now => source.ask_now()?,
        };
        Ok(Self {
            source,
            state: state.map_or(State::Between, State::Waiting),
            after,
        })
    }

    /// The next rows that are behind the position, up to 128; `None` at the end.
    ///
    /// # Errors
    /// [`PlanError`] when they cannot be read, or are not sorted. Called again, it says the same.
    pub async fn next_rows(&mut self) -> Result<Option<Vec<PlannedVersion>>, PlanError> {
        loop {
            match &mut self.state {
                State::Between if self.source.is_next_in_pieces() => {
                    self.state = match self.source.open_in_pieces() {
                        Ok(group) => State::Reading { group, next: None },
                        Err(error) => State::Failed(error),
                    };
                }
                State::Between => match self.source.ask_now() {
                    Ok(None) => return Ok(None),
                    Ok(Some(asked)) => self.state = State::Waiting(asked),
                    Err(error) => self.state = State::Failed(error),
                },
                State::Waiting(asked) => {
                    let bytes = (&mut asked.bytes)
                        .await
                        .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
                    let State::Waiting(asked) = std::mem::replace(&mut self.state, State::Between)
                    else {
                        continue;
                    };
                    let opened = bytes.and_then(|bytes| self.source.open(asked, bytes));
                    self.state = match opened {
                        Ok(group) => State::Reading { group, next: None },
                        Err(error) => State::Failed(error),
                    };
                }
                State::Reading { group, .. } => {
                    if let Err(error) = self.source.feed(group).await {
                        self.state = State::Failed(error);
                        continue;
                    }
                    match self.decode() {
                        Ok(rows) if rows.is_empty() => {}
                        Ok(rows) => {
                            let opened = match &self.state {
                                State::Reading { group, .. } => Some(&**group),
                                _ => None,
                            };
                            match self.source.hand_out(&rows, opened) {
                                Ok(()) => return Ok(Some(rows)),
                                Err(error) => self.state = State::Failed(error),
                            }
                        }
                        Err(reason) => {
                            self.state =
                                State::Failed(PlanError::damaged(&self.source.name, reason));
                        }
                    }
                }
                State::Failed(error) => return Err(error.clone()),
            }
        }
    }

    /// The next rows of the row group that is being read, without those up to the position.
    ///
    /// # Errors
    /// What is wrong with them, for a person.
    fn decode(&mut self) -> Result<Vec<PlannedVersion>, String> {
        let State::Reading { group, next } = &mut self.state else {
            return Ok(Vec::new());
        };
        let (before, number) = (group.before, group.number as usize);
        let at = |row: usize| shown_place(before + row as u64 + 1, number);
        let decoded = catch_panic(|| Ok(group.group.next_rows()));
        let decoded = decoded.unwrap_or_else(|panicked| Err(Fault::somewhere(panicked)));
        let mut rows = decoded.map_err(|Fault { row, reason }| match row {
            Some(row) => format!("{}: {reason}", at(row)),
            None => format!("at or behind {}: {reason}", at(0)),
        })?;
        group.before += rows.len() as u64;
        if next.is_none() && group.group.rows_left <= ROWS_BEFORE_AHEAD {
            *next = self.source.ask(Need::Ahead);
        }
        if group.group.rows_left == 0 {
            self.state = next.take().map_or(State::Between, State::Waiting);
        }
        let mut pairs = rows.windows(2);
        if let Some(first) = pairs.position(|two| two[0].order_key() >= two[1].order_key()) {
            return Err(format!(
                "{}: it is not behind the row before it: rows must be sorted by effective_time, key (bytes) and rank, \
                 none twice",
                at(first + 1)
            ));
        }
        if let Some(after) = &self.after {
            let after = (after.effective_time, after.key.as_str(), after.rank);
            rows.drain(..rows.partition_point(|row| row.order_key() <= after));
        }
        if !rows.is_empty() {
            self.after = None;
        }
        Ok(rows)
    }
}
