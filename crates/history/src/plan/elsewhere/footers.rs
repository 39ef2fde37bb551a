//! What a run says about itself, read from its footer before any row of it.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::plan::budget::{Budget, Need};
use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::reader::RunReader;
use crate::plan::reader::footer::{Footer, shown_place};
use crate::plan::store::{PlanError, PlanStore};

/// Footers asked for at the same time.
const AT_ONCE: usize = 32;

/// A run whose footer has been read and found to be right.
pub struct Inspected {
    footer: Footer,
    /// What may be held of it.
    budget: Arc<Budget>,
    /// How many rows each row group has.
    groups: Vec<u64>,
}

impl Inspected {
    /// Opens it behind `after`, as [`RunReader::open`] does.
    ///
    /// # Errors
    /// As those.
    pub fn open(
        &self,
        store: Arc<dyn PlanStore>,
        run: &Run,
        after: Option<Position>,
    ) -> Result<RunReader, PlanError> {
        let budget = Arc::clone(&self.budget);
        RunReader::behind_footer(store, run, after, budget, Need::Now, &self.footer)
    }

    /// Where a row is, counted from 1, for a person.
    #[must_use]
    pub fn place(&self, row: u64) -> String {
        let mut before = 0;
        for (number, rows) in self.groups.iter().enumerate() {
            if row <= before + rows {
                return shown_place(row, number);
            }
            before += rows;
        }
        format!("row {row}")
    }
}

/// Reads the footer of a run and compares it with what the manifest says. Of it and all others of `budget` no more is
/// held than that has.
///
/// # Errors
/// [`PlanError`] when it cannot be read; what is wrong, and what to do.
pub async fn inspect(
    store: &dyn PlanStore,
    run: &Run,
    budget: Arc<Budget>,
) -> Result<Inspected, PlanError> {
    let refused = |reason: String| PlanError::Refused {
        name: run.name.clone(),
        reason,
    };
    let footer = Footer::read(store, run, &budget).await?;
    let (metadata, _) = footer.check().map_err(refused)?;
    let groups = metadata.row_groups().iter();
    let groups: Vec<u64> = groups
        .map(|group| u64::try_from(group.num_rows()).unwrap_or(0))
        .collect();
    let rows = groups
        .iter()
        .fold(0, |sum: u64, rows| sum.saturating_add(*rows));
    if rows != run.rows {
        return Err(refused(format!(
            "it has {rows} rows, and the manifest says {}",
            run.rows
        )));
    }
    Ok(Inspected {
        footer,
        budget,
        groups,
    })
}

/// Inspects all of these runs.
///
/// # Errors
/// [`PlanError`] of the first that is found to be wrong.
pub async fn inspect_all(store: &Arc<dyn PlanStore>, runs: &[&Run]) -> Result<(), PlanError> {
    let budget = Budget::alone();
    let inspecting = runs.iter().map(|run| {
        let (store, run, budget) = (Arc::clone(store), (*run).clone(), Arc::clone(&budget));
        async move { inspect(&*store, &run, budget).await.map(drop) }
    });
    let inspecting: Vec<_> = inspecting.collect();
    let done = stream::iter(inspecting).buffer_unordered(AT_ONCE);
    done.try_collect::<Vec<()>>().await.map(drop)
}
