//! Reading a run from after a position, a row group at a time and the next one ahead.

mod bounds;
mod compact;
pub(super) mod footer;
mod group;
mod panic;

use std::collections::VecDeque;
use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::footer::{Footer, GroupPlace, groups_behind};
use crate::plan::reader::group::{Group, Window};
use crate::plan::reader::panic::catch_panic;
use crate::plan::store::{PlanError, PlanStore};

/// When so many rows are left of a row group, the next one is asked for.
const ROWS_BEFORE_AHEAD: usize = 512;

/// Reads a run from after a position.
pub struct RunReader {
    store: Arc<dyn PlanStore>,
    name: String,
    file_bytes: u64,
    footer: Footer,
    /// Row groups that have not been asked for.
    groups: VecDeque<GroupPlace>,
    state: State,
    /// Rows up to here are dropped; `None` when one behind it has come.
    after: Option<Position>,
}

/// What a reader is at.
enum State {
    /// A row group's bytes are on their way.
    Waiting(Asked),
    /// A row group is decoded, a few rows at a time.
    Reading {
        group: Box<Group>,
        /// The one behind it, asked for when few rows are left.
        next: Option<Asked>,
    },
    /// All rows have been handed out.
    Done,
    /// What was asked for did not come, or was damaged.
    Failed(PlanError),
}

/// A row group that has been asked for.
struct Asked {
    place: GroupPlace,
    bytes: JoinHandle<Result<Bytes, PlanError>>,
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
        let footer = Footer::read(&*store, run).await?;
        let groups = footer
            .check()
            .and_then(|metadata| groups_behind(after.as_ref(), &metadata, run.bytes))
            .map_err(|reason| damaged(&run.name, reason))?;
        let mut reader = Self {
            store,
            name: run.name.clone(),
            file_bytes: run.bytes,
            footer,
            groups,
            state: State::Done,
            after,
        };
        let first = ask(&reader.store, &reader.name, &mut reader.groups);
        reader.state = first.map_or(State::Done, State::Waiting);
        Ok(reader)
    }

    /// The next rows that are behind the position, up to 128; `None` at the end.
    ///
    /// # Errors
    /// [`PlanError`] when they cannot be read, or are not sorted. Called again, it says the same.
    pub async fn next_rows(&mut self) -> Result<Option<Vec<PlannedVersion>>, PlanError> {
        loop {
            match &mut self.state {
                State::Waiting(asked) => {
                    let bytes = (&mut asked.bytes)
                        .await
                        .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
                    let opened = bytes.and_then(|bytes| {
                        open_group(&self.footer, &asked.place, bytes, self.file_bytes)
                            .map_err(|reason| damaged(&self.name, reason))
                    });
                    self.state = match opened {
                        Ok(group) => State::Reading {
                            group: Box::new(group),
                            next: None,
                        },
                        Err(error) => State::Failed(error),
                    };
                }
                State::Reading { .. } => match self.decode() {
                    Ok(rows) if rows.is_empty() => {}
                    Ok(rows) => return Ok(Some(rows)),
                    Err(reason) => self.state = State::Failed(damaged(&self.name, reason)),
                },
                State::Done => return Ok(None),
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
        let mut rows = catch_panic(|| group.next_rows())?;
        if next.is_none() && group.rows_left <= ROWS_BEFORE_AHEAD {
            *next = ask(&self.store, &self.name, &mut self.groups);
        }
        if group.rows_left == 0 {
            self.state = next.take().map_or(State::Done, State::Waiting);
        }
        if !rows.is_sorted_by(|a, b| a.order_key() < b.order_key()) {
            return Err("its rows are not sorted".to_owned());
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

/// Asks for the bytes of the next row group, if there is one.
fn ask(store: &Arc<dyn PlanStore>, name: &str, groups: &mut VecDeque<GroupPlace>) -> Option<Asked> {
    let place = groups.pop_front()?;
    let (store, name, extent) = (Arc::clone(store), name.to_owned(), place.extent.clone());
    let bytes = tokio::spawn(async move { store.get(&name, Some(extent)).await });
    Some(Asked { place, bytes })
}

fn open_group(
    footer: &Footer,
    place: &GroupPlace,
    bytes: Bytes,
    file_bytes: u64,
) -> Result<Group, String> {
    let window = Arc::new(Window {
        start: place.extent.start,
        bytes,
        file_bytes,
    });
    catch_panic(|| {
        let metadata = footer.parse()?;
        Group::open(metadata.row_group(place.number), &window)
    })
}

fn damaged(name: &str, reason: String) -> PlanError {
    PlanError::Damaged {
        name: name.to_owned(),
        reason,
    }
}
