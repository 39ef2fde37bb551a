//! What messages tell, read as a consumer reads them.

use bridge_core::delivery::Message;
use bridge_core::event::Event;
use bridge_core::notification;
use serde_json::Value;

/// The sequences of a message's events, in order: of the attribute, or of the event itself.
#[must_use]
pub fn sequences_of(message: &Message) -> Vec<u64> {
    let attribute = message
        .attributes
        .iter()
        .find(|(name, _)| *name == "sequence");
    if let Some((_, ranges)) = attribute {
        return ranges
            .split(',')
            .filter_map(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                Some(first.parse::<u64>().ok()?..=last.parse().ok()?)
            })
            .flatten()
            .collect();
    }
    serde_json::from_str::<Event>(&message.body)
        .ok()
        .and_then(|event| event.sequence)
        .into_iter()
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
