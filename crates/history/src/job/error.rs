//! Why a job, or an action on one, fails.

use crate::job::phase::Phase;

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
