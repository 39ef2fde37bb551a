//! A queue in memory that keeps SQS's rules and refuses what SQS refuses.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::Clock;
use bridge_core::delivery::{
    EntryResult, MAX_ENTRIES, MAX_REQUEST_BYTES, Message, Queue, Refusal, RefusalKind,
};
use bridge_core::job::Queues;
use bridge_core::time::Millis;

use crate::faults::{Faults, Strike};

/// SQS forgets deduplication ids after five minutes.
const DEDUPLICATION_MS: i64 = 5 * 60 * 1000;

/// What has happened.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Messages in the order they were taken, duplicates dropped.
    pub messages: Vec<Message>,
    /// Broken rules; a test fails when there is one.
    pub violations: Vec<String>,
    seen: HashMap<String, Millis>,
    in_flight_groups: HashSet<String>,
}

/// A FIFO queue.
pub struct SimQueue {
    arrived: Mutex<Arrived>,
    faults: Arc<Faults>,
    clock: Arc<dyn Clock>,
}

impl SimQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(faults: Arc<Faults>, clock: Arc<dyn Clock>) -> Self {
        Self {
            arrived: Mutex::default(),
            faults,
            clock,
        }
    }

    /// What has happened so far.
    pub fn arrived(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, messages: &[Message]) {
        let bytes: usize = messages.iter().map(Message::bytes).sum();
        let mut arrived = self.arrived();
        if messages.is_empty() || messages.len() > MAX_ENTRIES || bytes > MAX_REQUEST_BYTES {
            let text = format!("{} entries, {bytes} bytes in a request", messages.len());
            arrived.violations.push(text);
        }
        for message in messages {
            let group = message.group.clone().unwrap_or_default();
            if !arrived.in_flight_groups.insert(group.clone()) {
                arrived
                    .violations
                    .push(format!("two requests or entries of group {group} at once"));
            }
        }
    }

    fn take(&self, message: &Message) {
        let now = self.clock.now();
        let mut arrived = self.arrived();
        let id = message.id_of_attempt().map_or_else(String::new, Into::into);
        let repeated = arrived
            .seen
            .get(&id)
            .is_some_and(|at| now < at.plus(DEDUPLICATION_MS));
        if !repeated {
            arrived.seen.insert(id, now);
            arrived.messages.push(message.clone());
        }
    }
}

/// Frees the groups of a request when it ends, also when its caller gives up on it.
struct InFlight<'a>(&'a SimQueue, &'a [Message]);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut arrived = self.0.arrived();
        for message in self.1 {
            let group = message.group.clone().unwrap_or_default();
            arrived.in_flight_groups.remove(&group);
        }
    }
}

#[async_trait]
impl Queue for SimQueue {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
        self.check(messages);
        let _in_flight = InFlight(self, messages);
        let whole = self.faults.strike().await;
        if matches!(whole, Strike::Before | Strike::Throttled) {
            return Err(refusal(whole));
        }
        let mut results = Vec::with_capacity(messages.len());
        for message in messages {
            let strike = self.faults.strike().await;
            if strike == Strike::None {
                self.take(message);
                results.push(Ok(()));
            } else {
                results.push(Err(refusal(strike)));
            }
        }
        if whole == Strike::After {
            return Err(refusal(whole));
        }
        Ok(results)
    }

    async fn depth(&self) -> Result<u64, Refusal> {
        Ok(self.arrived().messages.len() as u64)
    }

    async fn max_message_bytes(&self) -> Result<usize, Refusal> {
        match self.faults.strike().await {
            Strike::None => Ok(256 * 1024),
            strike => Err(refusal(strike)),
        }
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(5)
    }
}

fn refusal(strike: Strike) -> Refusal {
    Refusal {
        kind: if strike == Strike::Throttled {
            RefusalKind::Throttled
        } else {
            RefusalKind::Unavailable
        },
        code: "Simulated".to_owned(),
        message: format!("{strike:?}"),
    }
}

/// One queue, whatever the URL.
pub struct OneQueue(pub Arc<SimQueue>);

impl Queues for OneQueue {
    fn open(&self, _url: &str) -> Arc<dyn Queue> {
        Arc::clone(&self.0) as Arc<dyn Queue>
    }
}
