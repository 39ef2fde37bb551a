//! Sending messages in order, and trying again until it is done or out of time.
//!
//! - [`message`]: what goes into a queue, and how it is made from an event
//! - [`pending`]: what waits in a lane, and what the next request may hold (pure)
//! - [`lane`]: one ordered sender; [`once`]: a handful of messages, for the realtime path
//! - [`undeliverable`]: what no repetition helps: told, taken apart, or parked
//! - [`permission`]: whether messages may be sent, asked without sending one
//! - [`flow`]: how many requests may be in flight; [`backoff`]: how long to wait before trying again
//!
//! The rule that keeps the order is the [`Mode`].

pub mod backoff;
pub mod flow;
pub mod lane;
pub mod message;
pub mod once;
pub mod pending;
pub mod permission;
pub mod undeliverable;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::config::is_fifo;
pub use message::Message;

/// Entries a batch request may hold.
/// Source: Amazon SQS Developer Guide, "Amazon SQS message quotas".
pub const MAX_ENTRIES: usize = 10;

/// Bytes a batch request may hold, all its messages with their attributes.
/// Source: the same page, since August 2025.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// What order the queue keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// One message group a key.
    Key,
    /// One group for the bucket: a total order.
    Bucket,
    /// A standard queue: none.
    None,
}

impl Order {
    /// `key` on a FIFO queue, `none` on a standard one.
    #[must_use]
    pub fn default_of(queue_url: &str) -> Self {
        if is_fifo(queue_url) {
            Self::Key
        } else {
            Self::None
        }
    }
}

/// How a FIFO queue's groups keep their order (contract 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// No request carries two messages of one group, and a group's next request waits for the
    /// last one's success: a partly failed request cannot reorder.
    #[default]
    Strict,
    /// A request may carry several messages of one group. After a failure everything of the group
    /// from there on goes again with fresh deduplication ids: a consumer sees a rewind, never a gap.
    Batched,
}

/// What becomes of an event that the queue refuses for good: one whose body or size it does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUndeliverable {
    /// The job fails and names it.
    #[default]
    Stop,
    /// It is kept aside, named and counted, and the job goes on behind it.
    Park,
}

impl OnUndeliverable {
    /// Whether it is the default.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        *self == Self::Stop
    }
}

/// Why an entry, or a whole request, was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {code}: {message}")]
pub struct Refusal {
    /// What to do about it.
    pub kind: RefusalKind,
    /// SQS's error code.
    pub code: String,
    /// SQS's message.
    pub message: String,
}

/// What `InvalidParameterValue`, which may be about anything, says of a message whose size, body or
/// attributes are wrong, in lower case.
const OF_A_MESSAGE: [&str; 6] = [
    "message must be shorter",
    "binary character",
    "message body",
    "messagebody",
    "message attribute",
    "messageattribute",
];

impl Refusal {
    /// Of an entry that the answer does not mention: it was not confirmed.
    #[must_use]
    pub fn not_mentioned() -> Self {
        Self {
            kind: RefusalKind::Unavailable,
            code: "NotMentioned".to_owned(),
            message: "the answer does not say what became of the entry".to_owned(),
        }
    }

    /// Whether it is this message, and no other, that the queue does not take, now and for good:
    /// what it holds or how long it is. Not where the caller, the queue, its key or time are at
    /// fault. What cannot be told counts as the caller's: nothing is passed over by a guess.
    ///
    /// Source: Amazon SQS API Reference, "`SendMessage`" and "`SendMessageBatch`", errors.
    #[must_use]
    pub fn is_of_the_message(&self) -> bool {
        if self.kind != RefusalKind::Rejected {
            return false;
        }
        let is_code = |known: &str| {
            let code = self.code.rsplit('.').next().unwrap_or_default();
            code.strip_suffix("Exception").unwrap_or(code) == known
        };
        if is_code("InvalidMessageContents") || is_code(TOO_LONG) {
            return true;
        }
        let told = self.message.to_lowercase();
        is_code("InvalidParameterValue") && OF_A_MESSAGE.iter().any(|words| told.contains(words))
    }
}

/// Code of this program's own refusal of a message that is longer than its queue takes.
pub const TOO_LONG: &str = "MessageTooLong";

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// Too fast: slow down and send it again.
    Throttled,
    /// A fault of the service, the network or time: send it again.
    Unavailable,
    /// The message or the caller is at fault: sending it again changes nothing.
    Rejected,
}

impl std::fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Rejected => "rejected",
        })
    }
}

/// One answer an entry, in the request's order.
pub type EntryResult = Result<(), Refusal>;

/// Port: a queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends up to [`MAX_ENTRIES`] messages in one request. The answer has one result an entry,
    /// in the request's order; `Err` when the request as a whole failed, in which case any of
    /// its messages may or may not have arrived. It does not retry, and ends within
    /// [`Queue::request_timeout`]. No messages are a request too, which only
    /// [`permission::may_send`] makes.
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal>;

    /// Messages waiting in the queue (approximate).
    async fn depth(&self) -> Result<u64, Refusal>;

    /// The queue's own `MaximumMessageSize`, bytes.
    async fn max_message_bytes(&self) -> Result<usize, Refusal>;

    /// The longest that [`Queue::send`] can take.
    fn request_timeout(&self) -> std::time::Duration;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_with_a_message_itself_is_undeliverable() {
        let shorter =
            "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.";
        for (code, message, is_of_the_message) in [
            ("InvalidMessageContents", "Invalid characters found.", true),
            ("AWS.SimpleQueueService.InvalidMessageContents", "", true),
            ("InvalidMessageContentsException", "", true),
            (TOO_LONG, "the queue takes 1024 bytes", true),
            ("InvalidParameterValue", shorter, true),
            ("InvalidParameterValueException", shorter, true),
            (
                "InvalidParameterValue",
                "Invalid binary character '#x1' was found in the message body",
                true,
            ),
            (
                "InvalidParameterValue",
                "Value 7 for parameter QueueUrl is invalid.",
                false,
            ),
            ("InvalidParameterValue", "", false),
            ("AccessDenied", "message body", false),
            ("AWS.SimpleQueueService.NonExistentQueue", "", false),
            ("KMS.DisabledException", "", false),
            ("KmsAccessDenied", "", false),
            (
                "MissingParameter",
                "The request must contain the parameter MessageGroupId.",
                false,
            ),
            ("UnsupportedOperation", "", false),
        ] {
            let refusal = |kind| Refusal {
                kind,
                code: code.to_owned(),
                message: message.to_owned(),
            };
            let found = refusal(RefusalKind::Rejected).is_of_the_message();
            assert_eq!(found, is_of_the_message, "{code}: {message}");
            assert!(!refusal(RefusalKind::Throttled).is_of_the_message());
            assert!(!refusal(RefusalKind::Unavailable).is_of_the_message());
        }
    }
}
