//! What a plan holds, counted row by row in bounded memory.

use std::sync::Arc;

use bridge_core::listing::version::PlannedVersion;
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::budget::Budget;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::merge::Merge;
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
        let mut rows =
            Merge::open(Arc::clone(plans), &manifest.runs, None, Budget::unlimited()).await?;
        while let Some(row) = rows.next().await? {
            census.add(&row);
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
        // A key's rows come in its order, so the last of them has its number of versions: no sketch is
        // needed for what is exact.
        let versions = row.rank.saturating_add(1);
        self.keys.tell(&version.key, versions, row.effective_time);
        if let Some(bytes) = version.size {
            self.sizes.add(bytes);
            self.largest.tell(&version.key, bytes, row.effective_time);
        }
    }
}
