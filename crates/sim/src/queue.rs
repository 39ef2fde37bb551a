//! A queue in memory that keeps SQS's rules, and notes where its callers break one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::Clock;
use bridge_core::failure::FailureKind;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::ordering::Mode;
use bridge_core::queue::port::{EntryResult, MAX_ENTRIES, MAX_REQUEST_BYTES, Queue};
use bridge_core::timestamp::Timestamp;
use serde_json::Value;
use tokio::time::sleep;

use crate::consumer::sequences_of;
use crate::faults::{Faults, Strike};

/// SQS forgets deduplication ids after five minutes.
const DEDUPLICATION: Duration = Duration::from_mins(5);

/// The longest that a request may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether SQS takes this character in a message.
///
/// Source: Amazon SQS API Reference, "`SendMessage`".
#[must_use]
pub fn is_allowed(c: char) -> bool {
    matches!(u32::from(c), 0x9 | 0xA | 0xD | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x1_0000..=0x10_FFFF)
}

/// What callers have promised.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Strict: one message of a group in flight.
    pub mode: Mode,
    /// How many sequences the fastest lane may be ahead of the slowest.
    pub window: u64,
    /// The queue's `MaximumMessageSize`.
    pub max_message_bytes: usize,
}

/// What has happened.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Messages in the order they were taken, duplicates dropped, with the time of each.
    pub messages: Vec<(Timestamp, Message)>,
    /// Messages that the consumer has read and deleted.
    pub consumed: usize,
    /// Sequences of events that it refuses for good, with all that shares their message.
    pub refused: BTreeSet<u64>,
    /// Records of events that were parked.
    pub parked: Vec<Value>,
    /// Broken rules; a test fails when there is one.
    pub violations: Vec<String>,
    seen: HashMap<String, Timestamp>,
    in_flight_groups: HashSet<String>,
    /// Requests in flight by the segment that sent them.
    at_work: HashMap<u64, usize>,
    /// All sequences up to it have arrived.
    gapless: u64,
    beyond: BTreeSet<u64>,
}

/// A queue.
pub struct SimQueue {
    arrived: Mutex<Arrived>,
    faults: Arc<Faults>,
    clock: Arc<dyn Clock>,
    rules: Rules,
    pub(crate) segments: AtomicU64,
}

impl SimQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(faults: Arc<Faults>, clock: Arc<dyn Clock>, rules: Rules) -> Self {
        Self {
            arrived: Mutex::default(),
            faults,
            clock,
            rules,
            segments: AtomicU64::new(0),
        }
    }

    /// What has happened so far.
    pub fn arrived(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// A segment begins a request.
    pub(crate) fn begin_of(&self, segment: u64) {
        let mut arrived = self.arrived();
        *arrived.at_work.entry(segment).or_default() += 1;
        if arrived.at_work.len() > 1 {
            let at_work: Vec<_> = arrived.at_work.keys().collect();
            let text = format!("two segments at work at once: {at_work:?}");
            arrived.violate(text);
        }
    }

    /// A segment's request ends.
    pub(crate) fn end_of(&self, segment: u64) {
        let mut arrived = self.arrived();
        if let Some(requests) = arrived.at_work.get_mut(&segment) {
            *requests -= 1;
            if *requests == 0 {
                arrived.at_work.remove(&segment);
            }
        }
    }

    /// Keeps a record of an event that was parked.
    pub(crate) fn park(&self, record: Value) {
        let mut arrived = self.arrived();
        arrived.reach(record["sequence"].as_u64());
        arrived.parked.push(record);
    }

    fn begin(&self, segment: u64, messages: &[Message]) {
        let bytes: usize = messages.iter().map(Message::bytes).sum();
        self.begin_of(segment);
        let mut arrived = self.arrived();
        if messages.is_empty() || messages.len() > MAX_ENTRIES || bytes > MAX_REQUEST_BYTES {
            let text = format!("{} entries, {bytes} bytes in a request", messages.len());
            arrived.violate(text);
        }
        for message in messages {
            if message.bytes() > self.rules.max_message_bytes {
                arrived.violate(format!("a message of {} bytes", message.bytes()));
            }
            let last = sequences_of(message).last().copied().unwrap_or(0);
            if last > arrived.gapless + self.rules.window {
                let text = format!("sequence {last} sent, but only {} arrived", arrived.gapless);
                arrived.violate(text);
            }
            let Some(group) = message.group.clone() else {
                continue;
            };
            let is_new = arrived.in_flight_groups.insert(group.clone());
            if !is_new && self.rules.mode == Mode::Strict {
                arrived.violate(format!("two requests or entries of group {group} at once"));
            }
        }
    }

    fn end(&self, segment: u64, messages: &[Message]) {
        let mut arrived = self.arrived();
        for group in messages.iter().filter_map(|m| m.group.as_ref()) {
            arrived.in_flight_groups.remove(group);
        }
        drop(arrived);
        self.end_of(segment);
    }

    fn take(&self, message: &Message) {
        let now = self.clock.now();
        let mut arrived = self.arrived();
        if arrived.refuses(message) {
            return;
        }
        if let Some(id) = message.id_of_attempt() {
            let seen = arrived.seen.get(id.as_ref());
            if seen.is_some_and(|at| now < *at + DEDUPLICATION) {
                return;
            }
            arrived.seen.insert(id.into_owned(), now);
        }
        arrived.reach(sequences_of(message));
        arrived.messages.push((now, message.clone()));
    }
}

impl Arrived {
    /// These have arrived, or were parked.
    fn reach(&mut self, sequences: impl IntoIterator<Item = u64>) {
        let gapless = self.gapless;
        let news = sequences.into_iter().filter(|s| *s > gapless);
        self.beyond.extend(news);
        while self.beyond.first() == Some(&(self.gapless + 1)) {
            self.beyond.pop_first();
            self.gapless += 1;
        }
    }

    /// Whether one of its events is refused for good.
    fn refuses(&self, message: &Message) -> bool {
        let mut sequences = sequences_of(message).into_iter();
        sequences.any(|sequence| self.refused.contains(&sequence))
    }

    fn violate(&mut self, text: String) {
        // The first ones tell enough.
        if self.violations.len() < 10 {
            self.violations.push(text);
        }
    }
}

/// The queue as one segment sees it.
pub(crate) struct OfSegment {
    pub(crate) queue: Arc<SimQueue>,
    pub(crate) segment: u64,
}

/// Ends a request, also when its caller abandons it.
struct InFlight<'a>(&'a OfSegment, &'a [Message]);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.queue.end(self.0.segment, self.1);
    }
}

#[async_trait]
impl Queue for OfSegment {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let queue = &self.queue;
        queue.begin(self.segment, messages);
        let _in_flight = InFlight(self, messages);
        // One message that is too long fails the whole request.
        let limit = queue.rules.max_message_bytes;
        if messages.iter().any(|message| message.bytes() > limit) {
            return Err(SendError {
                kind: FailureKind::Permanent,
                code: "InvalidParameterValue".to_owned(),
                message: format!("the queue takes {limit} bytes"),
            });
        }
        let whole = queue.faults.strike().await;
        match whole {
            Strike::Before | Strike::Throttled => return Err(refusal(whole)),
            Strike::Late => {
                let (queue, messages) = (Arc::clone(queue), messages.to_vec());
                let wait = Duration::from_millis(queue.faults.below(20_000));
                tokio::spawn(async move {
                    sleep(wait).await;
                    for message in &messages {
                        queue.take(message);
                    }
                });
                return Err(refusal(whole));
            }
            Strike::None | Strike::After => {}
        }
        let is_refused = |message: &Message| queue.arrived().refuses(message);
        // As SQS does of lengths, at times: the whole request for one of its messages.
        if messages.iter().any(is_refused) && queue.faults.below(2) == 0 {
            return Err(SendError {
                kind: FailureKind::Permanent,
                code: "InvalidParameterValue".to_owned(),
                message:
                    "One or more parameters are invalid. Reason: Message must be shorter than \
                          it is."
                        .to_owned(),
            });
        }
        let mut results = Vec::with_capacity(messages.len());
        for message in messages {
            let strike = queue.faults.strike_entry();
            let values = message.attributes.iter().map(|(_, value)| value);
            if is_refused(message)
                || !values
                    .chain([&message.body])
                    .all(|text| text.chars().all(is_allowed))
            {
                results.push(Err(SendError {
                    kind: FailureKind::Permanent,
                    code: "InvalidMessageContents".to_owned(),
                    message: "a character that SQS does not take".to_owned(),
                }));
            } else if strike == Strike::None {
                queue.take(message);
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

    async fn depth(&self) -> Result<u64, SendError> {
        let arrived = self.queue.arrived();
        Ok((arrived.messages.len() - arrived.consumed) as u64)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        match self.queue.faults.strike().await {
            Strike::None => Ok(self.queue.rules.max_message_bytes),
            strike => Err(refusal(strike)),
        }
    }

    fn request_timeout(&self) -> Duration {
        REQUEST_TIMEOUT
    }
}

pub(crate) fn refusal(strike: Strike) -> SendError {
    SendError {
        kind: strike.kind(),
        code: "Simulated".to_owned(),
        message: format!("{strike:?}"),
    }
}
