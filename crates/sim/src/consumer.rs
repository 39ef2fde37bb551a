//! What messages hold, read as a consumer reads them.

use std::ops::RangeInclusive;

use bridge_core::event::Event;
use bridge_core::notification;
use bridge_core::queue::message::Message;
use serde_json::Value;

/// The sequences of a message's events, in order: of the attribute, or of the event itself.
#[must_use]
pub fn sequences_of(message: &Message) -> Vec<u64> {
    let attribute = message
        .attributes
        .iter()
        .find(|(name, _)| *name == "sequence");
    if let Some((_, listed)) = attribute {
        return numbers(listed);
    }
    serde_json::from_str::<Event>(&message.body)
        .ok()
        .and_then(|event| event.sequence)
        .into_iter()
        .collect()
}

/// The numbers that the attribute `sequence` lists, as in `8,10-12`.
#[must_use]
pub fn numbers(listed: &str) -> Vec<u64> {
    ranges(listed).into_iter().flatten().collect()
}

/// The same, as ranges.
#[must_use]
pub fn ranges(listed: &str) -> Vec<RangeInclusive<u64>> {
    listed
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse().ok()?..=last.parse().ok()?)
        })
        .collect()
}

/// The events of a message with their sequences.
///
/// # Errors
/// What makes it unreadable.
pub fn events_of(message: &Message) -> Result<Vec<(u64, Event)>, String> {
    let body: Value = serde_json::from_str(&message.body).map_err(|e| e.to_string())?;
    let events = if body.get("Records").is_some() {
        let document = notification::parse_document(&body).map_err(|e| e.to_string())?;
        document.events
    } else {
        vec![serde_json::from_value(body).map_err(|e| e.to_string())?]
    };
    let sequences = sequences_of(message);
    if sequences.len() != events.len() || events.len() != message.events {
        return Err(format!(
            "{} events, {} sequences, {} said: {message:?}",
            events.len(),
            sequences.len(),
            message.events
        ));
    }
    Ok(sequences.into_iter().zip(events).collect())
}
