//! Where an event stands in a plan.

use bridge_core::listing::version::PlannedRef;
use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The total order of a plan: effective time, then key (bytes), then rank.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// `LastModified`, raised where needed so that it never goes back within a key.
    pub effective_time: Timestamp,
    /// Decoded key.
    pub key: String,
    /// The version's number within its key, oldest 0.
    pub rank: u64,
}

impl Position {
    /// A row's.
    #[must_use]
    pub fn of(row: &PlannedRef<'_>) -> Self {
        Self {
            effective_time: row.effective_time,
            key: row.version.key.to_owned(),
            rank: row.rank,
        }
    }
}
