//! Where a job is in its life.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Listing the bucket into runs.
    Scanning,
    /// Sending the plan.
    Sending,
    /// Stopped by the operator; `resume` continues.
    Paused,
    /// Everything is acknowledged.
    Done,
    /// Stopped by an error; `resume` continues.
    Failed,
    /// Stopped for good by the operator.
    Cancelled,
}

impl Phase {
    /// All phases, in the order of a job's life: who looks for jobs phase by phase in this order
    /// meets one that moves on meanwhile twice, and never not at all.
    pub const ALL: [Self; 6] = [
        Self::Scanning,
        Self::Sending,
        Self::Paused,
        Self::Failed,
        Self::Done,
        Self::Cancelled,
    ];

    /// Whether there is work to do.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Scanning | Self::Sending)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scanning => "scanning",
            Self::Sending => "sending",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}
