//! A message, and how it is made from an event.

use std::borrow::Cow;

use crate::event::{Event, change_id, key_group};
use crate::format;
use crate::format::Format;
use crate::queue::ordering::Order;

/// What goes into the queue as one entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender's own number for it (the first sequence of a reseed's message, the index of a
    /// notification).
    pub number: u64,
    /// How many events it tells.
    pub events: usize,
    /// The body.
    pub body: String,
    /// FIFO queues: the message group.
    pub group: Option<String>,
    /// FIFO queues: within five minutes, the second message with this id is dropped by SQS.
    pub deduplication_id: Option<String>,
    /// How often it was sent afresh, not to be taken for a repetition: [`crate::queue::ordering::Mode::Batched`].
    pub attempt: u32,
    /// Message attributes, all of type String.
    pub attributes: Vec<(&'static str, String)>,
}

impl Message {
    /// Bytes that count towards SQS's limits: body, and attributes with names, types and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.attributes
            .iter()
            .map(|(name, value)| name.len() + "String".len() + value.len())
            .sum::<usize>()
            + self.body.len()
    }
}

impl Message {
    /// The deduplication id of this attempt: `id`, `id.1`, `id.2` …
    #[must_use]
    pub fn id_of_attempt(&self) -> Option<Cow<'_, str>> {
        let id = self.deduplication_id.as_deref()?;
        Some(match self.attempt {
            0 => Cow::Borrowed(id),
            attempt => Cow::Owned(format!("{id}.{attempt}")),
        })
    }
}

/// Makes messages from events: format, group and deduplication id.
#[derive(Debug, Clone)]
pub struct Writer {
    /// `MESSAGE_FORMAT`.
    pub format: Format,
    /// `ORDER`.
    pub order: Order,
    /// For `awsRegion` of the `s3` format.
    pub region: String,
}

impl Writer {
    /// The message of a realtime event, deduplicated by its [`change_id`].
    #[must_use]
    pub fn message(&self, event: &Event, number: u64) -> Message {
        let group = self.group(event);
        Message {
            number,
            events: 1,
            body: format::body(event, self.format, &self.region),
            deduplication_id: group.is_some().then(|| change_id(event)),
            group,
            attempt: 0,
            attributes: vec![("source", event.source.as_str().to_owned())],
        }
    }

    /// The message group of `event`; none on a standard queue.
    #[must_use]
    pub fn group(&self, event: &Event) -> Option<String> {
        match self.order {
            Order::Key => Some(key_group(&event.key)),
            Order::Bucket => Some(event.bucket.clone()),
            Order::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Change, Source, event_id};
    use crate::timestamp::Timestamp;

    fn event(version_id: &str, sequencer: &str) -> Event {
        let what = (Change::Created, "ObjectCreated:Put");
        let (source, time) = (Source::Realtime, Timestamp(0));
        Event {
            sequencer: Some(sequencer.to_owned()),
            size: Some(1),
            ..Event::new(source, "ledger", "k", version_id, what, time)
        }
    }

    fn deduplication_id(event: &Event) -> Option<String> {
        let writer = Writer {
            format: Format::Bridge,
            order: Order::Key,
            region: "eu-west-1".to_owned(),
        };
        writer.message(event, 0).deduplication_id
    }

    #[test]
    fn a_repeated_notification_is_one_message_whatever_its_sequencer() {
        let id = deduplication_id(&event("v1", "01"));
        assert_eq!(id.as_deref(), Some(event("v1", "01").event_id.as_str()));
        assert_eq!(id, deduplication_id(&event("v1", "02")));
    }

    #[test]
    fn overwrites_of_an_unversioned_object_are_two_messages() {
        let first = deduplication_id(&event("null", "01"));
        assert_ne!(first, deduplication_id(&event("null", "02")));
        assert_eq!(first, deduplication_id(&event("null", "01")));
    }

    #[test]
    fn overwrites_without_a_sequencer_are_told_apart_by_tag_and_time() {
        let overwrite = |e_tag: &str, time| Event {
            sequencer: None,
            e_tag: Some(e_tag.to_owned()),
            event_time: Timestamp(time),
            ..event("null", "")
        };
        let id = |e_tag, time| deduplication_id(&overwrite(e_tag, time)).unwrap();
        assert_eq!(id("e1", 1), id("e1", 1), "a repetition is one message");
        assert_ne!(id("e1", 1), id("e1", 2));
        assert_ne!(id("e1", 1), id("e2", 1));
    }

    #[test]
    fn a_deduplication_id_is_one_whatever_a_server_calls_a_sequencer() {
        for sequencer in ["\u{FFFF}", "a b", "0".repeat(500).as_str(), "…"] {
            let id = deduplication_id(&event("null", sequencer)).unwrap();
            assert!(id.len() <= 128, "{id}");
            assert!(id.bytes().all(|b| b.is_ascii_graphic()), "{id}");
            assert_ne!(id, deduplication_id(&event("null", "01")).unwrap());
        }
    }

    #[test]
    fn a_marker_made_and_unmade_are_two_messages() {
        let of = |change, name: &str| Event {
            event_id: event_id("ledger", "k", "m1", change),
            event_name: name.to_owned(),
            ..event("m1", "01")
        };
        assert_ne!(
            deduplication_id(&of(Change::Removed, "ObjectRemoved:DeleteMarkerCreated")),
            deduplication_id(&of(Change::Deleted, "ObjectRemoved:Delete"))
        );
    }

    #[test]
    fn a_standard_queue_gets_neither_group_nor_deduplication_id() {
        let writer = Writer {
            format: Format::Bridge,
            order: Order::None,
            region: "eu-west-1".to_owned(),
        };
        let message = writer.message(&event("v1", "01"), 0);
        assert_eq!((message.group, message.deduplication_id), (None, None));
    }
}
