//! One ordered sender: one request in flight, its failures sent again before anything after them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::pending::Pending;
use super::{EntryResult, MAX_ENTRIES, Message, Queue, Refusal, RefusalKind};

/// Whether sending is allowed now: a job's lease closes it before another segment may begin.
pub trait Gate: Send + Sync {
    /// Whether a request may start that can take as long as `request`.
    fn is_open(&self, request: Duration) -> bool;
}

/// How a lane ends when it cannot go on. What was not acknowledged is not lost: the checkpoint
/// stays before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Repeating would change nothing.
    #[error("SQS does not take message {number} ({bytes} bytes): {refusal}")]
    Rejected {
        /// [`Message::number`].
        number: u64,
        /// Its size with attributes.
        bytes: usize,
        /// SQS's reason.
        refusal: Refusal,
    },
    /// Nothing got through for a whole time budget.
    #[error("nothing could be sent for {seconds} s, last: {last}")]
    Exhausted {
        /// The time budget.
        seconds: u64,
        /// The last reason.
        last: Refusal,
    },
}

/// What a lane needs.
pub struct Lane {
    /// Where to.
    pub queue: Arc<dyn Queue>,
    /// Asked before each request.
    pub gate: Arc<dyn Gate>,
    /// Once cancelled, the request in flight is the last.
    pub stop: CancellationToken,
    /// Between attempts.
    pub backoff: Backoff,
    /// Without any success for this long (throttling aside) the lane gives up.
    pub patience: Duration,
    /// The queue's `MaximumMessageSize`: checked here, since one message that is too long fails
    /// a whole request.
    pub max_message_bytes: usize,
    /// Jitter.
    pub random: fastrand::Rng,
}

impl Lane {
    /// Sends what comes by `items`, made into messages by `write`, until the channel closes or
    /// the lane is stopped. `acknowledged` is told the numbers SQS has confirmed.
    ///
    /// # Errors
    /// [`DeliveryError`]; stopping is none.
    pub async fn run<T>(
        mut self,
        mut items: mpsc::Receiver<T>,
        write: impl Fn(T) -> Message,
        acknowledged: impl Fn(&[u64]),
    ) -> Result<(), DeliveryError> {
        let mut pending = Pending::default();
        let mut failures = 0;
        let mut last_success = Instant::now();
        loop {
            if pending.is_empty() {
                let item = tokio::select! {
                    () = self.stop.cancelled() => return Ok(()),
                    item = items.recv() => item,
                };
                match item {
                    Some(item) => pending.push(self.checked(write(item))?),
                    None => return Ok(()),
                }
                last_success = Instant::now();
            }
            // Whatever else is there already may share the request; nothing is waited for.
            while pending.len() < 4 * MAX_ENTRIES
                && let Ok(item) = items.try_recv()
            {
                pending.push(self.checked(write(item))?);
            }
            if self.stop.is_cancelled() || !self.gate.is_open(self.queue.request_timeout()) {
                return Ok(());
            }
            let request = pending.next_request();
            let answer = send_in_time(&*self.queue, &request, self.queue.request_timeout()).await;
            let settled = pending.settle(request, answer);
            if !settled.acknowledged.is_empty() {
                acknowledged(&settled.acknowledged);
                last_success = Instant::now();
                failures = 0;
            }
            if let Some((message, refusal)) = settled.rejected.into_iter().next_back() {
                return Err(DeliveryError::Rejected {
                    number: message.number,
                    bytes: message.bytes(),
                    refusal,
                });
            }
            let Some(refusal) = settled.again else {
                continue;
            };
            failures += 1;
            if refusal.kind == RefusalKind::Throttled {
                last_success = Instant::now();
            }
            if last_success.elapsed() >= self.patience {
                return Err(DeliveryError::Exhausted {
                    seconds: self.patience.as_secs(),
                    last: refusal,
                });
            }
            tracing::warn!(%refusal, failures, waiting = pending.len(), "SQS did not take all messages; sending those again");
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = sleep(self.backoff.wait(failures, &mut self.random)) => {}
            }
        }
    }
}

impl Lane {
    fn checked(&self, message: Message) -> Result<Message, DeliveryError> {
        let bytes = message.bytes();
        if bytes <= self.max_message_bytes {
            return Ok(message);
        }
        Err(DeliveryError::Rejected {
            number: message.number,
            bytes,
            refusal: Refusal {
                kind: RefusalKind::Rejected,
                code: "MessageTooLong".to_owned(),
                message: format!(
                    "the queue takes {} bytes; raise its MaximumMessageSize and resume the job",
                    self.max_message_bytes
                ),
            },
        })
    }
}

/// A request that ends by itself or by the clock.
pub(super) async fn send_in_time(
    queue: &dyn Queue,
    request: &[Message],
    limit: Duration,
) -> Result<Vec<EntryResult>, Refusal> {
    timeout(limit, queue.send(request))
        .await
        .unwrap_or_else(|_| {
            Err(Refusal {
                kind: RefusalKind::Unavailable,
                code: "RequestTimeout".to_owned(),
                message: format!("no answer within {} ms", limit.as_millis()),
            })
        })
}
