//! Messages that a queue refuses for good: what they report, and what is left of one without the event
//! at fault. No I/O.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Event, Source};
use crate::queue::message::Message;
use crate::text::{MOST_SHOWN, shown};
use crate::{format, notification};

/// The value of an attribute.
#[must_use]
pub fn attribute<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let mut attributes = message.attributes.iter();
    let found = attributes.find(|(known, _)| *known == name)?;
    Some(found.1.as_str())
}

/// The event that a job's message tells, where it tells only one.
#[must_use]
pub fn event_of(message: &Message) -> Option<Event> {
    if let Ok(event) = serde_json::from_str(&message.body) {
        return Some(event);
    }
    let body = serde_json::from_str(&message.body).ok()?;
    let mut events = notification::parse_document(&body).ok()?.events;
    let event = events.pop().filter(|_| events.is_empty())?;
    // What a notification document has no room for.
    Some(Event {
        source: Source::Reseed,
        job_id: attribute(message, "jobId").map(str::to_owned),
        sequence: Some(message.number),
        ..event
    })
}

/// Which event it is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its number in the job.
    pub sequence: u64,
    /// Key and version id, escaped and cut.
    pub version: Option<(String, String)>,
}

impl Named {
    /// Names what a job's message tells; of several events, the first.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        let version = event_of(message).map(|event| {
            let shown = |text: &str| shown(text, MOST_SHOWN);
            (shown(&event.key), shown(&event.version_id))
        });
        Self {
            sequence: message.number,
            version,
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some((key, id)) => {
                let sequence = self.sequence;
                write!(f, "event {sequence} (key \"{key}\", version id \"{id}\")")
            }
            None => write!(f, "message {}", self.sequence),
        }
    }
}

#[derive(Deserialize)]
struct Records<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
}

/// The events of a job's message, a message each, as an unpacked job would have written them: the
/// records byte for byte, the deduplication ids those of their sequences. `None` where it tells one
/// event, or cannot be read.
#[must_use]
pub fn apart(message: &Message) -> Option<Vec<Message>> {
    if message.events < 2 {
        return None;
    }
    let Records { records } = serde_json::from_str(&message.body).ok()?;
    let sequences = numbers(attribute(message, "sequence")?);
    if records.len() != message.events || sequences.len() != records.len() {
        return None;
    }
    let job_id = attribute(message, "jobId")?;
    let (first, last) = (sequences.first()?, sequences.last()?);
    let of_all = format!("{job_id}:{first}-{last}");
    let suffix = match &message.deduplication_id {
        Some(id) => Some(id.strip_prefix(&of_all)?),
        None => None,
    };
    let parts = sequences.iter().zip(records).map(|(sequence, record)| {
        let attributes = message.attributes.iter().map(|(name, value)| match *name {
            "sequence" => (*name, sequence.to_string()),
            _ => (*name, value.clone()),
        });
        Message {
            number: *sequence,
            events: 1,
            body: format::document(record.get()),
            group: message.group.clone(),
            deduplication_id: suffix.map(|suffix| format!("{job_id}:{sequence}{suffix}")),
            attempt: 0,
            attributes: attributes.collect(),
        }
    });
    Some(parts.collect())
}

/// The numbers that the attribute `sequence` lists, as in `8,10-12`.
fn numbers(listed: &str) -> Vec<u64> {
    let ranges = listed.split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u64>().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}
