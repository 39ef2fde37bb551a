//! What an SDK error says, in the words of the ports.

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bridge_core::failure::FailureKind;
use bridge_core::text::{MOST_SHOWN, shown};
use bridge_core::watched::NoAnswer;

use crate::bounded::TooLong;

/// Bytes of an error code that are repeated.
const MOST_CODE: usize = 100;

/// What an SDK error says, in the words of the ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// The service's error code, or the HTTP status, or what kept the request from it.
    pub code: String,
    /// The service's message.
    pub message: String,
    /// Whether the same request may succeed later.
    pub kind: FailureKind,
}

impl RequestError {
    /// Reads an SDK error.
    pub fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + HttpStatus + 'static,
    {
        let is_too_long = is_too_long(error);
        match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status();
                let (code, message) = (service.err().code(), service.err().message());
                Self::of_service(code, message, status)
            }
            other => Self {
                code: match other {
                    _ if is_too_long => "AnswerTooLong",
                    SdkError::TimeoutError(_) => "RequestTimeout",
                    SdkError::DispatchFailure(_) => "ConnectionFailed",
                    SdkError::ResponseError(_) => "BadResponse",
                    _ => "NotSent",
                }
                .to_owned(),
                message: shown(&sources(other), MOST_SHOWN),
                kind: match other {
                    SdkError::ConstructionFailure(_) => FailureKind::Permanent,
                    _ => FailureKind::Transient,
                },
            },
        }
    }

    /// A refusal. Some servers give no code, some no message: the status is told instead.
    pub(crate) fn of_service(code: Option<&str>, message: Option<&str>, status: u16) -> Self {
        let given = |text: Option<&str>, most| {
            let text = text.map(str::trim).filter(|text| !text.is_empty());
            text.map(|text| shown(text, most))
        };
        let answered = format!("HTTP {status}");
        let message = given(message, MOST_SHOWN);
        let (code, message) = match (given(code, MOST_CODE), message) {
            (Some(code), Some(message)) => (code, message),
            (Some(code), None) => (code, format!("answered with {answered}, without a message")),
            (None, Some(message)) => (answered, message),
            (None, None) => (answered, "the answer gives no reason".to_owned()),
        };
        Self {
            kind: kind_of(&code, status),
            code,
            message,
        }
    }
}

/// What a service's code and status say about the next attempt: AWS's own lists, and what else its
/// services and other servers say.
fn kind_of(code: &str, status: u16) -> FailureKind {
    // Of SQS's older protocol, `AWS.SimpleQueueService.` stands before.
    let last = code.rsplit('.').next().unwrap_or_default();
    // `OverLimit`: of SQS, too many messages in flight.
    let is_throttled = status == 429
        || THROTTLING_ERRORS.contains(&last)
        || code.contains("Throttl")
        // MinIO: `SlowDownRead`, `SlowDownWrite`.
        || code.contains("SlowDown")
        || code.contains("RequestLimitExceeded")
        || code.contains("TooManyRequests")
        || code.contains("OverLimit");
    if is_throttled {
        return FailureKind::Throttled;
    }
    // A clock is set right, and credentials are renewed, while a job waits.
    let is_transient = status >= 500
        || TRANSIENT_ERRORS.contains(&last)
        || code == "RequestTimeTooSkewed"
        || code.contains("ExpiredToken");
    if is_transient {
        FailureKind::Transient
    } else {
        FailureKind::Permanent
    }
}

/// A caller that may not ask, or a server that does not know the question, says nothing of the bucket.
impl From<RequestError> for NoAnswer {
    fn from(fault: RequestError) -> Self {
        let codes = ["AllAccessDisabled", "NotImplemented", "MethodNotAllowed"];
        // `AccessDenied`, `AccessDeniedException`.
        let is_denied = fault.code.contains("AccessDenied");
        Self {
            is_refused: is_denied || codes.contains(&fault.code.as_str()),
            reason: fault.to_string(),
        }
    }
}

impl std::error::Error for RequestError {}

impl std::fmt::Display for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// The status of a raw response.
pub trait HttpStatus {
    /// 200, 503 …
    fn status(&self) -> u16;
}

impl HttpStatus for aws_smithy_runtime_api::client::orchestrator::HttpResponse {
    fn status(&self) -> u16 {
        Self::status(self).as_u16()
    }
}

/// Whether an answer was not read on ([`crate::bounded`]).
pub(crate) fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    chain(error).any(<dyn std::error::Error>::is::<TooLong>)
}

/// An error and what caused it, outermost first.
fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |e| e.source())
}

/// An error with what caused it, outermost first.
pub(crate) fn sources(error: &(dyn std::error::Error + 'static)) -> String {
    chain(error)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for (code, status, kind) in [
            ("SlowDown", 503, FailureKind::Throttled),
            ("SlowDownRead", 503, FailureKind::Throttled),
            ("ThrottlingException", 400, FailureKind::Throttled),
            ("RequestThrottled", 403, FailureKind::Throttled),
            (
                "AWS.SimpleQueueService.RequestThrottled",
                403,
                FailureKind::Throttled,
            ),
            ("OverLimit", 403, FailureKind::Throttled),
            ("InternalError", 500, FailureKind::Transient),
            ("RequestTimeout", 400, FailureKind::Transient),
            ("AccessDenied", 403, FailureKind::Permanent),
            (
                "AWS.SimpleQueueService.NonExistentQueue",
                400,
                FailureKind::Permanent,
            ),
            ("ExpiredTokenException", 400, FailureKind::Transient),
        ] {
            assert_eq!(
                RequestError::of_service(Some(code), None, status).kind,
                kind,
                "{code}"
            );
        }
    }

    #[test]
    fn a_refusal_tells_its_status_where_it_has_no_code_or_message() {
        for (code, message, expected) in [
            (
                Some("NoSuchBucket"),
                Some("It is gone."),
                "NoSuchBucket: It is gone.",
            ),
            (
                Some("NoSuchBucket"),
                None,
                "NoSuchBucket: answered with HTTP 404, without a message",
            ),
            (None, Some("It is gone."), "HTTP 404: It is gone."),
            (Some(""), Some(" "), "HTTP 404: the answer gives no reason"),
            (
                Some("A\u{1b}[2J"),
                Some("one\ntwo"),
                "A\\u{1b}[2J: one\\ntwo",
            ),
        ] {
            let fault = RequestError::of_service(code, message, 404);
            assert_eq!(fault.to_string(), expected);
        }
        let long =
            RequestError::of_service(Some(&"c".repeat(9_000)), Some(&"m".repeat(9_000)), 400);
        assert!(long.to_string().len() < 1_300);
    }
}
