//! A run in which a disk has changed a bit gives an error with its name, or its rows as they were: never another event.

#[path = "common/folder.rs"]
mod folder;
#[path = "common/rows.rs"]
mod rows;

use std::sync::Arc;
use std::time::Duration;

use bridge_core::listing::version::PlannedVersion;
use bridge_history::plan::manifest::Run;
use bridge_history::plan::reader::RunReader;
use bridge_history::plan::run::write;
use bridge_history::plan::store::PlanError;
use folder::Folder;
use rows::row;

async fn read(store: &Arc<Folder>, run: &Run) -> Result<Vec<PlannedVersion>, PlanError> {
    let mut reader = RunReader::open(Arc::clone(store) as Arc<_>, run, None).await?;
    let mut rows = Vec::new();
    while let Some(more) = reader.next_rows().await? {
        rows.extend(more);
    }
    Ok(rows)
}

#[tokio::test]
async fn each_bit_of_a_run_is_as_it_was_or_missed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::new(&folder, Duration::ZERO);
    let rows: Vec<_> = (0..60).map(row).collect();
    let (run, _) = write(&*store, "run".to_owned(), rows.clone())
        .await
        .unwrap();
    assert_eq!(read(&store, &run).await, Ok(rows.clone()));
    let path = folder.path().join("run");
    let right = std::fs::read(&path).unwrap();
    let mut missed = 0;
    for place in 0..right.len() {
        let mut wrong = right.clone();
        wrong[place] ^= 1 << (place % 8);
        std::fs::write(&path, wrong).unwrap();
        match read(&store, &run).await {
            Ok(found) => assert_eq!(found, rows, "byte {place} of {}", right.len()),
            Err(error) => {
                missed += 1;
                assert!(error.to_string().contains("run"), "{error}");
            }
        }
    }
    // All but the first four, which nobody reads.
    assert_eq!(missed, right.len() - 4);
}
