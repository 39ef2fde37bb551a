//! What the realtime function is handed, as events.
//!
//! A *document* is what one source says at once: an S3 notification, an `EventBridge` event, a
//! test event, or an SNS envelope around one of them. An *input* is a document handed over
//! directly, or a batch of SQS messages that hold one each.
//!
//! - [`document`]: what a document reports; `s3` and `eventbridge`: one record of it, in which `dialect`, by which `fact`s
//! - [`buckets`]: whose changes are taken; [`trimmed`]: JSON of a bounded size; [`error`]: what is no notification
//!
//! ```
//! use bridge_core::notification::parse_document;
//!
//! let body = serde_json::json!({ "Records": [{
//!     "eventVersion": "2.1",
//!     "eventSource": "aws:s3",
//!     "eventTime": "2024-05-01T12:00:07.123Z",
//!     "eventName": "ObjectCreated:Put",
//!     "s3": {
//!         "bucket": { "name": "ledger" },
//!         "object": { "key": "red+flower.jpg", "versionId": "v1", "size": 10 },
//!     },
//! }]});
//! let document = parse_document(&body)?;
//! assert!(document.unreadable.is_empty());
//! assert_eq!(document.events[0].key, "red flower.jpg");
//! assert_eq!(document.events[0].event_time.to_string(), "2024-05-01T12:00:07.123Z");
//! # Ok::<(), bridge_core::notification::error::NotificationError>(())
//! ```

pub mod buckets;
mod dialect;
pub mod document;
pub mod error;
mod eventbridge;
mod fact;
mod s3;
pub mod trimmed;

use serde::Deserialize;
use serde_json::Value;

use crate::notification::document::{Document, Reason, Skipped};
use crate::notification::error::NotificationError;
use crate::notification::trimmed::Trimmed;

/// Envelopes inside envelopes deeper than this are refused: SQS holds SNS holds S3.
const MAX_ENVELOPES: usize = 3;

/// One invocation's input.
#[derive(Debug)]
pub enum Input {
    /// Handed over by S3, SNS or `EventBridge`: all or nothing.
    Direct(Document),
    /// Handed over by an SQS event source: each message succeeds or fails by itself.
    Batch(Vec<BatchMessage>),
}

/// One SQS message of a batch.
#[derive(Debug)]
pub struct BatchMessage {
    /// The id to report as a batch item failure.
    pub message_id: String,
    /// What it holds.
    pub document: Result<Document, NotificationError>,
    /// The queue has handed it over before.
    pub is_repeated: bool,
}

impl BatchMessage {
    /// Reads a message of a queue; `receives` is how often that has handed it over, where it says so
    /// (`ApproximateReceiveCount`).
    #[must_use]
    pub fn parse(message_id: String, body: &str, receives: Option<&str>) -> Self {
        Self {
            message_id,
            document: parse_text(body.as_bytes(), 1),
            // Where it is not said, it may have been.
            is_repeated: receives != Some("1"),
        }
    }
}

#[derive(Deserialize)]
struct SqsRecord {
    #[serde(rename = "messageId")]
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: SqsAttributes,
}

#[derive(Default, Deserialize)]
struct SqsAttributes {
    /// A number as text.
    #[serde(default, rename = "ApproximateReceiveCount")]
    receives: Option<String>,
}

#[derive(Deserialize)]
struct SnsRecord {
    #[serde(rename = "Sns")]
    sns: SnsMessage,
}

#[derive(Deserialize)]
struct SnsMessage {
    #[serde(rename = "Message")]
    message: String,
}

/// Reads what Lambda handed over.
///
/// # Errors
/// [`NotificationError`] when it is none of the known shapes. What is wrong inside a batch or
/// with single records is in [`BatchMessage::document`] and [`Document::unreadable`].
pub fn parse_input(input: &Value) -> Result<Input, NotificationError> {
    let Some(records) = input.get("Records").and_then(Value::as_array) else {
        return parse_document(input).map(Input::Direct);
    };
    if !records.iter().any(|r| source_of(r) == Some("aws:sqs")) {
        return parse_document(input).map(Input::Direct);
    }
    records
        .iter()
        .map(|record| {
            let SqsRecord {
                message_id,
                body,
                attributes,
            } = fact::read(record, "SQS record")?;
            let receives = attributes.receives.as_deref();
            Ok(BatchMessage::parse(message_id, &body, receives))
        })
        .collect::<Result<_, _>>()
        .map(Input::Batch)
}

/// Reads one document: S3, `EventBridge`, test event, or SNS around one of them.
///
/// # Errors
/// [`NotificationError`] when it is none of them; single records that cannot be read are in
/// [`Document::unreadable`].
pub fn parse_document(value: &Value) -> Result<Document, NotificationError> {
    parse_nested(value, 0)
}

/// The same from its text.
///
/// # Errors
/// Also when it is no JSON, or of far more values than a notification has.
pub fn parse_body(text: &[u8]) -> Result<Document, NotificationError> {
    parse_text(text, 0)
}

fn parse_text(text: &[u8], depth: usize) -> Result<Document, NotificationError> {
    if trimmed::is_too_dense(text) {
        return Err(NotificationError::Malformed {
            what: "message body",
            reason: "it has more values than a notification of its length".to_owned(),
        });
    }
    let Trimmed(value) =
        serde_json::from_slice(text).map_err(|e| NotificationError::NotJson(e.to_string()))?;
    parse_nested(&value, depth)
}

fn parse_nested(value: &Value, depth: usize) -> Result<Document, NotificationError> {
    if depth > MAX_ENVELOPES {
        return Err(NotificationError::Malformed {
            what: "SNS envelope",
            reason: format!("more than {MAX_ENVELOPES} envelopes inside each other"),
        });
    }
    let mut document = Document::default();
    if let Some(records) = value.get("Records").and_then(Value::as_array) {
        for record in records {
            if record.get("Sns").is_some() {
                let SnsRecord { sns } = fact::read(record, "SNS record")?;
                document.append(parse_text(sns.message.as_bytes(), depth + 1)?);
            } else if record.get("s3").is_some() {
                document.add(s3::parse_record(record));
            } else {
                return Err(NotificationError::unknown(record));
            }
        }
    } else if value.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        let bucket = value.get("Bucket").and_then(Value::as_str);
        document.skipped.push(Skipped {
            reason: Reason::TestEvent,
            event_name: "s3:TestEvent".to_owned(),
            bucket: bucket.unwrap_or_default().to_owned(),
            key: String::new(),
        });
    } else if value.get("source").and_then(Value::as_str) == Some("aws.s3") {
        document.add(eventbridge::parse_event(value));
    } else if value.get("Type").and_then(Value::as_str) == Some("Notification") {
        let sns: SnsMessage = fact::read(value, "SNS notification")?;
        return parse_text(sns.message.as_bytes(), depth + 1);
    } else {
        return Err(NotificationError::unknown(value));
    }
    Ok(document)
}

fn source_of(record: &Value) -> Option<&str> {
    record.get("eventSource").and_then(Value::as_str)
}

#[cfg(test)]
mod tests;
