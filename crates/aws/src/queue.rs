//! Port `Queue`: SQS by the SDK, and what its requests and answers hold whoever sends them
//! ([`crate::signed::queue`] does by default).
//!
//! The SDK signs, finds endpoints and credentials, and reads the answer. The request's body is
//! written here: the SDK would want an owned copy of every text of every entry, a megabyte of them
//! where messages are packed (docs/decisions/0009).

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_types::body::SdkBody;
use bridge_core::failure::FailureKind;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::{EntryResult, Queue};
use bytes::Bytes;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::request_error::RequestError;
use crate::sdk::REQUEST_TIMEOUT;

/// One SQS queue, by the SDK's client.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// The queue at `url`.
    #[must_use]
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    async fn attribute(&self, name: QueueAttributeName) -> Result<u64, SendError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(name.clone())
            .send()
            .await
            .map_err(|e| refusal(&e))?;
        answer
            .attributes()
            .and_then(|attributes| attributes.get(&name)?.parse().ok())
            .ok_or_else(|| SendError {
                kind: FailureKind::Transient,
                code: "NoAttribute".to_owned(),
                message: format!("the answer for {} has no {}", self.url, name.as_str()),
            })
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let body = body(&self.url, messages);
        let answer = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .customize()
            // Before it is signed.
            .mutate_request(move |request| {
                let length = body.len().to_string();
                request.headers_mut().insert("content-length", length);
                *request.body_mut() = SdkBody::from(body.clone());
            })
            .send()
            .await
            .map_err(|e| refusal(&e))?;
        let mut results = Results::of(messages);
        for done in answer.successful() {
            results.done(done.id(), done.message_id());
        }
        for failed in answer.failed() {
            let message = failed.message().unwrap_or_default();
            results.failed(failed.id(), failed.code(), message, failed.sender_fault());
        }
        Ok(results.all())
    }

    async fn depth(&self) -> Result<u64, SendError> {
        self.attribute(QueueAttributeName::ApproximateNumberOfMessages)
            .await
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        let bytes = self
            .attribute(QueueAttributeName::MaximumMessageSize)
            .await?;
        Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    fn request_timeout(&self) -> Duration {
        REQUEST_TIMEOUT
    }
}

/// One result an entry, whichever of them the answer mentions.
pub(crate) struct Results<'a> {
    messages: &'a [Message],
    results: Vec<EntryResult>,
}

impl<'a> Results<'a> {
    /// Nothing is mentioned yet.
    pub(crate) fn of(messages: &'a [Message]) -> Self {
        Self {
            messages,
            results: vec![Err(SendError::not_mentioned()); messages.len()],
        }
    }

    fn index(&self, id: &str) -> Option<usize> {
        id.parse().ok().filter(|index| *index < self.messages.len())
    }

    /// SQS has the entry.
    pub(crate) fn done(&mut self, id: &str, message_id: &str) {
        let Some(index) = self.index(id) else { return };
        self.results[index] = Ok(());
        tracing::debug!(
            number = self.messages[index].number,
            deduplication_id = self.messages[index].id_of_attempt().as_deref(),
            message_id,
            "sent"
        );
    }

    /// SQS does not take the entry.
    pub(crate) fn failed(&mut self, id: &str, code: &str, message: &str, sender_fault: bool) {
        if let Some(index) = self.index(id) {
            self.results[index] = Err(SendError {
                kind: entry_kind(code, sender_fault),
                code: code.to_owned(),
                message: message.to_owned(),
            });
        }
    }

    /// In the request's order.
    pub(crate) fn all(self) -> Vec<EntryResult> {
        self.results
    }
}

/// A `SendMessageBatch` request.
/// Source: Amazon SQS API Reference, "`SendMessageBatch`" (AWS JSON protocol 1.0).
pub(crate) fn body(url: &str, messages: &[Message]) -> Bytes {
    let batch = Batch {
        queue_url: url,
        entries: messages.iter().enumerate().map(Entry::of).collect(),
    };
    // Mostly enough, so that it is not moved while it grows.
    let texts: usize = messages.iter().map(Message::bytes).sum();
    let mut body = Vec::with_capacity(texts + texts / 4 + 400 * messages.len() + 200);
    serde_json::to_writer(&mut body, &batch)
        .expect("texts and maps of texts can always be written");
    body.into()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a> {
    queue_url: &'a str,
    entries: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    id: String,
    message_body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_group_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_deduplication_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    message_attributes: Attributes<'a>,
}

impl<'a> Entry<'a> {
    fn of((index, message): (usize, &'a Message)) -> Self {
        Self {
            id: index.to_string(),
            message_body: &message.body,
            message_group_id: message.group.as_deref(),
            message_deduplication_id: message.id_of_attempt(),
            message_attributes: Attributes(&message.attributes),
        }
    }
}

/// Attributes of type String, by name.
struct Attributes<'a>(&'a [(&'static str, String)]);

impl Attributes<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Attribute<'a> {
            data_type: &'a str,
            string_value: &'a str,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            let attribute = Attribute {
                data_type: "String",
                string_value: value,
            };
            map.serialize_entry(name, &attribute)?;
        }
        map.end()
    }
}

impl From<RequestError> for SendError {
    fn from(fault: RequestError) -> Self {
        Self {
            kind: fault.kind,
            code: fault.code,
            message: fault.message,
        }
    }
}

/// A throttled entry of a batch is marked as the sender's fault, like a malformed one.
fn entry_kind(code: &str, sender_fault: bool) -> FailureKind {
    if code.contains("Throttl") || code.contains("OverLimit") {
        FailureKind::Throttled
    } else if sender_fault {
        FailureKind::Permanent
    } else {
        FailureKind::Transient
    }
}

fn refusal<E>(error: &SdkError<E>) -> SendError
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
{
    RequestError::of(error).into()
}
