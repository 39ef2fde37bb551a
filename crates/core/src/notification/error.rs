//! What is no notification, and why.

use serde_json::Value;

use crate::text::{MOST_SHOWN, quoted, shown};

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
    /// A change of a bucket whose changes are not taken: the notification is forged, or that bucket tells the wrong
    /// one.
    #[error(
        "changes of bucket \"{found}\" are not taken here, only those of {taken} (BUCKET_NAME): \
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

impl NotificationError {
    /// JSON of a kind that nobody knows.
    pub(super) fn unknown(value: &Value) -> Self {
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
        Self::Unknown { found }
    }
}
