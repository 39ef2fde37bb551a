//! Whether messages may be sent, asked without sending one (docs/decisions/0019).

use crate::failure::FailureKind;
use crate::queue::error::SendError;
use crate::queue::port::Queue;

/// Asks with an empty request whether this caller may send. There is nothing in it that a consumer could
/// read. SQS refuses it in any case: a caller who may not send with `AccessDenied`, as it looks at who
/// asks before it looks at what; others with `EmptyBatchRequest`. Only the former is told; whatever
/// else is answered proves nothing, and the first message will show it.
/// Source: Amazon SQS API Reference, "`SendMessageBatch`", errors.
///
/// # Errors
/// The refusal, when it says that the permission is missing.
pub async fn may_send(queue: &dyn Queue) -> Result<(), SendError> {
    match queue.send(&[]).await {
        Err(refusal) if is_permission_missing(&refusal) => Err(refusal),
        _ => Ok(()),
    }
}

/// A refusal of the caller, not of a message.
fn is_permission_missing(refusal: &SendError) -> bool {
    // A server that gives no code tells its status.
    let named = refusal.code.contains("AccessDenied") || refusal.code == "HTTP 403";
    refusal.kind == FailureKind::Permanent && named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_permission_is_told() {
        let refusal = |kind, code: &str| SendError {
            kind,
            code: code.to_owned(),
            message: String::new(),
        };
        for (code, is_missing) in [
            ("AccessDenied", true),
            ("AccessDeniedException", true),
            ("KmsAccessDenied", true),
            ("HTTP 403", true),
            ("AWS.SimpleQueueService.EmptyBatchRequest", false),
            ("MissingParameter", false),
        ] {
            let rejected = refusal(FailureKind::Permanent, code);
            assert_eq!(is_permission_missing(&rejected), is_missing, "{code}");
            let later = refusal(FailureKind::Transient, code);
            assert!(!is_permission_missing(&later), "{code}");
        }
    }
}
