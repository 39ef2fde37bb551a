//! A failure queue in memory, in which jobs park what their queue refuses for good.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::delivery::{EntryResult, Message, Queue, Refusal, RefusalKind};
use bridge_core::event::{Event, key_group};
use bridge_core::job::{Job, Phase};
use serde_json::Value;
use tokio::time::sleep;

use crate::bucket::Bucket;
use crate::faults::Strike;
use crate::queue::{REQUEST_TIMEOUT, SimQueue, refusal};
use crate::world::World;

/// The longest record that it takes, bytes.
const LONGEST: usize = 65_536;

/// The failure queue as one segment sees it. It too refuses some of what it is given for good: of every
/// third event the whole, of every third all but the least.
pub struct OfParking {
    /// Whose events are parked.
    pub queue: Arc<SimQueue>,
    /// The segment.
    pub segment: u64,
}

/// Ends a request, also when its caller gives up on it.
struct InFlight<'a>(&'a OfParking);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.queue.end_of(self.0.segment);
    }
}

#[async_trait]
impl Queue for OfParking {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
        self.queue.begin_of(self.segment);
        let _in_flight = InFlight(self);
        let strike = self.queue.faults().strike().await;
        if matches!(strike, Strike::Before | Strike::Throttled) {
            return Err(refusal(strike));
        }
        let mut results = Vec::new();
        for message in messages {
            let body = &message.body;
            let is_plain = body.len() <= LONGEST && body.chars().all(|c| matches!(c, ' '..='~'));
            let record: Value = serde_json::from_str(body).unwrap_or_default();
            let form = record["form"].as_str().unwrap_or_default();
            let refuses = match record["sequence"].as_u64().unwrap_or_default() % 3 {
                0 => false,
                1 => form == "whole",
                _ => form != "least",
            };
            if !is_plain || refuses {
                results.push(Err(Refusal {
                    kind: RefusalKind::Rejected,
                    code: "InvalidMessageContents".to_owned(),
                    message: String::new(),
                }));
                continue;
            }
            results.push(Ok(()));
            if strike == Strike::Late {
                let queue = Arc::clone(&self.queue);
                let wait = Duration::from_millis(queue.faults().below(20_000));
                tokio::spawn(async move {
                    sleep(wait).await;
                    queue.park(record);
                });
            } else {
                self.queue.park(record);
            }
        }
        if strike == Strike::None {
            return Ok(results);
        }
        Err(refusal(strike))
    }

    async fn depth(&self) -> Result<u64, Refusal> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, Refusal> {
        Ok(LONGEST)
    }

    fn request_timeout(&self) -> Duration {
        REQUEST_TIMEOUT
    }
}

/// Judges what a finished job parked: these sequences of the history, each at least once and by its
/// right name, and no other.
///
/// # Errors
/// What is wrong.
pub fn judge(
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
        let told = [&record["kind"], &record["jobId"], &record["keyDigest"]];
        if told != ["parked", job.job_id.as_str(), &key_group(&position.key)] {
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

/// Judges a job that is to stop at what the queue refuses: it has failed, names an event that is refused,
/// of its order the first, and parked nothing. `is_one_order`: there is no other order beside it.
///
/// # Errors
/// What is wrong.
pub fn judge_stop(world: &World, bucket: &Bucket, is_one_order: bool) -> Result<(), String> {
    let job = world.jobs.jobs().values().next().cloned();
    let job = job.ok_or("there is no job")?;
    let told = job.last_error.as_deref().unwrap_or_default();
    let wrong = |why: &str| Err(format!("the job is {}: {why}: {told}", job.phase));
    if job.phase != Phase::Failed || !told.contains(r#""onUndeliverable":"park""#) {
        return wrong("it should have failed at an undeliverable event");
    }
    let history = bucket.history();
    let key_of = |sequence: u64| {
        let index = usize::try_from(sequence).unwrap_or(0).checked_sub(1)?;
        history.get(index).map(|(position, _)| &position.key)
    };
    let arrived = world.queue.arrived();
    let named = told.split_once("event ").and_then(|(_, rest)| {
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
