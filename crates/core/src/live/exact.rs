//! `LIVE_ORDER=exact`: a notification is only a hint that a key has changed; what is sent is read from the
//! bucket, so that a key's stream is its history, whatever notifications did.
//!
//! A key is claimed before it is listed, and given back with the last version that the queue has confirmed.
//! Whoever finds it claimed marks it, and is done: the holder reads it again. A holder that did not give its
//! key back, or does not know what became of its last request, has its run sent again, whole and in order,
//! with other deduplication ids. Nobody relies on a holder that may be dead: a notification that comes again
//! waits for the key (docs/decisions/0028).
//!
//! - [`reported`]: a notification; [`version`]: one version; [`mod@read`]: those of a key, from the bucket
//! - `hints`: what was reported of a key; `claim`: keys are claimed; [`run`]: which versions are sent next; `held`: a key while it is held;
//!   `outcome`: what came of it
//! - [`go_on`]: an operator lets a stopped key go on
//! - [`store`]: the port where the places of all keys are kept

mod claim;
pub mod go_on;
mod held;
mod hints;
mod outcome;
pub mod read;
pub mod reported;
pub mod run;
pub mod store;
pub mod version;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::{Change, Event};
use crate::forward::{Delivered, deliver};
use crate::listing::dialect::Dialect;
use crate::listing::lister::Lister;
use crate::live::exact::held::Held;
use crate::live::exact::hints::Hints;
use crate::live::exact::outcome::Outcome;
use crate::live::exact::read::{ReadError, Wanted, read};
use crate::live::exact::reported::{Reported, at};
use crate::live::exact::store::KeyStore;
use crate::live::newest::{
    IN_FLIGHT, MOST_PAUSE, MOST_RETRY, PART_FOR_RETURN, PART_FOR_WAITING, RETENTION,
};
use crate::live::store::{LiveStoreError, in_time};
use crate::live::stream::Stream;
use crate::queue::message::{Message, Writer};
use crate::queue::port::Queue;
use crate::retry::{Backoff, Retry};
use crate::timestamp::Timestamp;

/// How long a key that cannot be read is tried, at most.
const MOST_READ: Duration = Duration::from_secs(10);

/// Sends the histories of the keys that notifications report.
#[derive(Clone, Copy)]
pub struct Exact<'a> {
    /// Where to: a FIFO queue, in order by key.
    pub queue: &'a dyn Queue,
    /// Makes the messages.
    pub writer: &'a Writer,
    /// What the keys are read from.
    pub bucket: &'a dyn Lister,
    /// What is known of the bucket's server.
    pub dialect: Dialect,
    /// How far each key has been sent.
    pub store: &'a dyn KeyStore,
    /// What holds for all keys, as it was read in this invocation.
    pub stream: &'a Stream,
    /// For claims.
    pub clock: &'a dyn Clock,
    /// The request: the same when it is made again.
    pub request: &'a str,
    /// The invocation: different for each, also of the same request.
    pub owner: u32,
    /// Between attempts.
    pub backoff: Backoff,
}

/// What is left to do of each key. All changes are of one bucket.
type Waiting<'k> = BTreeMap<&'k str, Hints>;

impl Exact<'_> {
    /// Sends what is new of the keys of `changes`, which are of one bucket. Numbers of what comes of it are
    /// indices of `changes`; what is left over, its source must bring again.
    pub async fn deliver(
        &self,
        changes: &[Reported<'_>],
        budget: Duration,
        random: &mut fastrand::Rng,
    ) -> Delivered {
        let end = Instant::now() + budget;
        let (before, waiting) = self.sort(changes);
        let delivered = deliver(self.queue, before, self.backoff, budget, random).await;
        self.deliver_keys(changes, waiting, (budget, end), random, delivered)
            .await
    }

    /// Adds to `delivered` what comes of the keys that are waiting.
    async fn deliver_keys<'k>(
        &self,
        changes: &[Reported<'k>],
        mut waiting: Waiting<'k>,
        (budget, end): (Duration, Instant),
        random: &mut fastrand::Rng,
        mut delivered: Delivered,
    ) -> Delivered {
        let mut rounds = 0;
        while !waiting.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left < budget / PART_FOR_WAITING {
                for hints in waiting.into_values() {
                    delivered.leave(hints.numbers(), &LiveStoreError::Held);
                }
                break;
            }
            let (held, busy) = self
                .claim(changes, waiting, (rounds, left), random, &mut delivered)
                .await;
            waiting = self.work(changes, held, end, random, &mut delivered).await;
            rounds += 1;
            if !busy.is_empty() {
                waiting.extend(busy);
                sleep(self.backoff.wait(rounds, random).min(MOST_PAUSE)).await;
            }
        }
        delivered
    }

    /// Messages of changes from before the stream began, which are sent as they come; and the keys of the
    /// others.
    fn sort<'k>(&self, changes: &[Reported<'k>]) -> (Vec<Message>, Waiting<'k>) {
        let mut before = Vec::new();
        let mut waiting = Waiting::new();
        for (number, change) in (0..).zip(changes) {
            let event = change.event;
            let is_deletion = event.change() == Some(Change::Deleted);
            if self.is_before(event) && !self.is_planned(event) && !is_deletion {
                before.push(self.writer.message(event, number));
                continue;
            }
            let hints: &mut Hints = waiting.entry(event.key.as_str()).or_default();
            if is_deletion {
                hints.deletions.push(number);
            } else {
                hints.arrivals.push(number);
                hints.is_repeated |= change.is_repeated;
                hints
                    .dated_back
                    .extend(change.is_dated_back().then_some(number));
            }
        }
        (before, waiting)
    }

    /// Whether it happened before the stream began.
    fn is_before(&self, event: &Event) -> bool {
        let is_before = |boundary| event.event_time < boundary;
        self.stream.boundary.is_some_and(is_before) && !self.stream.plan_may_lack(event)
    }

    /// Whether a job has sent it.
    fn is_planned(&self, event: &Event) -> bool {
        (self.stream.planned_until(event)).is_some_and(|until| event.event_time < until)
    }

    /// From when on a key of which nothing is known is sent. What is older than an item lasts has been sent,
    /// or the item would be there.
    fn boundary(&self) -> Timestamp {
        let forgotten = self.clock.now() - RETENTION;
        (self.stream.boundary).map_or(forgotten, |boundary| boundary.max(forgotten))
    }

    /// Reads and sends the keys that are held, and gives them back. Answers what is left to do.
    async fn work<'k>(
        &self,
        changes: &[Reported<'_>],
        held: Vec<Held<'k>>,
        end: Instant,
        random: &mut fastrand::Rng,
        delivered: &mut Delivered,
    ) -> Waiting<'k> {
        let mut held = self.read_all(changes, held, end, random, delivered).await;
        let mut messages = Vec::new();
        for key in &mut held {
            let notified: Vec<&Event> = key
                .hints
                .arrivals
                .iter()
                .filter_map(|number| at(changes, *number))
                .filter(|event| !self.is_before(event))
                .collect();
            key.plan(self.boundary(), self.stream, &notified);
        }
        let mut held = self.note_all(held, end, random).await;
        for key in &mut held {
            key.write(changes, self.writer, &mut messages);
        }
        let left = end.saturating_duration_since(Instant::now());
        let for_return = left / PART_FOR_RETURN;
        let for_sending = left.saturating_sub(for_return);
        let sent = deliver(self.queue, messages, self.backoff, for_sending, random).await;
        delivered.retried += sent.retried;
        let returns = held.into_iter().map(|key| {
            let outcome = key.outcome(&sent.leftover, self.stream.generation);
            self.give_back(key, outcome, for_return, random.fork())
        });
        let returns: Vec<_> = returns.collect();
        let mut returns = stream::iter(returns).buffer_unordered(IN_FLIGHT);
        let mut waiting = Waiting::new();
        while let Some((key, outcome, answer)) = returns.next().await {
            if let Some(hints) = key.settle(changes, outcome, &answer, delivered) {
                waiting.insert(key.name, hints);
            }
        }
        waiting
    }

    /// Reads the keys, but those that are stopped. One that cannot be read goes on without versions.
    async fn read_all<'k>(
        &self,
        changes: &[Reported<'_>],
        held: Vec<Held<'k>>,
        end: Instant,
        random: &mut fastrand::Rng,
        delivered: &mut Delivered,
    ) -> Vec<Held<'k>> {
        let left = end.saturating_duration_since(Instant::now());
        let reads = held.into_iter().map(|mut key| {
            let mut random = random.fork();
            let retry = self.retry(MOST_READ.min(left / 4));
            async move {
                if key.state.stopped.is_some() {
                    return (key, 0);
                }
                let requests = AtomicU64::new(0);
                let ids = key.hints.dated_back.iter();
                let ids = ids.filter_map(|number| at(changes, *number));
                let ids: Vec<&str> = ids.map(|event| event.version_id.as_str()).collect();
                let wanted = Wanted {
                    sent: key.sent(self.stream.generation),
                    since: self.boundary() - RETENTION,
                    ids: &ids,
                    begun: key.state.begun.first(),
                    dialect: self.dialect,
                };
                let (bucket, name) = (self.bucket, key.name);
                let call = || read(bucket, name, wanted, &requests);
                // The other keys of the batch have to be sent, too.
                let listed = timeout(left / 2, retry.run(&mut random, call)).await;
                let read = requests.into_inner();
                key.take(listed.unwrap_or(Err(ReadError::Long(read))));
                (key, read)
            }
        });
        let reads: Vec<_> = reads.collect();
        let mut reads = stream::iter(reads).buffer_unordered(IN_FLIGHT);
        let mut read = Vec::new();
        while let Some((key, requests)) = reads.next().await {
            delivered.listings += requests;
            read.push(key);
        }
        read
    }

    /// Stores where runs begin that nobody else could tell.
    async fn note_all<'k>(
        &self,
        held: Vec<Held<'k>>,
        end: Instant,
        random: &mut fastrand::Rng,
    ) -> Vec<Held<'k>> {
        let left = end.saturating_duration_since(Instant::now());
        let notes = held.into_iter().map(|mut key| {
            let note = key.note(self.stream.generation, self.clock.now() + RETENTION);
            let mut random = random.fork();
            let retry = self.retry(MOST_RETRY.min(left / 4));
            async move {
                if let Some(note) = note {
                    // One that was not answered may have removed a mark.
                    let is_unclear = AtomicBool::new(false);
                    let call = || async {
                        let answer = in_time(self.store.give_back(&note)).await;
                        let may_be_marked = is_unclear.swap(answer.is_err(), Relaxed);
                        answer.map(|is_marked| is_marked || may_be_marked)
                    };
                    key.noted(retry.run(&mut random, call).await);
                }
                key
            }
        });
        let notes: Vec<_> = notes.collect();
        stream::iter(notes)
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await
    }

    /// Stores what is known of a key now, and ends its claim if nothing of it can arrive any more.
    async fn give_back<'k>(
        &self,
        key: Held<'k>,
        outcome: Outcome,
        left: Duration,
        mut random: fastrand::Rng,
    ) -> (Held<'k>, Outcome, Result<bool, LiveStoreError>) {
        let done = key.return_of(&outcome, self.clock.now() + RETENTION);
        let call = || in_time(self.store.give_back(&done));
        let answer = self.retry(left).run(&mut random, call).await;
        if done.state.stopped.is_some() {
            // The next change that finds the key stopped notes it again.
            let noted = in_time(self.store.add_stopped(&done.key)).await;
            if let Err(error) = noted {
                tracing::warn!(%error, "that a key is stopped is not noted yet");
            }
        }
        (key, outcome, answer)
    }

    fn retry(&self, retry_timeout: Duration) -> Retry {
        Retry {
            backoff: self.backoff,
            retry_timeout,
            stop: CancellationToken::new(),
        }
    }
}
