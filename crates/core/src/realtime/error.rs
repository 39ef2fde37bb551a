//! Why changes could not be forwarded.

use crate::notification::error::{MOST_ERROR, NotificationError};
use crate::text::shown;

/// Why an invocation failed as a whole. Its source tries it again, then keeps it where an operator finds it (Lambda:
/// in the `OnFailure` queue); what was delivered already is dropped there by deduplication (FIFO) or comes twice.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The input is nothing this program knows.
    #[error(transparent)]
    Input(#[from] NotificationError),
    /// The action is none of realtime's, or cannot be done.
    #[error("{}; the actions are health and continue", shown(.0, MOST_ERROR))]
    Action(String),
    /// Some events or records remain.
    #[error("{}{}", remain(*undelivered, *events, *unreadable), shown(first, MOST_ERROR))]
    Undelivered {
        /// Events in the input.
        events: usize,
        /// Of these, not confirmed by SQS.
        undelivered: usize,
        /// Records that could not be read, or are of another bucket.
        unreadable: usize,
        /// The first reason.
        first: String,
    },
    /// Nothing live is sent now, or it is not known whether it may be.
    #[error("nothing live is sent: {}", shown(.0, MOST_ERROR))]
    Held(String),
    /// The queue does not answer a health check.
    #[error("queue {queue_url}: {}", shown(reason, MOST_ERROR))]
    Unhealthy {
        /// The queue.
        queue_url: String,
        /// Why.
        reason: String,
    },
}

/// How many remain of what; nothing of a record that came alone and is none, as its reason says it.
fn remain(undelivered: usize, events: usize, unreadable: usize) -> String {
    let records = format!("{unreadable} records unreadable or of another bucket");
    match (undelivered, unreadable) {
        (0, 1) if events == 0 => String::new(),
        (0, _) => format!("{records}; first: "),
        (_, 0) => format!("{undelivered} of {events} events not delivered; first: "),
        _ => format!("{undelivered} of {events} events not delivered, {records}; first: "),
    }
}

impl ForwardError {
    /// The error type that Lambda reports.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Input(_) => "NotANotification",
            Self::Action(_) => "BadRequest",
            Self::Undelivered { .. } => "NotDelivered",
            Self::Held(_) => "Held",
            Self::Unhealthy { .. } => "Unhealthy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_is_told_without_zeros() {
        for (undelivered, events, unreadable, expected) in [
            (0, 0, 1, "why"),
            (
                0,
                0,
                2,
                "2 records unreadable or of another bucket; first: why",
            ),
            (
                0,
                3,
                1,
                "1 records unreadable or of another bucket; first: why",
            ),
            (1, 2, 0, "1 of 2 events not delivered; first: why"),
            (
                1,
                2,
                3,
                "1 of 2 events not delivered, 3 records unreadable or of another bucket; first: why",
            ),
        ] {
            let first = "why".to_owned();
            let error = ForwardError::Undelivered {
                events,
                undelivered,
                unreadable,
                first,
            };
            assert_eq!(error.to_string(), expected);
        }
    }
}
