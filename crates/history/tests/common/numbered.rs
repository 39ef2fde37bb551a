//! Plans of rows that are known by their numbers.

use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::merge::Merge;
use bridge_history::plan::run::write;
use bridge_history::plan::store::PlanError;

use crate::folder::Folder;
use crate::rows::row;

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
