//! Notifications out of an SQS queue: received, hidden from others while they are worked on, and deleted only once
//! all that they report is in the queue of events.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bridge_core::notification::BatchMessage;
use metrics::counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::preflight::about_source;
use crate::serve::brake::Brake;
use crate::serve::memory::{Loan, Memory};
use crate::serve::queue_client::{MOST_RECEIVED, MOST_RECEIVED_BYTES, NotificationQueue, Taken};
use crate::serve::receiving::Receiving;
use crate::serve::seldom::Seldom;
use crate::serve::work::Work;

/// Requests for messages at the same time.
const RECEIVERS: usize = 4;

/// Bytes of what was taken from the queue and is not forwarded yet, about.
const MEMORY: usize = 64 * 1024 * 1024;

/// How long a message is hidden from others, seconds, unless that is renewed.
const HIDDEN: i32 = 60;

/// How often it is renewed while the message is worked on or waits for its turn.
const RENEW: Duration = Duration::from_secs(15);

/// How long a message that failed for the first time is hidden, seconds; each time twice as long, up to the
/// longest.
const FIRST_AGAIN: i32 = 15;
const LONGEST_AGAIN: i32 = 600;

/// A source of notifications.
pub(crate) struct QueueSource {
    queue: NotificationQueue,
    work: Arc<Work>,
    memory: Memory,
    /// For batches in work, and as many beside as can be received at the same time. What waits for more than that is better
    /// left in its queue: if this process is killed, what it took is hidden for a minute.
    room: Arc<Semaphore>,
    brake: Brake,
    /// Of what the queue answers instead of messages.
    refusals: Seldom,
    receiving: Receiving,
    /// What was taken, to its end.
    taken: TaskTracker,
    /// Nothing more is received.
    stop: CancellationToken,
}

/// Messages that are worked on, and the memory and the room that they were lent.
struct Batch {
    messages: Vec<Taken>,
    _memory: Loan,
    _room: Option<OwnedSemaphorePermit>,
}

impl QueueSource {
    /// Takes from `queue` what `work` forwards, while `receiving` is on and until `stop`; `taken` knows what is in work.
    pub(crate) fn new(
        queue: NotificationQueue,
        work: Arc<Work>,
        receiving: Receiving,
        taken: TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let room = work.concurrency() + RECEIVERS;
        Arc::new(Self {
            queue,
            work,
            memory: Memory::new(MEMORY),
            room: Arc::new(Semaphore::new(room)),
            brake: Brake::default(),
            refusals: Seldom::default(),
            receiving,
            taken,
            stop,
        })
    }

    /// Receives until it is stopped.
    pub(crate) async fn run(self: Arc<Self>) {
        let receivers = (0..RECEIVERS).map(|_| tokio::spawn(Arc::clone(&self).receive_on()));
        for receiver in receivers.collect::<Vec<_>>() {
            if let Err(error) = receiver.await {
                tracing::error!(%error, "a receiver of notifications has died");
            }
        }
    }

    async fn receive_on(self: Arc<Self>) {
        // A request in flight is given up: what it would have brought comes again.
        let stop = self.stop.clone();
        while stop.run_until_cancelled(self.receive()).await.is_some() {}
    }

    /// One request, and what comes of it.
    async fn receive(self: &Arc<Self>) {
        // It is never closed.
        let room = Arc::clone(&self.room).acquire_owned().await.ok();
        self.receiving.wait().await;
        let pause = self.brake.pause();
        if let Some(pause) = pause {
            sleep(pause).await;
            // What cannot be sent is better left where it is.
            if let Err(reason) = self.work.look().await {
                tracing::warn!(reason, "nothing is received");
                self.brake.pull();
                return;
            }
        }
        let most = if pause.is_some() { 1 } else { MOST_RECEIVED };
        let lent = self.memory.borrow(usize::from(most), MOST_RECEIVED_BYTES);
        let Some(mut lent) = lent.await else { return };
        let received = self.queue.receive(most, HIDDEN).await;
        if received.is_ok() && self.refusals.is_over() {
            tracing::info!(queue = self.queue.url(), "notifications are received again");
        }
        match received {
            Ok(messages) if messages.is_empty() => {}
            Ok(messages) => {
                counter!("NotificationsTaken", "Source" => "queue")
                    .increment(messages.len() as u64);
                let bytes = messages.iter().map(|message| message.body.len()).sum();
                lent.shrink(messages.len(), bytes);
                let batch = Batch {
                    messages,
                    _memory: lent,
                    _room: room,
                };
                let source = Arc::clone(self);
                let work = self.taken.spawn(async move { source.forward(batch).await });
                if pause.is_some() {
                    // The next one is received when it is known how this one fared.
                    let _ = work.await;
                }
            }
            Err(error) => {
                if self.refusals.is_due() {
                    let url = self.queue.url();
                    let hint = about_source(&error.code, url, self.queue.region());
                    tracing::error!(queue = url, %error, hint, "no notifications are received: tried every few seconds");
                }
                counter!("ReceivesFailed").increment(1);
                self.brake.pull();
            }
        }
    }

    /// Forwards a batch, and deletes what of it is done.
    async fn forward(&self, batch: Batch) {
        let messages = batch.messages.iter().map(|taken| {
            let receives = taken.receives.as_deref();
            BatchMessage::parse(taken.id.clone(), &taken.body, receives)
        });
        let failed = self.hidden_while(&batch, self.work.batch(messages.collect()));
        let failed: HashSet<String> = failed.await.into_iter().collect();
        let (again, done): (Vec<_>, Vec<_>) = batch
            .messages
            .iter()
            .partition(|taken| failed.contains(&taken.id));
        if done.is_empty() {
            self.brake.pull();
        } else {
            self.brake.release();
            self.delete(&done).await;
        }
        if !again.is_empty() {
            counter!("NotificationsFailed", "Source" => "queue").increment(again.len() as u64);
            self.let_come_again(&again).await;
        }
    }

    /// Does it, however long it takes: the messages stay hidden from others.
    async fn hidden_while<T>(&self, batch: &Batch, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.renew_on(batch) => never,
        }
    }

    /// Hides them again and again. Beside the work and not in its turn: a queue that answers slowly must not use up the
    /// work's time.
    async fn renew_on<T>(&self, batch: &Batch) -> T {
        loop {
            sleep(RENEW).await;
            let all = batch.messages.iter();
            let all = all.map(|taken| (taken.receipt.as_str(), HIDDEN));
            if let Err(error) = self.queue.hide(&all.collect::<Vec<_>>()).await {
                tracing::warn!(%error, "messages in work may be handed over again");
            }
        }
    }

    async fn delete(&self, done: &[&Taken]) {
        let receipts: Vec<_> = done.iter().map(|taken| taken.receipt.as_str()).collect();
        let messages = self.queue.delete_all(&receipts).await;
        if messages > 0 {
            tracing::error!(
                messages,
                "what was forwarded is not deleted: it comes again"
            );
        }
    }

    /// Each message later than the last time, so that a short outage does not use up its receives.
    async fn let_come_again(&self, again: &[&Taken]) {
        let all = again.iter().map(|taken| {
            let receives = taken.receives.as_deref();
            (taken.receipt.as_str(), seconds_hidden(receives))
        });
        if let Err(error) = self.queue.hide(&all.collect::<Vec<_>>()).await {
            tracing::warn!(%error, "what failed comes again within a minute");
        }
    }
}

/// For how long a message is hidden that has failed and was handed over so often.
fn seconds_hidden(receives: Option<&str>) -> i32 {
    let receives: u32 = receives.and_then(|text| text.parse().ok()).unwrap_or(1);
    let doubled = FIRST_AGAIN.saturating_mul(1 << receives.saturating_sub(1).min(10));
    doubled.min(LONGEST_AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_comes_more_and_more_seldom() {
        let hidden = |receives| seconds_hidden(Some(receives));
        assert_eq!((hidden("1"), hidden("2"), hidden("3")), (15, 30, 60));
        assert_eq!((hidden("7"), hidden("1000")), (600, 600));
        assert_eq!((seconds_hidden(None), hidden("many")), (15, 15));
    }
}
