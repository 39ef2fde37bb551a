//! What is to be sent again where something is missing: of each such key everything from the first version that is
//! missing to the newest, in the order of a plan.

use std::io;

use bridge_core::listing::version::PlannedVersion;

use crate::verify::placed::{gap_of, gap_record, placed_record, placed_row};
use crate::verify::record::Record;
use crate::verify::scope::Scope;
use crate::verify::sorter::{Sorted, Sorter};

/// Notes that a key lacks its version of this rank, and perhaps later ones.
///
/// # Errors
/// What keeps it from being written.
pub fn note_gap(gaps: &mut Sorter, key: &str, rank: u64) -> io::Result<()> {
    gaps.push(&gap_record(key, rank))
}

/// Chooses what is to be sent of what was compared, and sorts it as a plan is sorted.
///
/// # Errors
/// What keeps records from being read or written.
pub fn choose(compared: &Sorted, gaps: &Sorted, scope: &Scope, to: &mut Sorter) -> io::Result<()> {
    let mut placed = Vec::new();
    each_behind(compared, gaps, |row, _, bytes| {
        if scope.heals(&row) {
            placed_record(&row, bytes, &mut placed);
            to.push(&placed)?;
        }
        Ok(())
    })
}

/// Hands out of each key that lacks something its first version that is missing, by key.
///
/// # Errors
/// What keeps records from being read, and what `each` fails with.
pub fn first_missing(
    compared: &Sorted,
    gaps: &Sorted,
    mut each: impl FnMut(PlannedVersion) -> io::Result<()>,
) -> io::Result<()> {
    each_behind(compared, gaps, |row, first, _| {
        if row.rank == first { each(row) } else { Ok(()) }
    })
}

/// Hands out of each key the rows from the first that is missing on, with its rank and the row's record.
fn each_behind(
    compared: &Sorted,
    gaps: &Sorted,
    mut each: impl FnMut(PlannedVersion, u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let (mut rows, mut gaps) = (compared.merge()?, gaps.merge()?);
    let mut next = || -> io::Result<Option<(Vec<u8>, u64)>> {
        Ok(gaps.next_record()?.map(|bytes| {
            let (key, rank) = gap_of(bytes);
            (key.to_vec(), rank)
        }))
    };
    let mut gap = next()?;
    while let Some(bytes) = rows.next_record()? {
        let record = Record::read(bytes);
        while gap
            .as_ref()
            .is_some_and(|(key, _)| key.as_slice() < record.key)
        {
            gap = next()?;
        }
        let Some((key, first)) = &gap else {
            return Ok(());
        };
        if key == record.key
            && let Some(row) = record.row()
            && row.rank >= *first
        {
            each(row, *first, bytes)?;
        }
    }
    Ok(())
}

/// Hands out what was chosen, in the order of a plan.
///
/// # Errors
/// What keeps records from being read, and what `each` fails with.
pub fn chosen(
    sorted: &Sorted,
    mut each: impl FnMut(PlannedVersion) -> io::Result<()>,
) -> io::Result<()> {
    let mut merge = sorted.merge()?;
    while let Some(bytes) = merge.next_record()? {
        if let Some(row) = placed_row(bytes) {
            each(row)?;
        }
    }
    Ok(())
}
