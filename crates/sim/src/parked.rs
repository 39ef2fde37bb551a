//! Checks what jobs parked.

use std::collections::BTreeSet;

use bridge_core::event::{Event, key_group};
use bridge_history::job::phase::Phase;
use bridge_history::job::state::Job;

use crate::bucket::Bucket;
use crate::world::World;

/// Checks what a finished job parked: these sequences of the history, each at least once and by its
/// right name, and no other.
///
/// # Errors
/// What is wrong.
pub fn check(
    world: &World,
    bucket: &Bucket,
    job: &Job,
    undeliverable: &BTreeSet<u64>,
) -> Result<(), String> {
    let history = bucket.history();
    let mut parked = BTreeSet::new();
    for record in &world.queue.arrived().parked {
        let sequence = record["sequence"].as_u64().unwrap_or_default();
        let of_history = usize::try_from(sequence).unwrap_or(0).checked_sub(1);
        let (position, version) = of_history
            .and_then(|index| history.get(index))
            .ok_or_else(|| format!("parked, but not of the history: {record}"))?;
        let name = [&record["kind"], &record["jobId"], &record["keyDigest"]];
        if name != ["parked", job.job_id.as_str(), &key_group(&position.key)] {
            return Err(format!("parked under a wrong name: {record}"));
        }
        if record["form"] == "whole" {
            let event: Event = serde_json::from_value(record["event"].clone())
                .map_err(|e| format!("parked, but unreadable: {e}: {record}"))?;
            if (&event.key, &event.version_id, event.sequence)
                != (&position.key, &version.version_id, Some(sequence))
            {
                return Err(format!("parked as another event: {record}"));
            }
        }
        parked.insert(sequence);
    }
    if parked != *undeliverable {
        return Err(format!("parked are {parked:?}, not {undeliverable:?}"));
    }
    if job.counts.parked != undeliverable.len() as u64 {
        return Err(format!(
            "{} are counted as parked, {} are",
            job.counts.parked,
            undeliverable.len()
        ));
    }
    Ok(())
}

/// Checks a job that is to stop at what the queue refuses: it has failed, names an event that is refused,
/// of its order the first, and parked nothing. `is_one_order`: there is no other order beside it.
///
/// # Errors
/// What is wrong.
pub fn check_stop(world: &World, bucket: &Bucket, is_one_order: bool) -> Result<(), String> {
    let job = world.jobs.jobs().values().next().cloned();
    let job = job.ok_or("there is no job")?;
    let reason = job.last_error.as_deref().unwrap_or_default();
    let wrong = |why: &str| Err(format!("the job is {}: {why}: {reason}", job.phase));
    if job.phase != Phase::Failed || !reason.contains(r#""onUndeliverable":"park""#) {
        return wrong("it should have failed at an undeliverable event");
    }
    let history = bucket.history();
    let key_of = |sequence: u64| {
        let index = usize::try_from(sequence).unwrap_or(0).checked_sub(1)?;
        history.get(index).map(|(position, _)| &position.key)
    };
    let arrived = world.queue.arrived();
    let named = reason.split_once("event ").and_then(|(_, rest)| {
        let number = rest.split(' ').next()?;
        number.parse::<u64>().ok()
    });
    let Some(named) = named.filter(|named| arrived.refused.contains(named)) else {
        return wrong("it names no undeliverable event");
    };
    let before = arrived.refused.iter().take_while(|s| **s < named);
    let mut of_order = before.filter(|s| is_one_order || key_of(**s) == key_of(named));
    if job.checkpoint.sequence >= named || of_order.next().is_some() {
        return wrong("it should have failed before");
    }
    if !arrived.parked.is_empty() {
        return wrong("it parked");
    }
    Ok(())
}
