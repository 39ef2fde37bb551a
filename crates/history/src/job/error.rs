//! Why a job, or an action on one, fails.

use bridge_core::failure::{Failure, FailureKind};
use bridge_core::live::store::LiveStoreError;
use bridge_core::text::{MOST_SHOWN, shown};

use crate::id::JobId;
use crate::job::event_bus::EventBusError;
use crate::job::phase::Phase;
use crate::plan::store::PlanError;

/// Why a job could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobStoreError {
    /// Somebody else wrote first, or (creating) the job exists.
    #[error("job {job_id} was changed by somebody else")]
    Conflict {
        /// The job.
        job_id: JobId,
    },
    /// The store's refusal.
    #[error("job store: {reason}")]
    Store {
        /// The store's reason.
        reason: String,
        /// Whether the next attempt may have better luck.
        kind: FailureKind,
    },
    /// What is stored is not a job, or one of a version that this program does not know. It does
    /// not pass.
    #[error("job {job_id} cannot be read: {reason}")]
    Unreadable {
        /// The job.
        job_id: JobId,
        /// What is wrong with it.
        reason: String,
    },
}

impl JobStoreError {
    /// A fault that may pass.
    #[must_use]
    pub fn transient(reason: String) -> Self {
        Self::Store {
            reason,
            kind: FailureKind::Transient,
        }
    }
}

impl Failure for JobStoreError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Store { kind, .. } => *kind,
            Self::Conflict { .. } | Self::Unreadable { .. } => FailureKind::Permanent,
        }
    }
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
        job_id: JobId,
        /// Its phase.
        phase: Phase,
        /// The action.
        action: &'static str,
    },
    /// The operator has asked for its end already.
    #[error("job {job_id} is about to be {doing}: it cannot {action}")]
    Ending {
        /// The job.
        job_id: JobId,
        /// `paused` or `cancelled`.
        doing: &'static str,
        /// The action.
        action: &'static str,
    },
    /// The store's refusal, or a lost race.
    #[error(transparent)]
    Store(#[from] JobStoreError),
    /// A plan from elsewhere that could not be read for now.
    #[error(transparent)]
    Plan(PlanError),
    /// The live table's refusal.
    #[error(transparent)]
    Live(#[from] LiveStoreError),
    /// The event bus's refusal.
    #[error(transparent)]
    Bus(#[from] EventBusError),
}

impl JobError {
    /// A wrong input; what was found in it, and is quoted, may be long.
    #[must_use]
    pub fn bad_request(text: String) -> Self {
        Self::BadRequest(shown(&text, MOST_SHOWN))
    }

    /// The error type that Lambda reports.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BadRequest",
            Self::NoSuchJob(_) => "NoSuchJob",
            Self::WrongPhase { .. } | Self::Ending { .. } => "WrongPhase",
            Self::Store(_) => "JobStore",
            Self::Plan(_) => "Plan",
            Self::Live(_) => "LiveTable",
            Self::Bus(_) => "EventBus",
        }
    }
}
