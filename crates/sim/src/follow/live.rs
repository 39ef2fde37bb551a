//! Invocations of realtime, as the function works: look whether the stream is held, leave out what the history
//! had, send the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bridge_core::clock::Clock;
use bridge_core::event::by_sequencer;
use bridge_core::format::Format;
use bridge_core::forward::{Delivered, deliver};
use bridge_core::listing::dialect::Dialect;
use bridge_core::live::exact::Exact;
use bridge_core::live::exact::reported::Reported;
use bridge_core::live::hold::look;
use bridge_core::live::newest::{LiveChange, Newest};
use bridge_core::live::stream::{LiveOrder, Stream};
use bridge_core::queue::message::Writer;
use bridge_core::queue::ordering::Order;
use bridge_core::retry::Backoff;
use bridge_core::timestamp::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::follow::buffer::{Buffer, Waiting};
use crate::follow::growing::{Growing, Listed};
use crate::follow::mapping::SimMapping;
use crate::live::{SimKeys, SimLive};
use crate::queue::{OfSegment, SimQueue};
use crate::stream::SimStream;
use crate::world::SimClock;

/// Kept back from an invocation's time for the answer.
const MARGIN: Duration = Duration::from_millis(500);

/// No segment of a job.
const LIVE: u64 = u64::MAX;

/// Invocations at the same time, at most.
const CONCURRENCY: usize = 4;

/// Messages of an invocation, at most.
const BATCH: usize = 10;

/// How often the buffer is looked at.
const POLL: Duration = Duration::from_secs(2);

/// How far a machine's clock is off, at most, either way.
const MOST_OFF_MS: i64 = 2_000;

/// The function and what it touches.
#[derive(Clone)]
pub(super) struct Realtime {
    pub(super) buffer: Arc<Buffer>,
    pub(super) mapping: Arc<SimMapping>,
    pub(super) stream: SimStream,
    pub(super) live: SimLive,
    pub(super) keys: SimKeys,
    pub(super) bucket: Arc<Growing>,
    pub(super) queue: Arc<SimQueue>,
    pub(super) clock: SimClock,
    /// As what changes are sent.
    pub(super) order: LiveOrder,
    /// As what they are sent until something is held: then another order is deployed.
    pub(super) first_order: LiveOrder,
    pub(super) is_switched: Arc<AtomicBool>,
    pub(super) timeout: Duration,
    pub(super) killed_of_ten: u64,
    pub(super) frozen_of_ten: u64,
}

/// A machine's own clock.
struct Off(SimClock, i64);

impl Clock for Off {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.now().0 + self.1)
    }
}

impl Realtime {
    /// Hands out what waits, for ever.
    pub(super) async fn run(&self, mut random: fastrand::Rng) {
        let mut invocations = JoinSet::new();
        let mut number = 0u64;
        loop {
            sleep(POLL).await;
            while invocations.try_join_next().is_some() {}
            if self.stream.now().hold.is_some() {
                self.is_switched.store(true, Ordering::Relaxed);
            }
            // Two that send what comes would meet in a group.
            let most = match self.order_now() {
                LiveOrder::Notified => 1,
                LiveOrder::Newest | LiveOrder::Exact => CONCURRENCY,
            };
            while invocations.len() < most && self.mapping.hands_out() {
                let taken = self.buffer.receive(BATCH, &mut random);
                if taken.is_empty() {
                    break;
                }
                number += 1;
                invocations.spawn(self.clone().invocation(taken, number, random.fork()));
            }
        }
    }

    /// As what an invocation sends that begins now.
    pub(super) fn order_now(&self) -> LiveOrder {
        if self.is_switched.load(Ordering::Relaxed) {
            self.order
        } else {
            self.first_order
        }
    }

    /// One invocation: what it does not get done comes again.
    async fn invocation(self, taken: Vec<Waiting>, number: u64, mut random: fastrand::Rng) {
        let is_killed = random.u64(0..10) < self.killed_of_ten;
        let lives = if is_killed {
            self.timeout.mul_f64(random.f64())
        } else {
            self.timeout
        };
        let again = Duration::from_secs(random.u64(1..360));
        let received = taken.len();
        let failed = match timeout(lives, self.forward(&taken, number, random)).await {
            Err(_) => taken,
            Ok(failed) => {
                let taken = taken.into_iter().zip(failed);
                let failed = taken.filter(|(_, failed)| *failed);
                failed.map(|(one, _)| one).collect()
            }
        };
        self.buffer.settle(received, failed, again);
    }

    /// What the function does; tells of each message whether it failed.
    async fn forward(
        &self,
        taken: &[Waiting],
        number: u64,
        mut random: fastrand::Rng,
    ) -> Vec<bool> {
        let clock = Off(self.clock, random.i64(-MOST_OFF_MS..=MOST_OFF_MS));
        let end = tokio::time::Instant::now() + self.timeout.saturating_sub(MARGIN);
        let left = || end.saturating_duration_since(tokio::time::Instant::now());
        let order = self.order_now();
        let looked = look(&self.stream, order, &clock, left(), &mut random);
        let stream = match looked.await {
            Ok(stream) if stream.hold.is_none() => stream,
            _ => return vec![true; taken.len()],
        };
        if random.u64(0..10) < self.frozen_of_ten {
            sleep(left().mul_f64(random.f64())).await;
        }
        let mut goes: Vec<usize> = (0..taken.len())
            .filter(|index| !stream.covers(&taken[*index].event))
            .collect();
        let sequencer = |index: usize| taken[index].event.sequencer.as_deref().unwrap_or_default();
        goes.sort_by(|a, b| by_sequencer(sequencer(*a), sequencer(*b)));
        let mut failed = vec![false; taken.len()];
        let left = if order == LiveOrder::Exact {
            let sent = self.send_exact(taken, &goes, number, &stream, &clock, left(), random);
            sent.await
        } else {
            let to = (order, number);
            self.send(taken, &goes, to, &clock, left(), random).await
        };
        for number in left {
            failed[goes[number]] = true;
        }
        failed
    }

    /// Sends changes as the order says; which of `goes` are left over.
    async fn send(
        &self,
        taken: &[Waiting],
        goes: &[usize],
        (order, number): (LiveOrder, u64),
        clock: &Off,
        budget: Duration,
        mut random: fastrand::Rng,
    ) -> Vec<usize> {
        let (writer, queue) = (writer(), self.queue());
        if order == LiveOrder::Notified {
            let messages = (0..).zip(goes);
            let messages =
                messages.map(|(number, index)| writer.message(&taken[*index].event, number));
            let backoff = Backoff::default();
            let sent = deliver(&queue, messages.collect(), backoff, budget, &mut random);
            return left_over(sent.await);
        }
        let newest = Newest {
            queue: &queue,
            writer: &writer,
            store: &self.live,
            clock,
            owner: &format!("invocation-{number}"),
            backoff: Backoff::default(),
        };
        let changes = goes.iter().map(|index| LiveChange {
            event: &taken[*index].event,
            sequencer: taken[*index].event.sequencer.as_deref(),
        });
        let changes: Vec<_> = changes.collect();
        left_over(newest.deliver(&changes, budget, &mut random).await)
    }

    /// Sends what the bucket says of the changes' keys; which of `goes` are left over.
    #[expect(clippy::too_many_arguments, reason = "what one invocation knows")]
    async fn send_exact(
        &self,
        taken: &[Waiting],
        goes: &[usize],
        number: u64,
        stream: &Stream,
        clock: &Off,
        budget: Duration,
        mut random: fastrand::Rng,
    ) -> Vec<usize> {
        let (writer, queue) = (writer(), self.queue());
        let bucket = Listed(Arc::clone(&self.bucket));
        let exact = Exact {
            queue: &queue,
            writer: &writer,
            bucket: &bucket,
            dialect: Dialect::of_s3(),
            store: &self.keys,
            stream,
            clock,
            request: &format!("invocation-{number}"),
            owner: 0,
            backoff: Backoff::default(),
        };
        let changes = goes.iter().map(|index| Reported {
            event: &taken[*index].event,
            is_repeated: taken[*index].receives > 0,
        });
        let changes: Vec<_> = changes.collect();
        left_over(exact.deliver(&changes, budget, &mut random).await)
    }

    fn queue(&self) -> OfSegment {
        OfSegment {
            queue: Arc::clone(&self.queue),
            segment: LIVE,
        }
    }
}

fn writer() -> Writer {
    Writer {
        format: Format::Bridge,
        order: Order::Key,
        region: "eu-west-1".to_owned(),
    }
}

fn left_over(delivered: Delivered) -> Vec<usize> {
    let left = delivered.leftover.into_iter();
    left.map(|left| usize::try_from(left.number).unwrap_or(usize::MAX))
        .collect()
}
