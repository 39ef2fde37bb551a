//! Rows that are known by their numbers.

use bridge_core::listing::version::{ObjectVersion, PlannedVersion};
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::merge::Merge;
use bridge_history::plan::run::write;
use bridge_history::plan::store::PlanError;

use crate::folder::Folder;

/// A key as long as usual, that does not compress much.
fn key(number: u64) -> String {
    let text = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{text:016x}/data/{:016x}.json", text.rotate_left(29))
}

/// Row `number` of a plan is at second `number`.
pub(crate) fn row(number: u64) -> PlannedVersion {
    let time = Timestamp(number.cast_signed() * 1000);
    PlannedVersion {
        effective_time: time,
        rank: 0,
        version: ObjectVersion {
            key: key(number),
            version_id: format!("{:032x}", number.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            last_modified: time,
            is_latest: true,
            is_delete_marker: false,
            size: Some(number),
            e_tag: Some(format!("{:032x}", !number)),
        },
    }
}

/// Writes runs of the rows with these numbers.
pub(crate) async fn plan(store: &Folder, runs: impl Iterator<Item = Vec<u64>>) -> Manifest {
    let mut manifest = Manifest::new("job".parse().unwrap(), "bucket");
    for (run, numbers) in runs.enumerate() {
        let rows: Vec<_> = numbers.into_iter().map(row).collect();
        if !rows.is_empty() {
            let (run, summary) = write(store, format!("{run}"), rows).await.unwrap();
            manifest.runs.push(run);
            manifest.summary.add(summary);
        }
    }
    manifest
}

/// The numbers of all that is left of a merge, whose rows must be theirs.
pub(crate) async fn numbers(merge: &mut Merge) -> Result<Vec<u64>, PlanError> {
    let mut numbers = Vec::new();
    while let Some(found) = merge.next().await? {
        let number = found.version.size.unwrap();
        assert_eq!(found, row(number));
        numbers.push(number);
    }
    Ok(numbers)
}
