//! Why sending cannot continue.

use bridge_core::failure::{Failure, FailureKind};
use bridge_core::queue::error::SendError;
use bridge_core::queue::undeliverable::Named;

use crate::plan::store::PlanError;
use crate::send::target::Target;

/// Why sending cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The queue.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The queue cannot be asked about itself.
    #[error("asking queue {target} for its attributes: {refusal}")]
    Queue {
        /// The queue.
        target: Target,
        /// SQS's reason.
        refusal: SendError,
    },
}

/// How a lane ends when it cannot continue. What was not acknowledged is not lost: the checkpoint
/// stays before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Repeating would change nothing.
    #[error(
        "SQS does not take {event} of {bytes} bytes: {refusal}{}",
        advice(refusal)
    )]
    Rejected {
        /// Which.
        event: Named,
        /// Its size with attributes.
        bytes: usize,
        /// SQS's reason.
        refusal: SendError,
    },
    /// It cannot be delivered, and it cannot be kept aside.
    #[error("{event} cannot be delivered, and the failure queue does not keep it: {refusal}")]
    NotParked {
        /// Which.
        event: Named,
        /// The failure queue's reason.
        refusal: SendError,
    },
    /// Nothing got through for a whole time budget.
    #[error("nothing could be sent for {seconds} s, last: {last}")]
    Exhausted {
        /// The time budget.
        seconds: u64,
        /// The last reason.
        last: SendError,
    },
}

/// What can be done where one message is at fault.
fn advice(refusal: &SendError) -> &'static str {
    if refusal.is_of_the_message() {
        "; to continue without it, which keeps it aside, resume with \"onUndeliverable\":\"park\" (on the \
         command line --on-undeliverable park)"
    } else {
        ""
    }
}

impl Failure for SenderError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Plan(error) => error.kind(),
            Self::Delivery(error) => error.kind(),
            Self::Queue { refusal, .. } => refusal.kind(),
        }
    }
}

impl Failure for DeliveryError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Rejected { .. } => FailureKind::Permanent,
            Self::NotParked { refusal, .. } => refusal.kind(),
            Self::Exhausted { .. } => FailureKind::Transient,
        }
    }
}
