//! What is checked of a plan while it is read. No I/O.

use bridge_core::listing::version::{MOST_TEXT, ObjectVersion, PlannedVersion};
use bridge_core::text::quoted;

use crate::plan::manifest::{Adopting, Run, Summary};
use crate::plan::position::Position;
use crate::plan::store::PlanError;

/// # Errors
/// What the manifest says that the rows do not.
pub(super) fn check_kinds(said: &Summary, read: &Summary) -> Result<(), String> {
    if (said.created, said.removed) == (read.created, read.removed) {
        return Ok(());
    }
    Err(format!(
        "summary: {} created and {} removed, and its rows are {} and {}",
        said.created, said.removed, read.created, read.removed
    ))
}

/// Checks rows as they follow those that were read before.
///
/// # Errors
/// The number of the row in its run, and what is wrong with it.
pub(super) fn check_rows(
    run: &Run,
    rows: &[PlannedVersion],
    at: &Adopting,
) -> Result<(), (u64, String)> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(());
    };
    let first = Position::of(&first.borrowed());
    let row = at.rows + 1;
    match &at.after {
        None if first != run.first => {
            return Err((
                row,
                format!(
                    "it is at {}, and the manifest says that the run begins at {}",
                    shown(Some(&first)),
                    shown(Some(&run.first))
                ),
            ));
        }
        Some(before) if first <= *before => {
            return Err((
                row,
                format!(
                    "it is at {}, behind one at {}: rows must be sorted by effective_time, key (bytes) and rank, \
                 none twice",
                    shown(Some(&first)),
                    shown(Some(before))
                ),
            ));
        }
        _ => {}
    }
    for (row, version) in (row..).zip(rows.iter().map(|row| &row.version)) {
        check_version(version).map_err(|reason| (row, reason))?;
    }
    let last = Position::of(&last.borrowed());
    if last > run.last {
        return Err((
            at.rows + rows.len() as u64,
            format!(
                "it is at {}, and the manifest says that the run ends at {}",
                shown(Some(&last)),
                shown(Some(&run.last))
            ),
        ));
    }
    Ok(())
}

/// # Errors
/// What a version has that a listing would not have given.
fn check_version(version: &ObjectVersion) -> Result<(), String> {
    let id = version.version_id.len();
    if id > MOST_TEXT {
        return Err(format!(
            "column version_id: a text has {id} bytes, allowed are {MOST_TEXT}"
        ));
    }
    let there = [
        ("size", version.size.is_some()),
        ("etag", version.e_tag.is_some()),
    ];
    match there.into_iter().find(|(_, is_there)| *is_there) {
        Some((column, _)) if version.is_delete_marker => Err(format!(
            "column {column} is not null, and a delete marker has neither size nor etag: write null"
        )),
        _ => Ok(()),
    }
}

/// What a run's reader finds is its maker's fault here.
pub(super) fn refused(error: PlanError) -> PlanError {
    match error {
        PlanError::Damaged { name, reason } => PlanError::Refused { name, reason },
        PlanError::Memory { name, limit, .. } => PlanError::Refused {
            name,
            reason: format!(
                "reading it takes more than the {} KiB that a run may take: write it with smaller row groups",
                limit / 1024
            ),
        },
        other => other,
    }
}

/// What is wrong with a plan that has a rank of a key twice.
pub(super) fn twice_in_key(at: &Position) -> String {
    let (key, rank) = (quoted(&at.key), at.rank);
    format!("a row is in it twice: key {key} has two of rank {rank}")
}

/// A position, for a person.
pub(super) fn shown(position: Option<&Position>) -> String {
    use bridge_core::text::{MOST_SHOWN, shown};
    position.map_or("nothing".to_owned(), |at| {
        let key = shown(&at.key, MOST_SHOWN);
        format!("{} {key:?} rank {}", at.effective_time, at.rank)
    })
}
