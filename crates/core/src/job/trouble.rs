//! Why a segment stopped early, and whether it may pass.

use super::keeper::KeepError;
use super::sending::SendError;
use crate::delivery::RefusalKind;
use crate::delivery::lane::DeliveryError;
use crate::plan::PlanError;
use crate::scan::ScanError;

/// Why the work of a segment stopped early.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another segment has the job.
    Fenced,
    /// It may pass.
    Fault(String),
    /// It will not pass by itself.
    Failure(String),
}

impl From<KeepError> for Trouble {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Fenced => Self::Fenced,
            KeepError::Store(error) => Self::Fault(error.to_string()),
        }
    }
}

impl From<PlanError> for Trouble {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Fenced => Self::Fenced,
            PlanError::Commit(_)
            | PlanError::Store {
                retryable: true, ..
            } => Self::Fault(error.to_string()),
            PlanError::Store { .. } | PlanError::Damaged { .. } => Self::Failure(error.to_string()),
        }
    }
}

impl From<ScanError> for Trouble {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Plan(error) => error.into(),
            ScanError::List {
                error: ref cause, ..
            } if cause.retryable => Self::Fault(error.to_string()),
            // A page cut short by a broken connection may come whole next time.
            ScanError::Page { .. } => Self::Fault(error.to_string()),
            ScanError::Ambiguous { .. } | ScanError::List { .. } => {
                Self::Failure(error.to_string())
            }
        }
    }
}

impl From<SendError> for Trouble {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Plan(error) => error.into(),
            SendError::Queue { ref refusal, .. } if refusal.kind != RefusalKind::Rejected => {
                Self::Fault(error.to_string())
            }
            SendError::Delivery(DeliveryError::Exhausted { .. }) => Self::Fault(error.to_string()),
            SendError::Delivery(DeliveryError::Rejected { .. }) | SendError::Queue { .. } => {
                Self::Failure(error.to_string())
            }
        }
    }
}
