//! Port `Queue`: SQS, by [`ServiceClient`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::{EntryResult, Queue};
use serde::{Deserialize, Serialize};

use crate::queue::{Results, body};
use crate::sdk::REQUEST_TIMEOUT;
use crate::signed::ServiceClient;
use crate::signed::answer::parse;

/// One SQS queue.
#[derive(Debug, Clone)]
pub struct SignedQueue {
    client: Arc<ServiceClient>,
    url: String,
}

/// What `SendMessageBatch` answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sent<'a> {
    #[serde(borrow, default)]
    successful: Option<Vec<Done<'a>>>,
    #[serde(borrow, default)]
    failed: Option<Vec<Failed<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Done<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    message_id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(default)]
    sender_fault: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ask<'a> {
    queue_url: &'a str,
    attribute_names: [&'a str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    #[serde(default)]
    attributes: Option<HashMap<String, String>>,
}

impl SignedQueue {
    /// The queue at `url`, by a client of [`crate::signed::service::SQS`].
    #[must_use]
    pub fn new(client: Arc<ServiceClient>, url: String) -> Self {
        Self { client, url }
    }

    async fn attribute(&self, name: &str) -> Result<u64, SendError> {
        let ask = Ask {
            queue_url: &self.url,
            attribute_names: [name],
        };
        let body = serde_json::to_vec(&ask).expect("texts can always be written");
        let answer = self.client.call("GetQueueAttributes", body.into()).await?;
        let told: Told = parse(&answer)?;
        let attributes = told.attributes.unwrap_or_default();
        let number = attributes.get(name).and_then(|text| text.parse().ok());
        number.ok_or_else(|| SendError {
            kind: FailureKind::Transient,
            code: "NoAttribute".to_owned(),
            message: format!("the answer for {} has no {name}", self.url),
        })
    }
}

#[async_trait]
impl Queue for SignedQueue {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let body = body(&self.url, messages);
        let answer = self.client.call("SendMessageBatch", body).await?;
        let sent: Sent = parse(&answer)?;
        let mut results = Results::of(messages);
        for done in sent.successful.into_iter().flatten() {
            results.done(&done.id, &done.message_id);
        }
        for failed in sent.failed.into_iter().flatten() {
            let message = failed.message.as_deref().unwrap_or_default();
            results.failed(&failed.id, &failed.code, message, failed.sender_fault);
        }
        Ok(results.all())
    }

    async fn depth(&self) -> Result<u64, SendError> {
        self.attribute("ApproximateNumberOfMessages").await
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        let bytes = self.attribute("MaximumMessageSize").await?;
        Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    fn request_timeout(&self) -> Duration {
        REQUEST_TIMEOUT
    }
}
