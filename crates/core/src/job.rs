//! Jobs: one replay of history each, a chain of segments that hand over to each other.
//!
//! - [`state`]: the job and what may become of it (pure); `takeover`: how a segment gets it
//! - [`request`]: the interface's input; [`actions`]: what start, status, pause … do; [`list`]: the jobs
//!   there are, in pages
//! - [`segment`]: one invocation's work; [`sending`]: its second half; `trouble`: why it stopped early
//! - [`keeper`]: the lease, renewed by a heartbeat that also writes the checkpoint
//! - [`packing`]: rows made into messages
//! - [`watermark`]: how far everything is acknowledged; [`pace`]: how fast it may go
//! - [`sweep`]: continues jobs whose segment died

pub mod actions;
pub mod keeper;
pub mod list;
pub mod pace;
pub mod packing;
pub mod request;
pub mod segment;
pub mod sending;
pub mod state;
pub mod sweep;
mod takeover;
mod trouble;
pub mod watermark;

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::delivery::Queue;
use crate::plan::PlanStore;
use crate::scan::Lister;
pub use list::{Listed, Place};
pub use state::{Job, Phase, Stamp};

/// Why a job could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobStoreError {
    /// Somebody else wrote first, or (creating) the job exists.
    #[error("job {job_id} was changed by somebody else")]
    Conflict {
        /// The job.
        job_id: String,
    },
    /// The store's refusal; it may pass.
    #[error("job store: {0}")]
    Unavailable(String),
    /// What is stored is not a job, or one of a version that this program does not know. It does
    /// not pass.
    #[error("job {job_id} cannot be read: {reason}")]
    Unreadable {
        /// The job.
        job_id: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Port: where jobs are kept. Every write is conditional.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Writes a job that must not exist.
    async fn create(&self, job: &Job) -> Result<(), JobStoreError>;

    /// Reads a job, never a stale one; [`JobStoreError::Unreadable`] when it is none.
    async fn load(&self, job_id: &str) -> Result<Option<Job>, JobStoreError>;

    /// Writes `job` if the stored one still has the epoch and revision of `expected`.
    async fn replace(&self, job: &Job, expected: Stamp) -> Result<(), JobStoreError>;

    /// The ids of the jobs at work, in any order, without reading the others. It may be behind by a
    /// moment: one that just began may be missing, one that just ended be named. Who acts on a job
    /// loads it.
    async fn active(&self) -> Result<Vec<String>, JobStoreError>;

    /// Where jobs stand in the list behind `after`, the newest first, `most` at most, without reading
    /// what comes after those. It may be behind by a moment, as [`active`](Self::active).
    async fn newest(&self, after: Option<&Place>, most: usize)
    -> Result<Vec<Place>, JobStoreError>;
}

/// Port: starts the next segment of a job, elsewhere and later.
#[async_trait]
pub trait Continuation: Send + Sync {
    /// Asks for a segment; it may be started never, once or twice.
    async fn invoke(&self, job_id: &str, epoch: u64) -> Result<(), String>;
}

/// Port: queues by URL, since a job may name its own.
pub trait Queues: Send + Sync {
    /// The queue at `url`.
    fn open(&self, url: &str) -> Arc<dyn Queue>;

    /// Where the job's events are kept that its queue refuses for good: the failure queue, or a file.
    /// `None` where there is no such place.
    fn parking(&self, _job_id: &str) -> Option<Arc<dyn Queue>> {
        None
    }
}

/// Everything a job touches.
#[derive(Clone)]
pub struct Ports {
    /// The bucket.
    pub lister: Arc<dyn Lister>,
    /// Runs and manifests.
    pub plans: Arc<dyn PlanStore>,
    /// Where events go.
    pub queues: Arc<dyn Queues>,
    /// Job states.
    pub jobs: Arc<dyn JobStore>,
    /// The next segment.
    pub continuation: Arc<dyn Continuation>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why an action or a segment failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The input is wrong; the text names the field and what is allowed.
    #[error("{0}")]
    BadRequest(String),
    /// No such job.
    #[error("there is no job {0:?}; action \"list\" shows all")]
    NoSuchJob(String),
    /// The job's phase does not allow the action.
    #[error("job {job_id} is {phase}: it cannot {action}")]
    WrongPhase {
        /// The job.
        job_id: String,
        /// Its phase.
        phase: Phase,
        /// The action.
        action: &'static str,
    },
    /// The operator has asked for its end already.
    #[error("job {job_id} is about to be {doing}: it cannot {action}")]
    Ending {
        /// The job.
        job_id: String,
        /// `paused` or `cancelled`.
        doing: &'static str,
        /// The action.
        action: &'static str,
    },
    /// The store's refusal, or a lost race.
    #[error(transparent)]
    Store(#[from] JobStoreError),
}

impl JobError {
    /// The error type that Lambda reports.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BadRequest",
            Self::NoSuchJob(_) => "NoSuchJob",
            Self::WrongPhase { .. } | Self::Ending { .. } => "WrongPhase",
            Self::Store(_) => "JobStore",
        }
    }
}
