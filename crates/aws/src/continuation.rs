//! Port `Continuation`: the next segment, by an asynchronous invocation of this function itself.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use bridge_history::api::request::ContinueRequest;
use bridge_history::id::{Epoch, JobId};
use bridge_history::job::ports::{Continuation, ContinuationError};

use crate::request_error::RequestError;

/// Invokes a function.
#[derive(Debug, Clone)]
pub struct LambdaContinuation {
    client: Client,
    function: String,
}

impl LambdaContinuation {
    /// Continues by invoking `function` (name or ARN).
    #[must_use]
    pub fn new(client: Client, function: String) -> Self {
        Self { client, function }
    }

    /// Asks whether this caller may invoke the function, without invoking it.
    ///
    /// # Errors
    /// Lambda's refusal.
    pub async fn may_invoke(&self) -> Result<(), RequestError> {
        let ask = self.client.invoke().function_name(&self.function);
        // Not without an input: servers there are that sign an empty one differently.
        let ask = ask.payload(Blob::new("{}"));
        let ask = ask.invocation_type(InvocationType::DryRun).send().await;
        ask.map(|_| ()).map_err(|e| RequestError::of(&e))
    }
}

#[async_trait]
impl Continuation for LambdaContinuation {
    async fn invoke(&self, job_id: &JobId, epoch: Epoch) -> Result<(), ContinuationError> {
        let payload = ContinueRequest {
            job_id: job_id.clone(),
            epoch,
        }
        .to_json();
        self.client
            .invoke()
            .function_name(&self.function)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| {
                let fault = RequestError::of(&e);
                ContinuationError {
                    reason: format!("invoking {}: {fault}", self.function),
                    kind: fault.kind,
                }
            })
    }
}
