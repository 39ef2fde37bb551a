//! A run is read from behind any position, also where many rows share one effective time and so row
//! groups' statistics overlap: no row is left out and none comes twice.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bridge_core::listing::version::{PlannedRef, VersionRef};
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::position::Position;
use bridge_history::plan::reader::RunReader;
use bridge_history::plan::run::{SortedRows, write};
use bridge_history::plan::store::{PlanError, PlanStore};
use bytes::Bytes;

/// More than two row groups of 2,048 rows, which change their second in the middle of one.
const ROWS: usize = 5_000;

fn key(number: usize) -> String {
    format!("k/{number:06}")
}

fn time(number: usize) -> Timestamp {
    Timestamp(if number < 3_000 { 1_000 } else { 2_000 })
}

struct Rows(Vec<String>);

impl SortedRows for Rows {
    fn rows(&self) -> impl Iterator<Item = PlannedRef<'_>> {
        self.0.iter().enumerate().map(|(number, key)| PlannedRef {
            effective_time: time(number),
            rank: 0,
            version: VersionRef {
                key,
                version_id: "v",
                last_modified: time(number),
                is_latest: true,
                is_delete_marker: false,
                size: Some(1),
                e_tag: None,
            },
        })
    }
}

#[derive(Default)]
struct One(Mutex<Bytes>);

#[async_trait]
impl PlanStore for One {
    async fn put(&self, _: &str, bytes: Bytes) -> Result<(), PlanError> {
        *self.0.lock().unwrap() = bytes;
        Ok(())
    }

    async fn get(&self, _: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        let bytes = self.0.lock().unwrap().clone();
        Ok(match range {
            Some(range) => bytes
                .slice(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()),
            None => bytes,
        })
    }
}

#[tokio::test]
async fn a_run_is_read_from_behind_any_position() {
    let store = Arc::new(One::default());
    let rows = Rows((0..ROWS).map(key).collect());
    let (run, _) = write(&*store, "run".to_owned(), rows).await.unwrap();
    for last in [
        0, 1, 2_046, 2_047, 2_048, 2_999, 3_000, 4_095, 4_096, 4_998, 4_999,
    ] {
        let after = Position {
            effective_time: time(last),
            key: key(last),
            rank: 0,
        };
        let store = Arc::<One>::clone(&store);
        let mut reader = RunReader::open(store, &run, Some(after)).await.unwrap();
        let mut found = Vec::new();
        while let Some(rows) = reader.next_rows().await.unwrap() {
            found.extend(rows.into_iter().map(|row| row.version.key));
        }
        let expected: Vec<_> = (last + 1..ROWS).map(key).collect();
        assert!(
            found == expected,
            "behind {last}: {} rows, expected {}",
            found.len(),
            expected.len()
        );
    }
}
