//! What one document reports, record by record.

use crate::event::Event;
use crate::notification::buckets::Buckets;
use crate::notification::error::NotificationError;
use crate::text::{MOST_SHOWN, shown};

/// Bytes of a bucket's or an event's name that an error repeats: real ones are shorter.
const MOST_NAME: usize = 255;

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

impl Document {
    pub(super) fn add(&mut self, record: Result<Record, NotificationError>) {
        match record {
            Ok(Record::Change { event, has_order }) => {
                self.lacks_order |= !has_order;
                self.events.push(*event);
            }
            Ok(Record::Skipped(skipped)) => self.skipped.push(skipped),
            Err(error) => self.unreadable.push(error),
        }
    }

    pub(super) fn append(&mut self, other: Self) {
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
pub(super) enum Record {
    Change {
        event: Box<Event>,
        /// Whether its sequencer tells which change of a key came first.
        has_order: bool,
    },
    Skipped(Skipped),
}
