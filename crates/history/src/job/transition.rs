//! What happens to a job that others may want to act on (docs/decisions/0032).

use serde::{Deserialize, Serialize};

/// What the last write of a job did to it, where others may want to act on it. Of all writes of a job only those
/// bear one: [`Job::next`](crate::job::state::Job::next) forgets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// It was accepted; segments work on it from now on.
    Started,
    /// Nothing live is sent until it is done or cancelled.
    Held,
    /// An operator's pause was carried out.
    Paused,
    /// An operator let it go on.
    Resumed,
    /// It stopped by an error, and says which.
    Failed,
    /// Everything is acknowledged; where live was to follow, it does.
    Done,
    /// Stopped for good by the operator; where live was held, it goes on.
    Cancelled,
}

impl Transition {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Started,
        Self::Held,
        Self::Paused,
        Self::Resumed,
        Self::Failed,
        Self::Done,
        Self::Cancelled,
    ];

    /// What the event is called (`detail-type`).
    #[must_use]
    pub fn detail_type(self) -> &'static str {
        match self {
            Self::Started => "Job started",
            Self::Held => "Job held",
            Self::Paused => "Job paused",
            Self::Resumed => "Job resumed",
            Self::Failed => "Job failed",
            Self::Done => "Job done",
            Self::Cancelled => "Job cancelled",
        }
    }
}
