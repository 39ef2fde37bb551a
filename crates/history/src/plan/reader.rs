//! Reading a run from after a position, a row group at a time and the next one ahead.

mod bounds;
pub(super) mod columns;
mod compact;
pub(super) mod footer;
mod group;
mod panic;

use std::collections::VecDeque;
use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::plan::budget::{Budget, Held, Need};
use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::columns::Columns;
use crate::plan::reader::footer::{Footer, GroupPlace, groups_behind};
use crate::plan::reader::group::{Fault, Group, Window};
use crate::plan::reader::panic::catch_panic;
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

/// Where row groups come from.
struct Source {
    store: Arc<dyn PlanStore>,
    name: String,
    file_bytes: u64,
    columns: Columns,
    /// Row groups that have not been asked for.
    groups: VecDeque<GroupPlace>,
    budget: Arc<Budget>,
    /// What `groups` takes.
    _table: Held,
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

/// A row group that has been asked for.
struct Asked {
    place: GroupPlace,
    bytes: JoinHandle<Result<Bytes, PlanError>>,
    held: Held,
}

/// A row group that is being decoded.
struct Opened {
    group: Group,
    /// Its number in the file, from 0.
    number: u32,
    /// Rows of the file that have been decoded, or left out.
    before: u64,
    /// As it is stored, and its unpacked pages with the rows decoded from them.
    _held: [Held; 2],
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
        Self::open_within(store, run, after, Budget::unlimited(), Need::Now).await
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
        let after = after.max(run.after.clone());
        let permit = budget.requests.acquire().await;
        let footer = Footer::read(&*store, run).await?;
        drop(permit);
        let opened = footer.check().and_then(|(metadata, columns)| {
            let groups = groups_behind(after.as_ref(), &metadata, &columns, run.bytes)?;
            Ok((columns, groups))
        });
        let (columns, mut groups) = opened.map_err(|reason| damaged(&run.name, reason))?;
        groups.shrink_to_fit();
        let table = groups.capacity() * size_of::<GroupPlace>();
        let table = hold(&budget, &run.name, table)?;
        let mut source = Source {
            store,
            name: run.name.clone(),
            file_bytes: run.bytes,
            columns,
            groups,
            budget,
            _table: table,
        };
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
                State::Reading { .. } => match self.decode() {
                    Ok(rows) if rows.is_empty() => {}
                    Ok(rows) => return Ok(Some(rows)),
                    Err(reason) => {
                        self.state = State::Failed(damaged(&self.source.name, reason));
                    }
                },
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

impl Source {
    /// Asks for the next row group, if there is one, and room for it.
    fn ask(&mut self, need: Need) -> Option<Asked> {
        let place = self.groups.front()?;
        let bytes = stored(place);
        let held = self.budget.take(bytes, need)?;
        let place = self.groups.pop_front()?;
        let (store, name, extent) = (
            Arc::clone(&self.store),
            self.name.clone(),
            place.extent.clone(),
        );
        let budget = Arc::clone(&self.budget);
        let bytes = tokio::spawn(async move {
            let _permit = budget.requests.acquire().await;
            store.get(&name, Some(extent)).await
        });
        Some(Asked { place, bytes, held })
    }

    /// Asks for the next row group, which is needed.
    ///
    /// # Errors
    /// [`PlanError::Memory`] when there is no room for it.
    fn ask_now(&mut self) -> Result<Option<Asked>, PlanError> {
        let Some(place) = self.groups.front() else {
            return Ok(None);
        };
        let bytes = stored(place);
        let asked = self.ask(Need::Now);
        asked
            .map(Some)
            .ok_or_else(|| no_room(&self.budget, &self.name, bytes))
    }

    fn open(&self, asked: Asked, bytes: Bytes) -> Result<Box<Opened>, PlanError> {
        let Asked {
            place, mut held, ..
        } = asked;
        held.is_needed_now();
        let window = Arc::new(Window {
            start: place.extent.start,
            bytes,
            file_bytes: self.file_bytes,
        });
        let group =
            catch_panic(|| Group::open(&self.columns, &place, &window)).map_err(|reason| {
                let at = shown_place(place.before + 1, place.number as usize);
                damaged(&self.name, format!("at or behind {at}: {reason}"))
            })?;
        let unpacked = hold(&self.budget, &self.name, group.unpacked + group.decoded())?;
        Ok(Box::new(Opened {
            group,
            number: place.number,
            before: place.before,
            _held: [held, unpacked],
        }))
    }
}

/// Bytes of a row group as it is stored; it is at most [`crate::plan::store::MOST_PART`].
fn stored(place: &GroupPlace) -> usize {
    usize::try_from(place.extent.end - place.extent.start).unwrap_or(usize::MAX)
}

/// Where a row is, for a person: rows are counted from 1, row groups from 0 as other tools do.
pub(super) fn shown_place(row: u64, group: usize) -> String {
    format!("row {row} (row group {group})")
}

fn hold(budget: &Arc<Budget>, name: &str, bytes: usize) -> Result<Held, PlanError> {
    let held = budget.take(bytes, Need::Now);
    held.ok_or_else(|| no_room(budget, name, bytes))
}

fn no_room(budget: &Budget, name: &str, bytes: usize) -> PlanError {
    PlanError::Memory {
        name: name.to_owned(),
        bytes,
        limit: budget.limit(),
    }
}

fn damaged(name: &str, reason: String) -> PlanError {
    PlanError::Damaged {
        name: name.to_owned(),
        reason,
    }
}
