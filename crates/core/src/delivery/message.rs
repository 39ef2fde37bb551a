//! A message, and how it is made from an event.

use super::Order;
use crate::event::{Event, key_group};
use crate::format::{self, Format};

/// What goes into the queue as one entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender's own number for it (the sequence of a reseed, the index of a notification).
    pub number: u64,
    /// The body.
    pub body: String,
    /// FIFO queues: the message group.
    pub group: Option<String>,
    /// FIFO queues: within five minutes, the second message with this id is dropped by SQS.
    pub deduplication_id: Option<String>,
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
    /// The message of `event`. Deduplication: a reseed event by `jobId:sequence`, so that a
    /// second job is not taken for a repetition of the first; a realtime event by its id.
    #[must_use]
    pub fn message(&self, event: &Event, number: u64) -> Message {
        let mut attributes = vec![("source", event.source.as_str().to_owned())];
        if let Some(job_id) = &event.job_id {
            attributes.push(("jobId", job_id.clone()));
        }
        let deduplication_id = match (&event.job_id, event.sequence) {
            (Some(job_id), Some(sequence)) => {
                // A notification document has no room for the sequence.
                if self.format == Format::S3 {
                    attributes.push(("sequence", sequence.to_string()));
                }
                format!("{job_id}:{sequence}")
            }
            _ => event.event_id.clone(),
        };
        let group = match self.order {
            Order::Key => Some(key_group(&event.key)),
            Order::Bucket => Some(event.bucket.clone()),
            Order::None => None,
        };
        Message {
            number,
            body: format::body(event, self.format, &self.region),
            deduplication_id: group.is_some().then_some(deduplication_id),
            group,
            attributes,
        }
    }
}
