//! Changes into the queue, as `LIVE_ORDER` says; and what is told of them.

use std::collections::HashSet;

use crate::clock::{Clock as _, SystemClock};
use crate::event::Event;
use crate::forward::{Delivered, deliver};
use crate::live::newest::{KEY_BUSY, LiveChange, Newest};
use crate::live::store::LiveStore;
use crate::live::stream::Stream;
use crate::notification::error::MOST_ERROR;
use crate::queue::message::{Message, Writer};
use crate::queue::port::Queue;
use crate::retry::Backoff;
use crate::text::{brief, shown};
use metrics::{counter, histogram};

use crate::realtime::exact::ExactPorts;
use crate::realtime::invocation::Invocation;
use crate::realtime::lag;
use crate::realtime::order::Change;

/// What is sent of what comes.
pub enum Live {
    /// All of it.
    Notified,
    /// What is newer than all that was sent of its key.
    Newest(Box<dyn LiveStore>),
    /// What the bucket says.
    Exact(ExactPorts),
}

/// Sends changes to a queue.
pub(super) struct Sender<Q> {
    pub(super) queue: Q,
    pub(super) writer: Writer,
    pub(super) live: Live,
}

impl<Q: Queue> Sender<Q> {
    /// Sends what is to be sent of changes; those of a key stand in their order. A number of what comes of it
    /// is an index of `changes`.
    pub(super) async fn send(
        &self,
        changes: &[Change],
        stream: &Stream,
        invocation: &Invocation<'_>,
    ) -> Delivered {
        let (queue, writer, budget) = (&self.queue, &self.writer, invocation.budget);
        let mut random = fastrand::Rng::new();
        let backoff = Backoff::default();
        let delivered = match &self.live {
            Live::Notified => {
                let messages: Vec<Message> = (0..)
                    .zip(changes)
                    .map(|(number, change)| writer.message(&change.event, number))
                    .collect();
                deliver(queue, messages, backoff, budget, &mut random).await
            }
            Live::Newest(store) => {
                // Lambda gives an invocation that is tried again the same id.
                let owner = format!("{}#{:08x}", invocation.request_id, random.u32(..));
                let newest = Newest {
                    queue,
                    writer,
                    store: &**store,
                    clock: &SystemClock,
                    owner: &owner,
                    backoff,
                };
                let changes: Vec<_> = changes.iter().map(live_change).collect();
                let sent = newest.deliver(&changes, budget, &mut random);
                sent.await
            }
            Live::Exact(ports) => {
                let sent = ports.send(changes, (queue, writer), stream, invocation, &mut random);
                sent.await
            }
        };
        tell(changes, &delivered);
        measure(changes, &delivered);
        delivered
    }
}

/// Sequencers that tell no order are none.
fn live_change(change: &Change) -> LiveChange<'_> {
    let sequencer = change.event.sequencer.as_deref();
    LiveChange {
        event: &change.event,
        sequencer: sequencer.filter(|_| change.has_order),
    }
}

/// Logs what was not sent.
fn tell(changes: &[Change], delivered: &Delivered) {
    let event = |number: u64| -> Option<&Event> {
        let index = usize::try_from(number).ok()?;
        changes.get(index).map(|change| &change.event)
    };
    for event in delivered.late.iter().filter_map(|number| event(*number)) {
        tracing::info!(
            bucket = brief(&event.bucket),
            key = brief(&event.key),
            version_id = brief(&event.version_id),
            event_id = event.event_id,
            "late: this or a newer change of the key was sent before"
        );
    }
    for leftover in &delivered.leftover {
        if let Some(event) = event(leftover.number) {
            let refusal = shown(&leftover.refusal.to_string(), MOST_ERROR);
            tracing::error!(
                bucket = brief(&event.bucket),
                key = brief(&event.key),
                version_id = brief(&event.version_id),
                event_id = event.event_id,
                refusal,
                "not delivered"
            );
        }
    }
    for (key, reason) in &delivered.stopped {
        let (key, reason) = (brief(key), shown(reason, MOST_ERROR));
        tracing::error!(
            key,
            reason,
            "stopped: nothing more of this key is sent until an operator lets it go on"
        );
    }
    tracing::info!(
        forwarded = delivered.sent,
        healed = delivered.healed,
        handed_over = delivered.handed.len(),
        listings = delivered.listings,
        late = delivered.late.len(),
        retried = delivered.retried,
        failed = delivered.leftover.len(),
        "done"
    );
}

/// Counts what was delivered, and how long after the change.
fn measure(changes: &[Change], delivered: &Delivered) {
    let leftover = &delivered.leftover;
    let busy = leftover.iter().filter(|l| l.refusal.code == KEY_BUSY);
    counter!("EventsForwarded").increment(delivered.sent);
    counter!("EntriesRetried").increment(delivered.retried);
    counter!("EventsFailed").increment(leftover.len() as u64);
    counter!("EventsLate").increment(delivered.late.len() as u64);
    counter!("KeysBusy").increment(busy.count() as u64);
    counter!("EventsHealed").increment(delivered.healed);
    counter!("KeyListings").increment(delivered.listings);
    counter!("KeysStopped").increment(delivered.stopped.len() as u64);
    let now = SystemClock.now();
    let left = leftover.iter().map(|l| l.number);
    let others = delivered.late.iter().chain(&delivered.handed).copied();
    let left: HashSet<u64> = left.chain(others).collect();
    let arrived = (0..)
        .zip(changes)
        .filter(|(number, _)| !left.contains(number));
    let lags = arrived.map(|(_, change)| now.0 - change.event.event_time.0);
    for lag in lag::told(lags.collect()) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 are exact"
        )]
        histogram!("LagMs").record(lag as f64);
    }
}
