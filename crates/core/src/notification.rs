//! What the realtime function is handed, as events.
//!
//! A *document* is what one source says at once: an S3 notification, an `EventBridge` event, a
//! test event, or an SNS envelope around one of them. An *input* is a document handed over
//! directly, or a batch of SQS messages that hold one each.
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
//! # Ok::<(), bridge_core::notification::NotificationError>(())
//! ```

pub mod buckets;
mod dialect;
mod eventbridge;
mod fact;
mod s3;
pub mod trimmed;

use serde::Deserialize;
use serde_json::Value;

use crate::event::Event;
use crate::notification::buckets::Buckets;
use crate::notification::trimmed::Trimmed;
use crate::text::{MOST_SHOWN, quoted, shown};

/// Envelopes inside envelopes deeper than this are refused: SQS holds SNS holds S3.
const MAX_ENVELOPES: usize = 3;

/// What one document reports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// Changes to deliver, in the document's order.
    pub events: Vec<Event>,
    /// What needs no delivery, and why.
    pub skipped: Vec<Skipped>,
    /// Records that could not be read; the rest of the document is good.
    pub unreadable: Vec<NotificationError>,
    /// Some event is of a server whose sequencers tell no order.
    pub lacks_order: bool,
}

/// A record that asks for no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Why.
    pub reason: Reason,
    /// S3's name of it.
    pub event_name: String,
    /// The bucket.
    pub bucket: String,
    /// The key; as it was written where no version came or went, empty for a test event.
    pub key: String,
}

/// Why a record asks for no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// S3 sends one when a notification is configured.
    TestEvent,
    /// A name that is known to report no version: restores, tags, ACLs, replication figures.
    NoChange,
    /// The key is outside `KEY_PREFIX` / `KEY_SUFFIX`.
    Filtered,
    /// The history that the queue got before live changes held it.
    Covered,
}

impl Reason {
    /// The word for logs and counts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TestEvent => "test-event",
            Self::NoChange => "no-change",
            Self::Filtered => "filtered",
            Self::Covered => "covered",
        }
    }
}

/// Input that is no notification. Its text is escaped and cut, whatever was found: at most
/// [`MOST_ERROR`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// Not JSON at all.
    #[error("the message body is not JSON: {}", shown(.0, MOST_SHOWN))]
    NotJson(String),
    /// JSON of another kind.
    #[error(
        "not an S3 notification, EventBridge event, SNS envelope or SQS batch: found {}; \
         see docs/EVENTS.md for what is understood",
        shown(found, MOST_SHOWN)
    )]
    Unknown {
        /// The fields found, or the JSON type.
        found: String,
    },
    /// A major version this program does not know.
    #[error("S3 event version {} is not supported; 2.x is", quoted(found))]
    Version {
        /// The version found.
        found: String,
    },
    /// An event that nobody knows: skipping it could lose a change.
    #[error(
        "event name {} is not known (key {}): whether a version came or went cannot be told; \
         docs/EVENTS.md lists the known names",
        quoted(found),
        quoted(key)
    )]
    EventName {
        /// The name, without `s3:`.
        found: String,
        /// The key, as it was written.
        key: String,
    },
    /// A change of a bucket that is not this function's: the notification is forged, or that bucket
    /// tells the wrong function.
    #[error(
        "bucket \"{found}\" is not this function's, which takes changes of {taken} (BUCKET_NAME): \
         {event_name} of key \"{key}\" is refused; see whom that bucket notifies"
    )]
    OtherBucket {
        /// The bucket, escaped and cut, as are event and key.
        found: String,
        /// Whose changes are taken.
        taken: String,
        /// What happened there.
        event_name: String,
        /// The key; empty for a test event.
        key: String,
    },
    /// A record that lacks a fact or has it in the wrong shape.
    #[error("{what}: {}", shown(reason, MOST_SHOWN))]
    Malformed {
        /// Which part.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

/// The longest text of a [`NotificationError`], bytes: two quotations with how long they were, and the
/// words around them.
pub const MOST_ERROR: usize = 2 * MOST_SHOWN + 300;

/// Bytes of a bucket's or an event's name that an error repeats: real ones are shorter.
const MOST_NAME: usize = 255;

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
            } = read(record, "SQS record")?;
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
                let SnsRecord { sns } = read(record, "SNS record")?;
                document.append(parse_text(sns.message.as_bytes(), depth + 1)?);
            } else if record.get("s3").is_some() {
                document.add(s3::parse_record(record));
            } else {
                return Err(unknown(record));
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
        let sns: SnsMessage = read(value, "SNS notification")?;
        return parse_text(sns.message.as_bytes(), depth + 1);
    } else {
        return Err(unknown(value));
    }
    Ok(document)
}

impl Document {
    fn add(&mut self, record: Result<Record, NotificationError>) {
        match record {
            Ok(Record::Change { event, has_order }) => {
                self.lacks_order |= !has_order;
                self.events.push(*event);
            }
            Ok(Record::Skipped(skipped)) => self.skipped.push(skipped),
            Err(error) => self.unreadable.push(error),
        }
    }

    fn append(&mut self, other: Self) {
        self.events.extend(other.events);
        self.skipped.extend(other.skipped);
        self.unreadable.extend(other.unreadable);
        self.lacks_order |= other.lacks_order;
    }

    /// Moves what is of other buckets to what cannot be taken: changes, and also test events and what
    /// asks for no message, as the bucket is set up wrongly all the same.
    pub fn keep_buckets(&mut self, taken: &Buckets) {
        let mut refused = Vec::new();
        let mut keep = |bucket: &str, event_name: &str, key: &str| {
            let is_taken = taken.has(bucket);
            if !is_taken {
                refused.push(NotificationError::OtherBucket {
                    found: shown(bucket, MOST_NAME),
                    taken: taken.to_string(),
                    event_name: shown(event_name, MOST_NAME),
                    key: shown(key, MOST_SHOWN),
                });
            }
            is_taken
        };
        self.events
            .retain(|event| keep(&event.bucket, &event.event_name, &event.key));
        // One without a bucket's name belongs to no bucket, and asks for no message.
        self.skipped
            .retain(|s| s.bucket.is_empty() || keep(&s.bucket, &s.event_name, &s.key));
        self.unreadable.extend(refused);
    }

    /// Moves events whose key is outside the filter to the skipped ones.
    pub fn keep_keys(&mut self, prefix: &str, suffix: &str) {
        self.keep(Reason::Filtered, |event| {
            event.key.starts_with(prefix) && event.key.ends_with(suffix)
        });
    }

    /// Moves other events to the skipped ones.
    pub fn keep(&mut self, reason: Reason, keeps: impl Fn(&Event) -> bool) {
        let (kept, dropped): (Vec<_>, Vec<_>) = std::mem::take(&mut self.events)
            .into_iter()
            .partition(keeps);
        self.events = kept;
        self.skipped.extend(dropped.into_iter().map(|e| Skipped {
            reason,
            event_name: e.event_name,
            bucket: e.bucket,
            key: e.key,
        }));
    }
}

/// One record: a change, or something that asks for no message.
enum Record {
    Change {
        event: Box<Event>,
        /// Whether its sequencer tells which change of a key came first.
        has_order: bool,
    },
    Skipped(Skipped),
}

fn source_of(record: &Value) -> Option<&str> {
    record.get("eventSource").and_then(Value::as_str)
}

fn read<'a, T: Deserialize<'a>>(
    value: &'a Value,
    what: &'static str,
) -> Result<T, NotificationError> {
    T::deserialize(value).map_err(|e| NotificationError::Malformed {
        what,
        reason: e.to_string(),
    })
}

fn unknown(value: &Value) -> NotificationError {
    let found = match value {
        Value::Object(map) if map.is_empty() => "an empty object".to_owned(),
        Value::Object(map) => {
            let names: Vec<_> = map.keys().take(8).map(String::as_str).collect();
            format!("an object with {}", names.join(", "))
        }
        Value::Array(_) => "an array".to_owned(),
        Value::String(_) => "a string".to_owned(),
        other => other.to_string(),
    };
    NotificationError::Unknown { found }
}

#[cfg(test)]
mod tests;
