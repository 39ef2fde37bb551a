//! What a plan holds, counted row by row in bounded memory.

use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::reader::RunReader;
use bridge_history::plan::store::{PlanError, PlanStore};

use crate::picture::heavy::Weight;
use crate::picture::over_time::Names;
use crate::picture::prefixes::Prefixes;
use crate::picture::sizes::Sizes;
use crate::picture::timeline::Timeline;
use crate::picture::top::TopKeys;

/// Keys that are named.
const KEYS: usize = 15;

/// Kinds of events: a key's oldest version, a later one, a delete marker.
pub(crate) const KINDS: [Names; 3] = [
    ("first versions", "First versions"),
    ("later versions", "Later versions"),
    ("delete markers", "Delete markers"),
];

/// What a plan holds.
#[derive(Debug)]
pub(crate) struct Census {
    /// By time and kind, as in [`KINDS`].
    pub timeline: Timeline<3>,
    /// By prefix.
    pub prefixes: Prefixes<Weight>,
    /// The keys with most versions and delete markers, counted from a key's oldest to its last in the plan.
    pub keys: TopKeys,
    /// The keys of the largest object versions, bytes.
    pub largest: TopKeys,
    /// Object versions by size.
    pub sizes: Sizes,
}

impl Census {
    /// Reads a whole plan once; all its keys begin with `prefix`.
    ///
    /// # Errors
    /// [`PlanError`] when it cannot be read.
    pub(crate) async fn read(
        plans: &Arc<dyn PlanStore>,
        manifest: &Manifest,
        prefix: &str,
    ) -> Result<Self, PlanError> {
        let summary = &manifest.summary;
        let (first, last) = (summary.first, summary.last);
        let mut census = Self::new(first.unwrap_or_default(), last.unwrap_or_default(), prefix);
        // One after another: what is counted does not depend on their order, and only one is open.
        for run in &manifest.runs {
            let mut reader = RunReader::open(Arc::clone(plans), run, None).await?;
            while let Some(rows) = reader.next_rows().await? {
                for row in &rows {
                    census.add(row);
                }
            }
        }
        Ok(census)
    }

    fn new(first: Timestamp, last: Timestamp, prefix: &str) -> Self {
        Self {
            timeline: Timeline::new(first, last),
            prefixes: Prefixes::new(prefix),
            keys: TopKeys::new(KEYS),
            largest: TopKeys::new(KEYS),
            sizes: Sizes::default(),
        }
    }

    fn add(&mut self, row: &PlannedVersion) {
        let version = &row.version;
        let kind = match (version.is_delete_marker, row.rank) {
            (true, _) => 2,
            (false, 0) => 0,
            (false, _) => 1,
        };
        self.timeline.add(row.effective_time, kind);
        let weight = Weight {
            events: 1,
            removed: u64::from(version.is_delete_marker),
            bytes: version.size.unwrap_or(0),
        };
        self.prefixes.add(&version.key, weight);
        // A key's last row has its number of versions: no sketch is needed for what is exact.
        let versions = row.rank.saturating_add(1);
        self.keys.tell(&version.key, versions, row.effective_time);
        if let Some(bytes) = version.size {
            self.sizes.add(bytes);
            self.largest.tell(&version.key, bytes, row.effective_time);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use bridge_core::listing::version::ObjectVersion;
    use bridge_history::plan::run::write;
    use bytes::Bytes;

    use super::*;

    /// Objects in memory; notes whose turn it was.
    #[derive(Default)]
    struct Noted {
        objects: Mutex<Vec<(String, Bytes)>>,
        turns: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl PlanStore for Noted {
        async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
            self.objects.lock().unwrap().push((name.to_owned(), bytes));
            Ok(())
        }

        async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
            self.turns.lock().unwrap().push(name.to_owned());
            let objects = self.objects.lock().unwrap();
            let (_, bytes) = objects.iter().find(|(known, _)| known == name).unwrap();
            let range = range.unwrap();
            let at = |place: u64| usize::try_from(place).unwrap();
            Ok(bytes.slice(at(range.start)..at(range.end)))
        }
    }

    fn row(time: i64, key: &str, rank: u64) -> PlannedVersion {
        PlannedVersion {
            effective_time: Timestamp(time),
            rank,
            version: ObjectVersion {
                key: key.to_owned(),
                version_id: "v".to_owned(),
                last_modified: Timestamp(time),
                is_latest: false,
                is_delete_marker: false,
                size: Some(1),
                e_tag: None,
            },
        }
    }

    #[tokio::test]
    async fn of_runs_that_overlap_one_is_open_at_a_time_and_each_row_counts() {
        let store = Arc::new(Noted::default());
        let mut manifest = Manifest::new("job".parse().unwrap(), "bucket");
        for run in 0..5_i64 {
            let rows: Vec<_> = (0..100)
                .map(|n| row(n * 5 + run, "key", u64::try_from(n * 5 + run).unwrap()))
                .collect();
            let (run, summary) = write(&*store, run.to_string(), rows).await.unwrap();
            manifest.runs.push(run);
            manifest.summary.add(summary);
        }
        manifest.runs.reverse(); // a key's newest version is in the run that is read first
        let plans: Arc<dyn PlanStore> = Arc::clone(&store) as _;
        let census = Census::read(&plans, &manifest, "").await.unwrap();
        let all = census.timeline.columns().fold([0; 3], |all, (_, counts)| {
            std::array::from_fn(|kind| all[kind] + counts[kind])
        });
        assert_eq!(all, [1, 499, 0]);
        assert_eq!(census.keys.tops()[0].number, 500);
        let mut turns = store.turns.lock().unwrap().clone();
        turns.dedup();
        assert_eq!(turns, ["4", "3", "2", "1", "0"]);
    }
}
