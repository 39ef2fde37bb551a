//! Why a queue does not take a message, and whether to send it again.

use crate::failure::{Failure, FailureKind};

/// Why an entry, or a whole request, was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {code}: {message}")]
pub struct SendError {
    /// What to do about it.
    pub kind: FailureKind,
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

impl SendError {
    /// Of an entry that the answer does not mention: it was not confirmed.
    #[must_use]
    pub fn not_mentioned() -> Self {
        Self {
            kind: FailureKind::Transient,
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
        if self.kind != FailureKind::Permanent {
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

impl Failure for SendError {
    fn kind(&self) -> FailureKind {
        self.kind
    }
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
            let refusal = |kind| SendError {
                kind,
                code: code.to_owned(),
                message: message.to_owned(),
            };
            let found = refusal(FailureKind::Permanent).is_of_the_message();
            assert_eq!(found, is_of_the_message, "{code}: {message}");
            assert!(!refusal(FailureKind::Throttled).is_of_the_message());
            assert!(!refusal(FailureKind::Transient).is_of_the_message());
        }
    }
}
