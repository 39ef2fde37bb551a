//! `LIVE_ORDER=newest`: a change that is older than one of its key that was sent is not sent, so that a
//! state built from the stream never goes back. The removal of an old version for good is no newer state: it
//! outdates nothing but that version (`place`).
//!
//! S3 keeps no order of notifications, and two invocations may hold two changes of a key at the same
//! time. So a key is claimed before anything of it is sent, by one conditional update that also tells how
//! far it was sent; and given back with the newest change that the queue has confirmed. Where that is
//! not known (the invocation died, or its last request was not answered) the claim is not given back:
//! it ends by itself, when nothing of it can arrive any more. Whoever finds a key held sends the
//! other keys' changes and looks again.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::Event;
use crate::failure::FailureKind;
use crate::forward::{Delivered, Undelivered, deliver};
use crate::live::place::{Intent, Place, Verdict};
use crate::live::store::{Claim, LiveStore, LiveStoreError, Return, in_time};
use crate::queue::error::SendError;
use crate::queue::message::{Message, Writer};
use crate::queue::port::Queue;
use crate::retry::{Backoff, Retry};

/// How long a claim lasts beyond its invocation: clocks differ, and a request that nobody waits for any
/// more may still arrive.
pub const GRACE: Duration = Duration::from_secs(30);

/// How long a place is kept: longer than a notification can be on its way (14 days in a queue, and a
/// function's own retries before).
pub const RETENTION: Duration = Duration::from_hours(24 * 16);

/// How long a table that fails is tried.
pub(super) const MOST_RETRY: Duration = Duration::from_secs(3);

/// Claims and returns in flight at the same time.
pub(super) const IN_FLIGHT: usize = 16;

/// Of the time that is left, what is kept for giving keys back: one part of so many.
pub(super) const PART_FOR_RETURN: u32 = 8;

/// When less than one part of so many of the time is left, no key is claimed any more.
pub(super) const PART_FOR_WAITING: u32 = 4;

/// The longest between two looks at a key that another invocation holds.
pub(super) const MOST_PAUSE: Duration = Duration::from_millis(500);

/// Code of the reason why a change was not sent whose key another invocation holds.
pub const KEY_BUSY: &str = "KeyBusy";

/// Sends what is newer than all that was sent of its key.
#[derive(Clone, Copy)]
pub struct Newest<'a> {
    /// Where to: a FIFO queue.
    pub queue: &'a dyn Queue,
    /// Makes the messages.
    pub writer: &'a Writer,
    /// How far each key has been sent.
    pub store: &'a dyn LiveStore,
    /// For claims.
    pub clock: &'a dyn Clock,
    /// The invocation: different for each, also of the same request.
    pub owner: &'a str,
    /// Between attempts.
    pub backoff: Backoff,
}

/// A change, and where it stands among those of its key.
#[derive(Debug, Clone, Copy)]
pub struct LiveChange<'a> {
    /// What happened.
    pub event: &'a Event,
    /// Its sequencer; without one (or of a server whose sequencers tell no order) it is sent as it comes.
    pub sequencer: Option<&'a str>,
}

/// A bucket and a key in it: two buckets may have the same key.
type Key<'a> = (&'a str, &'a str);

/// A key that this invocation holds.
struct Held {
    claim: Claim,
    revision: u64,
    place: Place,
    /// Its changes, by number.
    numbers: Vec<u64>,
}

impl Newest<'_> {
    /// Sends `changes`, of each key in the given order, as [`deliver`] does, but those that are
    /// [late](Delivered::late). A change whose key another invocation holds to the end, or whose place is
    /// unknown, is left over: its source must bring it again.
    pub async fn deliver(
        &self,
        changes: &[LiveChange<'_>],
        budget: Duration,
        random: &mut fastrand::Rng,
    ) -> Delivered {
        let end = Instant::now() + budget;
        let mut delivered = self.send_unordered(changes, budget, random).await;
        let mut waiting: BTreeMap<Key<'_>, Vec<u64>> = BTreeMap::new();
        for (number, change) in (0..).zip(changes) {
            if change.sequencer.is_some() {
                let key = (change.event.bucket.as_str(), change.event.key.as_str());
                waiting.entry(key).or_default().push(number);
            }
        }
        let mut rounds = 0;
        while !waiting.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left < budget / PART_FOR_WAITING {
                delivered.leave(waiting.into_values().flatten(), &LiveStoreError::Held);
                break;
            }
            let (held, busy) = self
                .claim(changes, waiting, left, random, &mut delivered)
                .await;
            self.send(changes, held, end, random, &mut delivered).await;
            // A holder that lives is done within milliseconds; one that died holds its key for longer.
            rounds += 1;
            waiting = busy;
            if !waiting.is_empty() {
                sleep(self.backoff.wait(rounds, random).min(MOST_PAUSE)).await;
            }
        }
        delivered
    }

    /// Sends what has no place in an order.
    async fn send_unordered(
        &self,
        changes: &[LiveChange<'_>],
        budget: Duration,
        random: &mut fastrand::Rng,
    ) -> Delivered {
        let messages: Vec<Message> = (0..)
            .zip(changes)
            .filter(|(_, change)| change.sequencer.is_none())
            .map(|(number, change)| self.writer.message(change.event, number))
            .collect();
        deliver(self.queue, messages, self.backoff, budget, random).await
    }

    /// Claims the keys, and answers which are held by others; what the table refuses is left over.
    async fn claim<'k>(
        &self,
        changes: &[LiveChange<'_>],
        keys: BTreeMap<Key<'k>, Vec<u64>>,
        left: Duration,
        random: &mut fastrand::Rng,
        delivered: &mut Delivered,
    ) -> (Vec<Held>, BTreeMap<Key<'k>, Vec<u64>>) {
        let now = self.clock.now();
        let (until, expires) = (now + left + GRACE, now + RETENTION);
        let claims = keys.into_iter().map(|(key, numbers)| {
            let claim = Claim {
                key: format!("{}/{}", key.0, key.1),
                owner: self.owner.to_owned(),
                intent: intent(changes, &numbers),
                until,
                expires,
            };
            let mut random = random.fork();
            let retry = self.retry(MOST_RETRY.min(left / 4));
            async move {
                let call = || in_time(self.store.claim(&claim, self.clock.now()));
                let found = retry.run(&mut random, call).await;
                (key, claim, numbers, found)
            }
        });
        let claims: Vec<_> = claims.collect();
        let mut claims = stream::iter(claims).buffer_unordered(IN_FLIGHT);
        let (mut held, mut busy) = (Vec::new(), BTreeMap::new());
        while let Some((key, claim, numbers, found)) = claims.next().await {
            match found {
                Ok(found) => held.push(Held {
                    revision: found.revision,
                    place: found.before(&claim.intent),
                    claim,
                    numbers,
                }),
                Err(LiveStoreError::Held) => {
                    busy.insert(key, numbers);
                }
                Err(error) => delivered.leave(numbers, &error),
            }
        }
        (held, busy)
    }

    /// Sends what is not late of the keys that are held, and gives them back.
    async fn send(
        &self,
        changes: &[LiveChange<'_>],
        held: Vec<Held>,
        end: Instant,
        random: &mut fastrand::Rng,
        delivered: &mut Delivered,
    ) {
        let mut goes = vec![false; changes.len()];
        let mut messages = Vec::new();
        for key in &held {
            for number in &key.numbers {
                let Some((event, sequencer)) = at(changes, *number) else {
                    continue;
                };
                if key.place.verdict(event, sequencer) == Verdict::Send {
                    goes[index(*number)] = true;
                    messages.push(self.writer.message(event, *number));
                } else {
                    delivered.late.push(*number);
                }
            }
        }
        let left = end.saturating_duration_since(Instant::now());
        let for_return = left / PART_FOR_RETURN;
        let sent = deliver(
            self.queue,
            messages,
            self.backoff,
            left.saturating_sub(for_return),
            random,
        )
        .await;
        self.give_back_all(held, changes, &goes, &sent.leftover, for_return, random)
            .await;
        delivered.sent += sent.sent;
        delivered.retried += sent.retried;
        delivered.leftover.extend(sent.leftover);
    }

    /// Gives back each key of which it is known what the queue has.
    async fn give_back_all(
        &self,
        held: Vec<Held>,
        changes: &[LiveChange<'_>],
        goes: &[bool],
        leftover: &[Undelivered],
        left: Duration,
        random: &mut fastrand::Rng,
    ) {
        let returns = held.into_iter().filter_map(|key| {
            let is_left = |number: &u64| leftover.iter().find(|left| left.number == *number);
            // Only what SQS refuses for what it holds is not in the queue for sure.
            let may_be_there =
                |number: &u64| is_left(number).is_some_and(|l| !l.refusal.is_of_the_message());
            if key.numbers.iter().any(may_be_there) {
                return None; // it ends by itself
            }
            let sent = |number: &u64| goes[index(*number)] && is_left(number).is_none();
            let sent: Vec<u64> = key.numbers.iter().copied().filter(sent).collect();
            let place = key.place.confirmed(intent(changes, &sent));
            let mut random = random.fork();
            let retry = self.retry(left);
            Some(async move {
                let done = Return {
                    key: key.claim.key,
                    owner: key.claim.owner,
                    revision: key.revision,
                    place,
                    expires: self.clock.now() + RETENTION,
                };
                let call = || async {
                    match in_time(self.store.give_back(&done)).await {
                        // So it was given back before, and that answer was lost.
                        Err(LiveStoreError::Held) => Ok(()),
                        answer => answer,
                    }
                };
                if let Err(error) = retry.run(&mut random, call).await {
                    tracing::warn!(%error, "a key was not given back; its claim ends by itself");
                }
            })
        });
        let returns: Vec<_> = returns.collect();
        stream::iter(returns)
            .for_each_concurrent(IN_FLIGHT, |done| done)
            .await;
    }

    fn retry(&self, retry_timeout: Duration) -> Retry {
        Retry {
            backoff: self.backoff,
            retry_timeout,
            stop: CancellationToken::new(),
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A change that has a place.
fn at<'a>(changes: &[LiveChange<'a>], number: u64) -> Option<(&'a Event, &'a str)> {
    let change = changes.get(index(number))?;
    Some((change.event, change.sequencer?))
}

/// To send these changes of a key.
fn intent(changes: &[LiveChange<'_>], numbers: &[u64]) -> Intent {
    Intent::of(numbers.iter().filter_map(|number| at(changes, *number)))
}

impl Delivered {
    /// These changes are left over, since their key could not be claimed.
    pub(super) fn leave(&mut self, numbers: impl IntoIterator<Item = u64>, error: &LiveStoreError) {
        let code = match error {
            LiveStoreError::Held => KEY_BUSY,
            LiveStoreError::Store { .. } => "LiveTable",
        };
        let refusal = SendError {
            kind: FailureKind::Transient,
            code: code.to_owned(),
            message: error.to_string(),
        };
        self.leave_all(numbers, &refusal);
    }
}
