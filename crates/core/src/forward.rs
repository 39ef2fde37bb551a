//! A handful of messages, delivered now or handed back: the realtime path.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep};

use crate::failure::FailureKind;
use crate::queue::batch::Pending;
use crate::queue::error::SendError;
use crate::queue::message::Message;
use crate::queue::port::{EntryResult, Queue, TIMED_OUT, send_in_time};
use crate::retry::{Attempts, Backoff};

/// Requests in flight at the same time: a notification or a batch from a buffer may hold a thousand messages,
/// which are four rounds of 8 ms then, and were thirteen with eight.
const IN_FLIGHT: usize = 32;

/// A message that did not get through. Nothing of its group that came after it did either, so
/// handing it back to the caller's own retries keeps the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// [`Message::number`].
    pub number: u64,
    /// Why.
    pub refusal: SendError,
    /// Whether it may be in the queue, or arrive there, nevertheless: a request with it was not answered.
    pub may_have_arrived: bool,
}

/// What became of the messages.
#[derive(Debug, Default)]
pub struct Delivered {
    /// How many SQS confirmed.
    pub sent: u64,
    /// How many entries were sent again.
    pub retried: u64,
    /// Numbers of messages that were not sent, since a newer change of their key was or may have been
    /// ([`crate::live::newest`]).
    pub late: Vec<u64>,
    /// What was not delivered within the time budget.
    pub leftover: Vec<Undelivered>,
    /// What was sent though no notification here reported it ([`crate::live::exact`]).
    pub healed: u64,
    /// Numbers of changes that whoever holds their key sends ([`crate::live::exact`]).
    pub handed: Vec<u64>,
    /// Keys of which nothing is sent until an operator lets them go on, each with the reason.
    pub stopped: Vec<(String, String)>,
    /// Requests for listings.
    pub listings: u64,
}

/// Sends `messages`, failed entries again with backoff, until all are confirmed or `budget` is
/// used up. It never ends later than that: Lambda would end the invocation, and what is known of the
/// others be lost.
pub async fn deliver(
    queue: &dyn Queue,
    messages: Vec<Message>,
    backoff: Backoff,
    budget: Duration,
    random: &mut fastrand::Rng,
) -> Delivered {
    let deadline = Instant::now() + budget;
    let mut pending = Pending::default();
    for message in messages {
        pending.push(message);
    }
    let mut delivered = Delivered::default();
    let mut attempts = Attempts::default();
    let mut last = out_of_time();
    let mut unanswered: HashSet<u64> = HashSet::new();
    let mut in_flight = FuturesUnordered::new();
    let mut busy = HashSet::new();
    // Why some messages go again, once a request has failed: nothing more is sent until those in flight have
    // ended and the wait is over.
    let mut again: Option<SendError> = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        while again.is_none() && in_flight.len() < IN_FLIGHT && !left.is_zero() {
            let request = pending.next_request_beside(&busy);
            if request.is_empty() {
                break;
            }
            busy.extend(groups_of(&request));
            in_flight.push(send(queue, request, left.min(queue.request_timeout())));
        }
        if let Some((request, answer)) = in_flight.next().await {
            for group in groups_of(&request) {
                busy.remove(&group);
            }
            note_unanswered(&mut unanswered, &request, &answer);
            match delivered.settle(&mut pending, request, answer) {
                Some(refusal) => again = Some(refusal),
                None if again.is_none() => attempts.succeeded(),
                None => {}
            }
        } else if let Some(refusal) = again.take() {
            // Half of what is left at most, so that there is time to try again.
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = attempts.failed(refusal.kind, budget, &backoff, random);
            let failures = attempts.failures();
            tracing::warn!(%refusal, failures, waiting = pending.len(), "SQS did not take all messages; sending those again");
            // What ended with the time tells less than what was answered before.
            if failures == 1 || refusal.code != TIMED_OUT {
                last = refusal;
            }
            sleep(wait.unwrap_or(left).min(left / 2)).await;
        } else {
            // All is sent, or the time is up.
            break;
        }
    }
    for message in pending.drain() {
        delivered.leftover.push(Undelivered {
            number: message.number,
            refusal: last.clone(),
            may_have_arrived: unanswered.contains(&message.number),
        });
    }
    delivered
}

/// Notes messages of which it is not known whether the queue took them.
fn note_unanswered(
    unanswered: &mut HashSet<u64>,
    request: &[Message],
    answer: &Result<Vec<EntryResult>, SendError>,
) {
    let is_unclear = |refusal: &SendError| refusal.kind == FailureKind::Transient;
    for (place, message) in request.iter().enumerate() {
        let unclear = match answer {
            Err(refusal) => is_unclear(refusal),
            Ok(entries) => entries
                .get(place)
                .is_none_or(|entry| entry.as_ref().is_err_and(is_unclear)),
        };
        if unclear {
            unanswered.insert(message.number);
        }
    }
}

/// A request with its answer.
async fn send(
    queue: &dyn Queue,
    request: Vec<Message>,
    limit: Duration,
) -> (Vec<Message>, Result<Vec<EntryResult>, SendError>) {
    let answer = send_in_time(queue, &request, limit).await;
    (request, answer)
}

fn groups_of(request: &[Message]) -> impl Iterator<Item = String> {
    request.iter().filter_map(|message| message.group.clone())
}

impl Delivered {
    /// These are left over, for one reason, and were not sent.
    pub fn leave_all(&mut self, numbers: impl IntoIterator<Item = u64>, refusal: &SendError) {
        let left = |number| Undelivered {
            number,
            refusal: refusal.clone(),
            may_have_arrived: false,
        };
        self.leftover.extend(numbers.into_iter().map(left));
    }

    /// Counts what came of a request. Tells the reason if some of it must go again.
    fn settle(
        &mut self,
        pending: &mut Pending,
        request: Vec<Message>,
        answer: Result<Vec<EntryResult>, SendError>,
    ) -> Option<SendError> {
        let entries = request.len();
        let settled = pending.settle(request, answer);
        self.sent += settled.acknowledged.len() as u64;
        self.retried += (entries - settled.acknowledged.len() - settled.rejected.len()) as u64;
        for (message, refusal) in settled.rejected {
            let behind = message.group.as_ref().map(|g| pending.take_group(g));
            for message in std::iter::once(message).chain(behind.into_iter().flatten()) {
                self.leftover.push(Undelivered {
                    number: message.number,
                    refusal: refusal.clone(),
                    // The group's first waited for this one's answer, and this one was refused.
                    may_have_arrived: false,
                });
            }
        }
        settled.again
    }
}

fn out_of_time() -> SendError {
    SendError {
        kind: FailureKind::Transient,
        code: "OutOfTime".to_owned(),
        message: "the time budget ended before the message was sent".to_owned(),
    }
}

#[cfg(test)]
mod tests;
