//! Port `Mapping`: Lambda's event source mapping of the buffer.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::update_event_source_mapping::UpdateEventSourceMappingError;
use bridge_core::failure::FailureKind;
use bridge_history::job::live::{LivePortError, Mapping, Switched};

use crate::request_error::RequestError;

/// One mapping.
#[derive(Debug, Clone)]
pub struct LambdaMapping {
    client: Client,
    id: String,
}

impl LambdaMapping {
    /// The mapping of this UUID.
    #[must_use]
    pub fn new(client: Client, id: String) -> Self {
        Self { client, id }
    }
}

#[async_trait]
impl Mapping for LambdaMapping {
    async fn switch(&self, on: bool) -> Result<Switched, LivePortError> {
        let update = self.client.update_event_source_mapping();
        let Err(error) = update.uuid(&self.id).enabled(on).send().await else {
            return Ok(Switched::Done);
        };
        let service = error.as_service_error();
        if service.is_some_and(UpdateEventSourceMappingError::is_resource_not_found_exception) {
            return Ok(Switched::Gone);
        }
        // What the answer says besides is not needed, and not every server writes its times as AWS does.
        let answer = error.raw_response();
        if answer.is_some_and(|answer| answer.status().is_success()) {
            return Ok(Switched::Done);
        }
        // It is being switched or changed just now.
        let is_busy =
            service.is_some_and(UpdateEventSourceMappingError::is_resource_in_use_exception);
        let fault = RequestError::of(&error);
        Err(LivePortError {
            reason: format!("switching event source mapping {}: {fault}", self.id),
            kind: if is_busy {
                FailureKind::Transient
            } else {
                fault.kind
            },
        })
    }
}
