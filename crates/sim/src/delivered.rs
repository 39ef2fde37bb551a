//! Checks what arrived at the queue.

use std::collections::{HashMap, HashSet};

use bridge_core::event::Event;

use crate::bucket::Bucket;
use crate::consumer::{events_of, sequences_of};
use crate::world::{BEGIN, World};

/// Compares what arrived with the history itself.
///
/// A consumer that keeps, by key, the next sequence it has not seen must get every event of the
/// history in order, but those that the queue refuses for good: repetitions and (batched) rewinds it
/// can tell by the sequence.
/// `strictly_once`: nothing came twice, and nothing out of order at all.
///
/// # Errors
/// What is wrong.
pub fn check(world: &World, bucket: &Bucket, strictly_once: bool) -> Result<(), String> {
    let arrived = world.queue.arrived();
    if let Some(violation) = arrived.violations.first() {
        return Err(violation.clone());
    }
    let mut of_key: HashMap<&str, Vec<u64>> = HashMap::new();
    let history = bucket.history();
    for (sequence, (position, _)) in (1..).zip(&history) {
        if arrived.refused.contains(&sequence) {
            continue;
        }
        of_key.entry(&position.key).or_default().push(sequence);
    }
    let is_strict = world.is_strict();
    let mut next_of_key: HashMap<String, usize> = HashMap::new();
    let mut events: HashMap<u64, Event> = HashMap::new();
    for (_, message) in &arrived.messages {
        for (sequence, event) in events_of(message)? {
            let expected = of_key
                .get(event.key.as_str())
                .map_or(&[][..], Vec::as_slice);
            let next = next_of_key.entry(event.key.clone()).or_default();
            match expected.iter().position(|s| *s == sequence) {
                None => return Err(format!("{} is not told by {sequence}", event.key)),
                Some(index) if index == *next => *next += 1,
                Some(index) if index > *next && is_strict => {
                    return Err(format!("{} has a gap before {sequence}", event.key));
                }
                Some(_) if strictly_once => return Err(format!("{sequence} came twice")),
                Some(_) => {}
            }
            let changed = events.insert(sequence, event.clone());
            if changed.is_some_and(|before| before != event) {
                return Err(format!("{sequence} tells two different events"));
            }
        }
    }
    for (key, expected) in &of_key {
        let got = next_of_key.get(*key).copied().unwrap_or(0);
        if got != expected.len() {
            return Err(format!("{key}: {got} of {} in order", expected.len()));
        }
    }
    for (sequence, (position, version)) in (1..).zip(&history) {
        if arrived.refused.contains(&sequence) {
            continue;
        }
        let event = &events[&sequence];
        let is_removed = event.event_name.starts_with("ObjectRemoved");
        // A native notification does not say which is the latest.
        let is_latest = event.is_latest.unwrap_or(version.is_latest);
        if (&event.key, &event.version_id, is_removed, is_latest)
            != (
                &position.key,
                &version.version_id,
                version.is_delete_marker,
                version.is_latest,
            )
        {
            return Err(format!(
                "{sequence} should tell {position:?}, tells {event:?}"
            ));
        }
    }
    Ok(())
}

/// At no time more has arrived than `rate`, events a second, allows until then.
///
/// # Errors
/// When more had.
pub fn check_rate(world: &World, rate: u64) -> Result<(), String> {
    let rate = i64::try_from(rate).unwrap_or(i64::MAX);
    let mut seen = HashSet::new();
    for (at, message) in &world.queue.arrived().messages {
        seen.extend(sequences_of(message));
        let events = i64::try_from(seen.len()).unwrap_or(i64::MAX);
        let may = rate * (at.0 - BEGIN.0 + 50) / 1000 + 1;
        if events > may {
            return Err(format!(
                "{events} events by {at}, at {rate}/s these are {may}"
            ));
        }
    }
    Ok(())
}
