//! One ordered sender: one request in flight, its failures sent again before anything after them.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::flow::{Flow, Outcome};
use super::pending::{Pending, Settled};
use super::{EntryResult, MAX_ENTRIES, Message, Mode, Queue, Refusal, RefusalKind};
use crate::mistake::Mistake;

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
    pub flow: Arc<Flow>,
    /// How groups keep their order.
    pub mode: Mode,
    /// Whether several messages of the lane may share a request: not if they are of one group, in
    /// strict mode.
    pub fills_requests: bool,
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
    /// Sends what comes by `messages` until the channel closes or the lane is stopped.
    /// `acknowledged` is told the numbers SQS has confirmed.
    ///
    /// # Errors
    /// [`DeliveryError`]; stopping is none.
    pub async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        acknowledged: impl Fn(&[u64]),
    ) -> Result<(), DeliveryError> {
        let mut pending = Pending::new(self.mode);
        let mut failures = 0;
        let mut last_success = Instant::now();
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
                    () = self.stop.cancelled() => return Ok(()),
                    message = messages.recv() => message,
                };
                match message {
                    Some(message) => pending.push(self.checked(message)?),
                    None => return Ok(()),
                }
            }
            if !pending.has_suspects() {
                self.fill(&mut pending, &mut messages).await?;
            }
            let permit = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                permit = self.flow.acquire() => permit,
            };
            if self.stop.is_cancelled() && Mistake::LostAtDeadline.is_planted() {
                let lost: Vec<u64> = pending.drain().iter().map(|m| m.number).collect();
                acknowledged(&lost);
            }
            if self.stop.is_cancelled() || !self.gate.is_open(self.queue.request_timeout()) {
                return Ok(());
            }
            if failures == 0 {
                // The wait for a permit, while SQS throttles, is no failure.
                last_success = Instant::now();
            }
            let request = pending.next_request();
            let answer = send_in_time(&*self.queue, &request, self.queue.request_timeout()).await;
            let settled = pending.settle(request, answer);
            permit.finish(outcome(&settled));
            if !settled.acknowledged.is_empty() {
                acknowledged(&settled.acknowledged);
                last_success = Instant::now();
                failures = 0;
            }
            for (message, refusal) in settled.rejected {
                if let Some(group) = &message.group {
                    pending.take_group(group);
                }
                at_fault.get_or_insert(DeliveryError::Rejected {
                    number: message.number,
                    bytes: message.bytes(),
                    refusal,
                });
            }
            let Some(refusal) = settled.again else {
                continue;
            };
            failures += 1;
            counter!("RequestsRepeated").increment(1);
            if self.mode == Mode::Batched {
                counter!("Rewinds").increment(1);
            }
            if refusal.kind == RefusalKind::Throttled {
                counter!("QueueThrottled").increment(1);
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

    /// Takes what else may share the next request, and waits a little for it.
    async fn fill(
        &self,
        pending: &mut Pending,
        messages: &mut mpsc::Receiver<Message>,
    ) -> Result<(), DeliveryError> {
        while pending.len() < 4 * MAX_ENTRIES
            && let Ok(message) = messages.try_recv()
        {
            pending.push(self.checked(message)?);
        }
        let until = Instant::now() + LINGER;
        while self.fills_requests && !pending.fills_a_request() {
            match timeout_at(until, messages.recv()).await {
                Ok(Some(message)) => pending.push(self.checked(message)?),
                Ok(None) | Err(_) => break,
            }
        }
        Ok(())
    }
}

fn outcome(settled: &Settled) -> Outcome {
    match &settled.again {
        None => Outcome::Well,
        Some(refusal) if refusal.kind == RefusalKind::Throttled => Outcome::Throttled,
        Some(_) => Outcome::Other,
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;

    /// Fails the first request, takes the others.
    #[derive(Default)]
    struct Hiccup(AtomicUsize);

    #[async_trait]
    impl Queue for Hiccup {
        async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
            if self.0.fetch_add(1, Ordering::Relaxed) > 0 {
                return Ok(vec![Ok(()); messages.len()]);
            }
            Err(Refusal {
                kind: RefusalKind::Unavailable,
                code: "InternalFailure".to_owned(),
                message: String::new(),
            })
        }

        async fn depth(&self) -> Result<u64, Refusal> {
            Ok(0)
        }

        async fn max_message_bytes(&self) -> Result<usize, Refusal> {
            Ok(1024)
        }

        fn request_timeout(&self) -> Duration {
            Duration::from_secs(1)
        }
    }

    /// Refuses a request as a whole when it holds a certain message.
    struct Picky(u64);

    #[async_trait]
    impl Queue for Picky {
        async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
            if messages.iter().all(|message| message.number != self.0) {
                return Ok(vec![Ok(()); messages.len()]);
            }
            Err(Refusal {
                kind: RefusalKind::Rejected,
                code: "InvalidParameterValue".to_owned(),
                message: "something in it".to_owned(),
            })
        }

        async fn depth(&self) -> Result<u64, Refusal> {
            Ok(0)
        }

        async fn max_message_bytes(&self) -> Result<usize, Refusal> {
            Ok(1024)
        }

        fn request_timeout(&self) -> Duration {
            Duration::from_secs(1)
        }
    }

    struct Open;

    impl Gate for Open {
        fn is_open(&self, _: Duration) -> bool {
            true
        }
    }

    fn lane(queue: Arc<dyn Queue>, flow: Arc<Flow>) -> Lane {
        Lane {
            queue,
            gate: Arc::new(Open),
            flow,
            mode: Mode::Strict,
            fills_requests: true,
            stop: CancellationToken::new(),
            backoff: Backoff::default(),
            patience: Duration::from_mins(1),
            max_message_bytes: 1024,
            random: fastrand::Rng::with_seed(1),
        }
    }

    fn message(number: u64, group: Option<&str>) -> Message {
        Message {
            number,
            events: 1,
            body: "{}".to_owned(),
            group: group.map(str::to_owned),
            deduplication_id: None,
            attempt: 0,
            attributes: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_request_refused_as_a_whole_the_message_at_fault_is_named_and_no_other_held_back()
    {
        let (sender, messages) = mpsc::channel(20);
        for number in 0..10 {
            let group = number.to_string();
            sender.send(message(number, Some(&group))).await.unwrap();
        }
        let acknowledged = std::sync::Mutex::new(Vec::<u64>::new());
        let sent = lane(Arc::new(Picky(4)), Flow::new(1)).run(messages, |numbers| {
            acknowledged.lock().unwrap().extend(numbers);
        });
        let error = sent.await.unwrap_err();
        assert!(
            matches!(error, DeliveryError::Rejected { number: 4, .. }),
            "{error}"
        );
        assert_eq!(*acknowledged.lock().unwrap(), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_for_its_turn_does_not_use_up_a_lanes_patience() {
        let flow = Flow::new(1);
        let lane = lane(Arc::new(Hiccup::default()), Arc::clone(&flow));
        let (sender, messages) = mpsc::channel(1);
        sender.send(message(7, None)).await.unwrap();
        drop(sender);
        let acknowledged = std::sync::Mutex::new(Vec::<u64>::new());
        let another = flow.acquire().await;
        let turn = async {
            sleep(Duration::from_mins(10)).await;
            another.finish(Outcome::Well);
        };
        let sent = lane.run(messages, |numbers| {
            acknowledged.lock().unwrap().extend(numbers);
        });
        let (sent, ()) = tokio::join!(sent, turn);
        assert_eq!(sent, Ok(()));
        assert_eq!(*acknowledged.lock().unwrap(), [7]);
    }
}
