//! Where a reader's row groups come from: whole and the next one ahead, or a piece at a time where they are too large.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::task::JoinHandle;

use crate::plan::budget::{Budget, Held, Need};
use crate::plan::checksum;
use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::columns::Columns;
use crate::plan::reader::feed::Feed;
use crate::plan::reader::footer::{Footer, GroupPlace, groups_behind, shown_place};
use crate::plan::reader::group::Group;
use crate::plan::reader::panic::catch_panic;
use crate::plan::reader::window::Window;
use crate::plan::store::{PlanError, PlanStore};

/// A row group of more bytes is not held whole, nor one that takes more than this part of the budget.
const MOST_WHOLE_GROUP: usize = 32 * 1024 * 1024;
const PART_A_GROUP: usize = 8;

/// What is fetched of a column at once, where its row group is not held whole, at most and at least; between them the
/// budget's part.
const PIECE: (usize, usize) = (64 * 1024, 4 * 1024 * 1024);
const PART_A_PIECE: usize = 64;

/// Where row groups come from.
pub(super) struct Source {
    store: Arc<dyn PlanStore>,
    pub(super) name: String,
    file_bytes: u64,
    columns: Columns,
    /// Row groups that have not been asked for.
    groups: VecDeque<GroupPlace>,
    budget: Arc<Budget>,
    /// What `groups` takes.
    _table: Held,
    /// What rows that were handed out take more than had been reckoned.
    rows: Held,
}

/// A row group that has been asked for.
pub(super) struct Asked {
    place: GroupPlace,
    pub(super) bytes: JoinHandle<Result<Bytes, PlanError>>,
    held: Held,
}

/// A row group that is being decoded.
pub(super) struct Opened {
    pub(super) group: Group,
    /// Its number in the file, from 0.
    pub(super) number: u32,
    /// Rows of the file that have been decoded, or left out.
    pub(super) before: u64,
    /// As it is stored, and its unpacked pages with the rows decoded from them.
    held: [Held; 2],
    /// Of the latter, what decoded rows are reckoned to take.
    decoded: usize,
}

impl Source {
    /// The row groups of a run that may have rows behind `after`.
    ///
    /// # Errors
    /// [`PlanError`] when it is not of the public schema, or there is no room for where they are.
    pub(super) fn new(
        store: Arc<dyn PlanStore>,
        run: &Run,
        after: Option<&Position>,
        budget: Arc<Budget>,
        footer: &Footer,
    ) -> Result<Self, PlanError> {
        let opened = footer.check().and_then(|(metadata, columns)| {
            let groups = groups_behind(after, &metadata, &columns, run.bytes)?;
            Ok((columns, groups))
        });
        let (columns, mut groups) =
            opened.map_err(|reason| PlanError::damaged(&run.name, reason))?;
        groups.shrink_to_fit();
        let table = groups.capacity() * size_of::<GroupPlace>();
        let table = hold(&budget, &run.name, table)?;
        let rows = hold(&budget, &run.name, 0)?;
        Ok(Self {
            store,
            name: run.name.clone(),
            file_bytes: run.bytes,
            columns,
            groups,
            budget,
            _table: table,
            rows,
        })
    }

    /// Whether the next row group is too large to be held whole.
    pub(super) fn is_next_in_pieces(&self) -> bool {
        let most = MOST_WHOLE_GROUP.min(self.budget.limit() / PART_A_GROUP);
        self.groups.front().is_some_and(|next| stored(next) > most)
    }

    /// Asks for the next row group, if there is one that is to be held whole, and room for it.
    pub(super) fn ask(&mut self, need: Need) -> Option<Asked> {
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
    pub(super) fn ask_now(&mut self) -> Result<Option<Asked>, PlanError> {
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

    /// Opens what was asked for and has come.
    ///
    /// # Errors
    /// [`PlanError`] when it is damaged, or there is no room for its rows.
    pub(super) fn open(&self, asked: Asked, bytes: Bytes) -> Result<Box<Opened>, PlanError> {
        let Asked {
            place, mut held, ..
        } = asked;
        held.is_needed_now();
        let written = place.crc32;
        if written.is_some_and(|written| written != checksum::of(&bytes)) {
            let reason = format!("the row group {}", checksum::WRONG);
            return Err(self.damaged_behind(place.before, place.number, &reason));
        }
        let window = Window::new(place.extent.start, bytes, self.file_bytes);
        let group = catch_panic(|| Group::open(&self.columns, &place, &Arc::new(window)));
        let group =
            group.map_err(|reason| self.damaged_behind(place.before, place.number, &reason))?;
        let decoded = group.decoded();
        let unpacked = hold(&self.budget, &self.name, group.unpacked() + decoded)?;
        Ok(Box::new(Opened {
            group,
            number: place.number,
            before: place.before,
            held: [held, unpacked],
            decoded,
        }))
    }

    /// Opens the next row group, of which nothing is fetched yet.
    pub(super) fn open_in_pieces(&mut self) -> Result<Box<Opened>, PlanError> {
        let nothing = || hold(&self.budget, &self.name, 0);
        let held = [nothing()?, nothing()?];
        let place = self
            .groups
            .pop_front()
            .ok_or_else(|| PlanError::damaged(&self.name, "it has no more row groups"))?;
        let group = catch_panic(|| Group::open_in_pieces(&self.columns, &place, self.file_bytes));
        let group =
            group.map_err(|reason| self.damaged_behind(place.before, place.number, &reason))?;
        Ok(Box::new(Opened {
            group,
            number: place.number,
            before: place.before,
            held,
            decoded: 0,
        }))
    }

    /// Fetches what the next rows are decoded from, of a row group that is not held whole.
    pub(super) async fn feed(&self, opened: &mut Opened) -> Result<(), PlanError> {
        let piece_bytes = (self.budget.limit() / PART_A_PIECE).clamp(PIECE.0, PIECE.1);
        let piece = piece_bytes as u64;
        let (before, number) = (opened.before, opened.number);
        loop {
            let missing = opened.group.missing(piece);
            let missing = missing.map_err(|reason| self.damaged_behind(before, number, &reason))?;
            if !opened.group.feeds.is_empty() {
                opened.decoded = opened.group.decoded();
                let unpacked = opened.group.unpacked() + opened.decoded;
                hold_instead(&self.budget, &self.name, &mut opened.held[1], unpacked)?;
            }
            if missing.is_empty() {
                return Ok(());
            }
            let fetched = missing.iter().map(|(_, range)| range.end - range.start);
            let fetched = usize::try_from(fetched.sum::<u64>()).unwrap_or(usize::MAX);
            let kept = opened.group.feeds.iter().map(Feed::stored);
            // One column at a time is copied together with what has come for it.
            let copied = kept.clone().max().unwrap_or(0).saturating_add(piece_bytes);
            let stored = kept.sum::<usize>().saturating_add(fetched);
            let stored = stored.saturating_add(copied);
            hold_instead(&self.budget, &self.name, &mut opened.held[0], stored)?;
            let mut asked = Vec::with_capacity(missing.len());
            for (_, range) in &missing {
                asked.push(self.fetch(range.clone()));
            }
            let parts = try_join_all(asked).await?;
            for ((feed, range), bytes) in missing.into_iter().zip(parts) {
                if bytes.len() as u64 != range.end - range.start {
                    let reason = "its size is not what the manifest says";
                    return Err(PlanError::damaged(&self.name, reason));
                }
                opened.group.feeds[feed].add(&bytes);
            }
        }
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, PlanError> {
        let _permit = self.budget.requests.acquire().await;
        self.store.get(&self.name, Some(range)).await
    }

    /// Counts rows that are handed out instead of those before, as far as that was not done with `opened`, which they
    /// are of unless it has ended.
    pub(super) fn hand_out(
        &mut self,
        rows: &[PlannedVersion],
        opened: Option<&Opened>,
    ) -> Result<(), PlanError> {
        let texts = rows.iter().map(|row| {
            let version = &row.version;
            let e_tag = version.e_tag.as_ref().map_or(0, String::len);
            version.key.len() + version.version_id.len() + e_tag
        });
        let bytes = size_of_val(rows) + texts.sum::<usize>();
        let reckoned = opened.map_or(0, |opened| opened.decoded);
        let bytes = bytes.saturating_sub(reckoned);
        hold_instead(&self.budget, &self.name, &mut self.rows, bytes)
    }

    fn damaged_behind(&self, before: u64, group: u32, reason: &str) -> PlanError {
        let at = shown_place(before + 1, group as usize);
        PlanError::damaged(&self.name, format!("at or behind {at}: {reason}"))
    }
}

/// Bytes of a row group as it is stored.
fn stored(place: &GroupPlace) -> usize {
    usize::try_from(place.extent.end - place.extent.start).unwrap_or(usize::MAX)
}

fn hold(budget: &Arc<Budget>, name: &str, bytes: usize) -> Result<Held, PlanError> {
    let held = budget.take(bytes, Need::Now);
    held.ok_or_else(|| no_room(budget, name, bytes))
}

/// Holds so many bytes instead of those that were.
fn hold_instead(
    budget: &Arc<Budget>,
    name: &str,
    held: &mut Held,
    bytes: usize,
) -> Result<(), PlanError> {
    if held.bytes() != bytes {
        *held = hold(budget, name, 0)?;
        *held = hold(budget, name, bytes)?;
    }
    Ok(())
}

fn no_room(budget: &Budget, name: &str, bytes: usize) -> PlanError {
    PlanError::Memory {
        name: name.to_owned(),
        bytes,
        limit: budget.limit(),
    }
}
