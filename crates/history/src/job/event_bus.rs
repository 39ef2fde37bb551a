//! Port: where others are told what happens to jobs.

use async_trait::async_trait;
use bridge_core::failure::{Failure, FailureKind};
use bridge_core::timestamp::Timestamp;
use bridge_core::watched::Finding;

/// What happened to a job, as an event bus takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// `Job started` … ([`Transition`](crate::job::transition::Transition)).
    pub detail_type: &'static str,
    /// The job as `status` shows it, JSON.
    pub detail: String,
    /// The ARN of the bucket whose history it is.
    pub resource: String,
    /// When it happened.
    pub time: Timestamp,
}

/// Why an event was not put, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct EventBusError {
    /// What was tried, and what came of it.
    pub reason: String,
    /// Whether another attempt may succeed.
    pub kind: FailureKind,
    /// Whether this event will never be taken, whoever puts it.
    pub is_of_the_event: bool,
}

impl Failure for EventBusError {
    fn kind(&self) -> FailureKind {
        self.kind
    }
}

/// Port: where others are told what happens to jobs.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Puts an event.
    ///
    /// # Errors
    /// [`EventBusError`]; it may have been put all the same.
    async fn put(&self, event: &JobEvent) -> Result<(), EventBusError>;

    /// Whether events may be put, asked without putting one.
    async fn check(&self) -> Finding;
}
