//! Reading a run from after a position, a row group at a time and the next one ahead.

mod bounds;
pub(super) mod columns;
mod compact;
mod feed;
pub(super) mod footer;
mod group;
mod panic;
mod window;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::task::JoinHandle;

use crate::plan::budget::{Budget, Held, Need};
use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::columns::Columns;
use crate::plan::reader::feed::Feed;
use crate::plan::reader::footer::{Footer, GroupPlace, groups_behind};
use crate::plan::reader::group::{Fault, Group};
use crate::plan::reader::panic::catch_panic;
use crate::plan::reader::window::Window;
use crate::plan::store::{PlanError, PlanStore};

/// When so many rows are left of a row group, the next one is asked for.
const ROWS_BEFORE_AHEAD: usize = 512;

/// A row group of more bytes is not held whole, nor one that takes more than this part of the budget.
const MOST_WHOLE_GROUP: usize = 32 * 1024 * 1024;
const PART_A_GROUP: usize = 8;

/// What is fetched of a column at once, where its row group is not held whole, at most and at least; between them the
/// budget's part.
const PIECE: (usize, usize) = (64 * 1024, 4 * 1024 * 1024);
const PART_A_PIECE: usize = 64;

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
    held: [Held; 2],
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
        let permit = budget.requests.acquire().await;
        let footer = Footer::read(&*store, run).await?;
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
                        Ok(rows) => return Ok(Some(rows)),
                        Err(reason) => {
                            self.state = State::Failed(damaged(&self.source.name, reason));
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

impl Source {
    /// Whether the next row group is too large to be held whole.
    fn is_next_in_pieces(&self) -> bool {
        let most = MOST_WHOLE_GROUP.min(self.budget.limit() / PART_A_GROUP);
        self.groups.front().is_some_and(|next| stored(next) > most)
    }

    /// Asks for the next row group, if there is one that is to be held whole, and room for it.
    fn ask(&mut self, need: Need) -> Option<Asked> {
        if self.is_next_in_pieces() {
            return None;
        }
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

    /// Asks for the next row group, which is needed, if it is to be held whole.
    ///
    /// # Errors
    /// [`PlanError::Memory`] when there is no room for it.
    fn ask_now(&mut self) -> Result<Option<Asked>, PlanError> {
        let next = self.groups.front();
        let Some(place) = next.filter(|_| !self.is_next_in_pieces()) else {
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
        let window = Window::new(place.extent.start, bytes, self.file_bytes);
        let group = catch_panic(|| Group::open(&self.columns, &place, &Arc::new(window)));
        let group =
            group.map_err(|reason| self.damaged_behind(place.before, place.number, &reason))?;
        let unpacked = group.unpacked() + group.decoded();
        let unpacked = hold(&self.budget, &self.name, unpacked)?;
        Ok(Box::new(Opened {
            group,
            number: place.number,
            before: place.before,
            held: [held, unpacked],
        }))
    }

    /// Opens the next row group, of which nothing is fetched yet.
    fn open_in_pieces(&mut self) -> Result<Box<Opened>, PlanError> {
        let nothing = || hold(&self.budget, &self.name, 0);
        let held = [nothing()?, nothing()?];
        let place = self
            .groups
            .pop_front()
            .ok_or_else(|| damaged(&self.name, "it has no more row groups".to_owned()))?;
        let group = catch_panic(|| Group::open_in_pieces(&self.columns, &place, self.file_bytes));
        let group =
            group.map_err(|reason| self.damaged_behind(place.before, place.number, &reason))?;
        Ok(Box::new(Opened {
            group,
            number: place.number,
            before: place.before,
            held,
        }))
    }

    /// Fetches what the next rows are decoded from, of a row group that is not held whole.
    async fn feed(&self, opened: &mut Opened) -> Result<(), PlanError> {
        let piece = (self.budget.limit() / PART_A_PIECE).clamp(PIECE.0, PIECE.1) as u64;
        let (before, number) = (opened.before, opened.number);
        loop {
            let missing = opened.group.missing(piece);
            let missing = missing.map_err(|reason| self.damaged_behind(before, number, &reason))?;
            if missing.is_empty() {
                return Ok(());
            }
            let fetched = missing.iter().map(|(_, range)| range.end - range.start);
            let fetched = usize::try_from(fetched.sum::<u64>()).unwrap_or(usize::MAX);
            let kept: usize = opened.group.feeds.iter().map(Feed::stored).sum();
            self.hold_instead(&mut opened.held[0], kept.saturating_add(fetched))?;
            let mut asked = Vec::with_capacity(missing.len());
            for (_, range) in &missing {
                asked.push(self.fetch(range.clone()));
            }
            let parts = try_join_all(asked).await?;
            for ((feed, range), bytes) in missing.into_iter().zip(parts) {
                if bytes.len() as u64 != range.end - range.start {
                    let reason = "its size is not what the manifest says";
                    return Err(damaged(&self.name, reason.to_owned()));
                }
                opened.group.feeds[feed].add(&bytes);
            }
            let unpacked = opened.group.unpacked() + opened.group.decoded();
            self.hold_instead(&mut opened.held[1], unpacked)?;
        }
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, PlanError> {
        let _permit = self.budget.requests.acquire().await;
        self.store.get(&self.name, Some(range)).await
    }

    /// Holds so many bytes instead of those that were.
    fn hold_instead(&self, held: &mut Held, bytes: usize) -> Result<(), PlanError> {
        *held = hold(&self.budget, &self.name, 0)?;
        *held = hold(&self.budget, &self.name, bytes)?;
        Ok(())
    }

    fn damaged_behind(&self, before: u64, group: u32, reason: &str) -> PlanError {
        let at = shown_place(before + 1, group as usize);
        damaged(&self.name, format!("at or behind {at}: {reason}"))
    }
}

/// Bytes of a row group as it is stored.
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
