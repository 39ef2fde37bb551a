//! One ordered sender: one request in flight, its failures sent again before anything after them.

use std::sync::Arc;
use std::time::Duration;

use bridge_core::failure::{Failure, FailureKind};
use bridge_core::limiter::ConcurrencyLimiter;
use bridge_core::queue::batch::Pending;
use bridge_core::queue::error::{SendError, TOO_LONG};
use bridge_core::queue::message::Message;
use bridge_core::queue::ordering::Mode;
use bridge_core::queue::port::{MAX_ENTRIES, Queue, send_in_time};
use bridge_core::queue::undeliverable::Named;
use bridge_core::retry::{Attempts, Retry};
use metrics::counter;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::send::error::DeliveryError;
use crate::send::gate::Gate;
use crate::send::parking::Parking;

/// Told by a lane what becomes of messages.
pub trait Ledger: Send + Sync {
    /// SQS has confirmed the messages of these numbers.
    fn acknowledged(&self, numbers: &[u64]);

    /// The message of this number continues as so many, in its place.
    fn taken_apart(&self, number: u64, parts: usize);

    /// The event of this number is kept aside: it will never be acknowledged.
    fn parked(&self, number: u64);
}

/// How long a request that is not full waits for more messages: a request costs the same with one
/// entry as with ten.
const LINGER: Duration = Duration::from_millis(5);

/// What a lane needs.
pub struct Lane {
    /// Where to.
    pub queue: Arc<dyn Queue>,
    /// Asked before each request.
    pub gate: Arc<dyn Gate>,
    /// Shared by all lanes: how many requests may be in flight.
    pub limiter: Arc<ConcurrencyLimiter>,
    /// How groups keep their order.
    pub mode: Mode,
    /// Whether several messages of the lane may share a request: not if they are of one group, in
    /// strict mode.
    pub fills_requests: bool,
    /// Once stopped, the request in flight is the last. Without any success for its `retry_timeout` (throttling
    /// aside) the lane stops trying.
    pub retry: Retry,
    /// The queue's `MaximumMessageSize`: checked here, since one message that is too long fails
    /// a whole request.
    pub max_message_bytes: usize,
    /// Where an event goes that the queue refuses for good; without, the lane ends at it.
    pub parking: Option<Parking>,
    /// Jitter.
    pub random: fastrand::Rng,
}

impl Lane {
    /// Sends what comes by `messages` until the channel closes or the lane is stopped.
    /// `ledger` is told what became of them.
    ///
    /// # Errors
    /// [`DeliveryError`]; stopping is none.
    pub async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        ledger: impl Ledger,
    ) -> Result<(), DeliveryError> {
        let mut pending = Pending::new(self.mode);
        let mut attempts = Attempts::default();
        let mut at_fault: Option<DeliveryError> = None;
        loop {
            // What shared a refused request with the one at fault gets through before the lane ends.
            if !pending.has_suspects()
                && let Some(error) = at_fault
            {
                return Err(error);
            }
            if pending.is_empty() {
                let message = tokio::select! {
                    () = self.retry.stop.cancelled() => return Ok(()),
                    message = messages.recv() => message,
                };
                match message {
                    Some(message) => self.take_in(&mut pending, message),
                    None => return Ok(()),
                }
            }
            if !pending.has_suspects() {
                self.fill(&mut pending, &mut messages).await;
            }
            let permit = tokio::select! {
                () = self.retry.stop.cancelled() => return Ok(()),
                permit = self.limiter.acquire() => permit,
            };
            if self.retry.stop.is_cancelled() || !self.gate.is_open(self.queue.request_timeout()) {
                return Ok(());
            }
            attempts.begin();
            let request = pending.next_request();
            let answer = match self.too_long(&request) {
                Some(refusal) => Err(refusal),
                None => send_in_time(&*self.queue, &request, self.queue.request_timeout()).await,
            };
            let settled = pending.settle(request, answer);
            permit.finish(settled.again.as_ref().map(Failure::kind));
            if !settled.acknowledged.is_empty() {
                ledger.acknowledged(&settled.acknowledged);
                attempts.succeeded();
            }
            for (number, parts) in settled.taken_apart {
                ledger.taken_apart(number, parts);
            }
            for (message, refusal) in settled.rejected {
                if self.is_parked(&message, &refusal) {
                    if !self.park(&message, &refusal).await? {
                        return Ok(());
                    }
                    ledger.parked(message.number);
                    attempts.succeeded();
                    continue;
                }
                if let Some(group) = &message.group {
                    pending.take_group(group);
                }
                at_fault.get_or_insert(DeliveryError::Rejected {
                    event: Named::of(&message),
                    bytes: message.bytes(),
                    refusal,
                });
            }
            let Some(refusal) = settled.again else {
                continue;
            };
            counter!("RequestsRetried").increment(1);
            if self.mode == Mode::Batched {
                counter!("Rewinds").increment(1);
            }
            if refusal.kind == FailureKind::Throttled {
                counter!("QueueThrottled").increment(1);
            }
            let Retry {
                backoff,
                retry_timeout,
                stop,
            } = &self.retry;
            let wait = attempts.failed(refusal.kind, *retry_timeout, backoff, &mut self.random);
            let Some(wait) = wait else {
                return Err(DeliveryError::Exhausted {
                    seconds: retry_timeout.as_secs(),
                    last: refusal,
                });
            };
            let failures = attempts.failures();
            tracing::warn!(%refusal, failures, waiting = pending.len(), "SQS did not take all messages; sending those again");
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Whether a message that was refused is to be parked.
    fn is_parked(&self, message: &Message, refusal: &SendError) -> bool {
        self.parking.is_some() && refusal.is_of_the_message() && message.events == 1
    }

    /// Parks a message of one event; tells whether it is kept.
    async fn park(
        &mut self,
        message: &Message,
        refusal: &SendError,
    ) -> Result<bool, DeliveryError> {
        let Some(parking) = &self.parking else {
            return Ok(false);
        };
        let is_kept = parking.keep(message, refusal, &mut self.random).await?;
        if is_kept {
            let event = Named::of(message);
            tracing::error!(%event, bytes = message.bytes(), %refusal, "parked: SQS does not take it");
            counter!("EventsParked").increment(1);
        }
        Ok(is_kept)
    }

    /// Takes what else may share the next request, and waits a little for it.
    async fn fill(&self, pending: &mut Pending, messages: &mut mpsc::Receiver<Message>) {
        while pending.len() < 4 * MAX_ENTRIES
            && let Ok(message) = messages.try_recv()
        {
            self.take_in(pending, message);
        }
        let until = Instant::now() + LINGER;
        while self.fills_requests && !pending.fills_a_request() {
            match timeout_at(until, messages.recv()).await {
                Ok(Some(message)) => self.take_in(pending, message),
                Ok(None) | Err(_) => break,
            }
        }
    }

    /// What is too long comes to its turn by itself, behind its group's earlier messages.
    fn take_in(&self, pending: &mut Pending, message: Message) {
        if message.bytes() > self.max_message_bytes {
            pending.push_suspect(message);
        } else {
            pending.push(message);
        }
    }

    /// Why a request is not worth sending.
    fn too_long(&self, request: &[Message]) -> Option<SendError> {
        request
            .iter()
            .any(|message| message.bytes() > self.max_message_bytes)
            .then(|| SendError {
                kind: FailureKind::Permanent,
                code: TOO_LONG.to_owned(),
                message: format!(
                    "the queue takes {} bytes; raise its MaximumMessageSize and resume the job",
                    self.max_message_bytes
                ),
            })
    }
}

#[cfg(test)]
mod tests;
