//! What a consumer reads: one object version, or one live notification.
//!
//! [`name`]: what the names mean that S3 and other servers give their events.

pub mod name;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::timestamp::Timestamp;

/// Which of the two paths an event took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// S3 notification → Lambda → SQS.
    Realtime,
    /// A replay of history by a job.
    Reseed,
}

impl Source {
    /// The value of the message attribute `source`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Reseed => "reseed",
        }
    }
}

/// What happened to an object version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// A version came.
    Created,
    /// A delete marker was made: the key is gone, its versions are not.
    Removed,
    /// A version or a delete marker was removed for good; realtime only, as listings know nothing
    /// of it. Removing a key's latest delete marker brings the key back.
    Deleted,
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Removed => "removed",
            Self::Deleted => "deleted",
        }
    }
}

/// Which of two changes of one key came first: the shorter sequencer is padded with zeros on the right,
/// then they are compared as text.
///
/// Source: Amazon S3 User Guide, "Event message structure".
#[must_use]
pub fn by_sequencer(one: &str, other: &str) -> Ordering {
    let length = one.len().max(other.len());
    let zeros = |text: &str| std::iter::repeat_n(b'0', length - text.len());
    let one = one.bytes().chain(zeros(one));
    one.cmp(other.bytes().chain(zeros(other)))
}

/// One event, in the shape of `format = bridge`: the JSON of a message.
///
/// Absent facts are absent fields. Unknown fields are ignored when read.
///
/// ```
/// use bridge_core::event::{Change, Event, Source, event_id};
/// use bridge_core::timestamp::Timestamp;
///
/// let event = Event {
///     event_id: event_id("ledger", "a", "v1", Change::Created),
///     source: Source::Reseed,
///     event_name: "ObjectCreated:Put".to_owned(),
///     bucket: "ledger".to_owned(),
///     key: "a".to_owned(),
///     version_id: "v1".to_owned(),
///     event_time: Timestamp::parse("2024-05-01T12:00:07Z")?,
///     sequencer: None,
///     size: Some(10),
///     e_tag: Some("d41d8cd9".to_owned()),
///     is_latest: Some(true),
///     job_id: Some("20240501-1a2b3c4d-1".to_owned()),
///     sequence: Some(1),
/// };
/// let json = serde_json::to_value(&event)?;
/// assert_eq!(
///     json,
///     serde_json::json!({
///         "eventId": "82815c18a9c47f1bd3ce54888a035d61",
///         "source": "reseed",
///         "eventName": "ObjectCreated:Put",
///         "bucket": "ledger",
///         "key": "a",
///         "versionId": "v1",
///         "eventTime": "2024-05-01T12:00:07.000Z",
///         "size": 10,
///         "eTag": "d41d8cd9",
///         "isLatest": true,
///         "jobId": "20240501-1a2b3c4d-1",
///         "sequence": 1,
///     })
/// );
/// assert_eq!(serde_json::from_value::<Event>(json)?, event);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// See [`event_id`]: the same on both paths.
    pub event_id: String,
    /// Which path it took.
    pub source: Source,
    /// S3's name of the event, without `s3:`.
    pub event_name: String,
    /// The bucket's name.
    pub bucket: String,
    /// The object key, decoded.
    pub key: String,
    /// The version id; `"null"` for an object that has none.
    pub version_id: String,
    /// Realtime: when S3 saw the change. Reseed: the version's `LastModified`.
    pub event_time: Timestamp,
    /// Orders events of one key; realtime only, as listings have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
    /// Object size in bytes; absent for removals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Entity tag without quotes; absent for removals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
    /// Whether it was the key's latest version when the bucket was listed; reseed only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_latest: Option<bool>,
    /// The job's id; reseed only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The event's number in the job, 1..N; reseed only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
}

impl Event {
    /// What each source tells of a change, `event_name` without `s3:`. What only some tell is absent.
    ///
    /// ```
    /// use bridge_core::event::{Change, Event, Source};
    /// use bridge_core::timestamp::Timestamp;
    ///
    /// let what = (Change::Created, "ObjectCreated:Put");
    /// let event = Event::new(Source::Realtime, "ledger", "a", "v1", what, Timestamp(0));
    /// assert_eq!(event.event_id, "82815c18a9c47f1bd3ce54888a035d61");
    /// assert_eq!(event.sequencer, None);
    /// ```
    #[must_use]
    pub fn new(
        source: Source,
        bucket: impl Into<String>,
        key: impl Into<String>,
        version_id: impl Into<String>,
        (change, event_name): (Change, &str),
        event_time: Timestamp,
    ) -> Self {
        let (bucket, key, version_id) = (bucket.into(), key.into(), version_id.into());
        Self {
            event_id: event_id(&bucket, &key, &version_id, change),
            source,
            event_name: event_name.to_owned(),
            bucket,
            key,
            version_id,
            event_time,
            sequencer: None,
            size: None,
            e_tag: None,
            is_latest: None,
            job_id: None,
            sequence: None,
        }
    }
}

/// The id of a change: 32 hexadecimal digits, the first half of SHA-256 over
/// `bucket NUL key NUL versionId NUL created|removed|deleted`. Bucket names and version ids hold no
/// NUL, so two changes of versions never share the text. Overwrites of an object without versions
/// do: see [`change_id`].
#[must_use]
pub fn event_id(bucket: &str, key: &str, version_id: &str, change: Change) -> String {
    let mut hash = Sha256::new();
    for part in [bucket, "\0", key, "\0", version_id, "\0", change.as_str()] {
        hash.update(part.as_bytes());
    }
    half_hex(&hash.finalize())
}

/// What is the same for two events only if they report the same change: the event id. Overwrites of an
/// object without versions (`"null"`) share that, so the sequencer stands behind it, which S3 repeats
/// when it repeats a notification; where there is none, a digest of eTag and time. At most 97
/// characters, letters, digits and a colon: it serves as a deduplication id.
#[must_use]
pub fn change_id(event: &Event) -> String {
    if event.version_id != "null" {
        return event.event_id.clone();
    }
    let overwrite = match &event.sequencer {
        Some(sequencer) if is_plain(sequencer) => sequencer.clone(),
        Some(sequencer) => half_hex(&Sha256::digest(sequencer.as_bytes())),
        None => {
            let e_tag = event.e_tag.as_deref().unwrap_or_default();
            let text = format!("{e_tag}\0{}", event.event_time);
            half_hex(&Sha256::digest(text.as_bytes()))
        }
    };
    format!("{}:{overwrite}", event.event_id)
}

/// Whether a sequencer may stand in a deduplication id as it is. S3's are hexadecimal digits; of
/// other servers anything may come.
fn is_plain(sequencer: &str) -> bool {
    sequencer.len() <= 64 && sequencer.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The SQS message group of a key: 32 hexadecimal digits, the first half of SHA-256 of the key.
/// A digest, because keys may be longer (1,024 bytes) than a group id (128 characters) and hold
/// characters that a group id may not.
#[must_use]
pub fn key_group(key: &str) -> String {
    half_hex(&Sha256::digest(key.as_bytes()))
}

/// A short name for `text`: 8 hexadecimal digits of its SHA-256.
#[must_use]
pub fn short_digest(text: &str) -> String {
    let mut hex = half_hex(&Sha256::digest(text.as_bytes()));
    hex.truncate(8);
    hex
}

/// What is the same only for equal bytes: 32 hexadecimal digits of their SHA-256.
#[must_use]
pub fn digest_of_bytes(bytes: &[u8]) -> String {
    half_hex(&Sha256::digest(bytes))
}

/// What is the same only for equal texts: 32 hexadecimal digits of its SHA-256.
pub(crate) fn digest(text: &str) -> String {
    half_hex(&Sha256::digest(text.as_bytes()))
}

fn half_hex(digest: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let half = &digest[..16];
    let mut text = String::with_capacity(32);
    for byte in half {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequencers_are_padded_on_the_right() {
        assert_eq!(by_sequencer("0055AE", "0055AED6"), Ordering::Less);
        assert_eq!(by_sequencer("0055AF", "0055AED6"), Ordering::Greater);
        assert_eq!(by_sequencer("0055AE", "0055AE00"), Ordering::Equal);
        assert_eq!(by_sequencer("", "00"), Ordering::Equal);
    }

    #[test]
    fn the_id_of_a_change_is_what_the_documentation_says() {
        // printf 'ledger\0a\0v1\0created' | sha256sum | cut -c1-32
        assert_eq!(
            event_id("ledger", "a", "v1", Change::Created),
            "82815c18a9c47f1bd3ce54888a035d61"
        );
        // … 'ledger\0a\0m1\0removed' …, and undoing it: … 'ledger\0a\0m1\0deleted' …
        assert_eq!(
            event_id("ledger", "a", "m1", Change::Removed),
            "5deeb45b2e5c11502eb810eee71b1aee"
        );
        assert_eq!(
            event_id("ledger", "a", "m1", Change::Deleted),
            "8b1ed4da5a98cbb5b17a37a0eac66fcc"
        );
    }
}
