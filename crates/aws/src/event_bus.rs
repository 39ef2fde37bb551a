//! Port `EventBus`: the account's default bus of Amazon `EventBridge`.

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::SdkError;
use aws_sdk_eventbridge::operation::put_events::PutEventsError;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use bridge_core::failure::FailureKind;
use bridge_core::watched::Finding;
use bridge_history::job::event_bus::{EventBus, EventBusError, JobEvent};

use crate::request_error::RequestError;

/// Who the events say that they are from; the function may name no other.
pub const SOURCE: &str = "s3-sqs-bridge";

/// The default bus.
#[derive(Debug, Clone)]
pub struct DefaultBus {
    client: Client,
}

impl DefaultBus {
    /// The bus of the client's account and region.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Puts one entry: `Err` is the refusal of the request, `Ok(Some)` that of the entry.
    async fn put_entry(
        &self,
        entry: PutEventsRequestEntry,
    ) -> Result<Option<RequestError>, SdkError<PutEventsError>> {
        let answer = self.client.put_events().entries(entry).send().await?;
        let refused = answer.entries().iter().find(|e| e.error_code().is_some());
        // Of an entry, only what it says tells whether to try again.
        Ok(refused
            .map(|e| RequestError::of_service(e.error_code(), e.error_message(), BAD_REQUEST)))
    }
}

/// The status that a refused entry would have had as a request.
const BAD_REQUEST: u16 = 400;

fn failed(fault: &RequestError) -> EventBusError {
    EventBusError {
        reason: format!("putting an event on the default event bus: {fault}"),
        kind: fault.kind,
        is_of_the_event: is_invalid(fault) && fault.kind == FailureKind::Permanent,
    }
}

/// What the refusal of an entry that is never taken says of who put it.
fn finding(fault: &RequestError) -> Finding {
    if is_invalid(fault) {
        Finding::Ok
    } else {
        Finding::Wrong(failed(fault).to_string())
    }
}

/// Whether it is about what is in the request, not about who makes it.
fn is_invalid(fault: &RequestError) -> bool {
    ["Validation", "InvalidArgument", "MalformedDetail"]
        .iter()
        .any(|code| fault.code.contains(code))
}

#[async_trait]
impl EventBus for DefaultBus {
    async fn put(&self, event: &JobEvent) -> Result<(), EventBusError> {
        let entry = PutEventsRequestEntry::builder()
            .source(SOURCE)
            .detail_type(event.detail_type)
            .detail(&event.detail)
            .resources(&event.resource)
            .time(DateTime::from_millis(event.time.0))
            .build();
        let fault = match self.put_entry(entry).await {
            Ok(None) => return Ok(()),
            Ok(Some(fault)) => fault,
            Err(error) => RequestError::of(&error),
        };
        Err(failed(&fault))
    }

    /// An entry without type and detail is never taken, and who may put one is told so.
    /// Source: Amazon `EventBridge` API Reference, "`PutEventsRequestEntry`".
    async fn check(&self) -> Finding {
        let nothing = PutEventsRequestEntry::builder().source(SOURCE).build();
        match self.put_entry(nothing).await {
            Ok(_) => Finding::Ok,
            Err(error) => finding(&RequestError::of(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes as the API reference and the guide to troubleshooting have them.
    #[test]
    fn a_refusal_tells_whether_it_is_of_the_event_or_may_be_mended() {
        for (code, status, kind, is_of_the_event, is_well) in [
            ("InvalidArgument", 400, FailureKind::Permanent, true, true),
            ("MalformedDetail", 400, FailureKind::Permanent, true, true),
            (
                "ValidationException",
                400,
                FailureKind::Permanent,
                true,
                true,
            ),
            (
                "AccessDeniedException",
                400,
                FailureKind::Permanent,
                false,
                false,
            ),
            (
                "NotAuthorizedForSourceException",
                400,
                FailureKind::Permanent,
                false,
                false,
            ),
            (
                "ThrottlingException",
                400,
                FailureKind::Throttled,
                false,
                false,
            ),
            (
                "InternalException",
                500,
                FailureKind::Transient,
                false,
                false,
            ),
        ] {
            let fault = RequestError::of_service(Some(code), Some("why"), status);
            let error = failed(&fault);
            assert_eq!(
                (error.kind, error.is_of_the_event),
                (kind, is_of_the_event),
                "{code}"
            );
            assert!(error.reason.contains(code), "{error}");
            assert_eq!(finding(&fault) == Finding::Ok, is_well, "{code}");
        }
    }
}
