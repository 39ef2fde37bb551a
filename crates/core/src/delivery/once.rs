//! A handful of messages, delivered now or handed back: the realtime path.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::lane::send_in_time;
use super::pending::Pending;
use super::{Message, Queue, Refusal, RefusalKind};

/// A message that did not get through. Nothing of its group that came after it did either, so
/// handing it back to the caller's own retries keeps the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// [`Message::number`].
    pub number: u64,
    /// Why.
    pub refusal: Refusal,
}

/// What became of the messages.
#[derive(Debug, Default)]
pub struct Delivered {
    /// How many SQS confirmed.
    pub sent: u64,
    /// How many entries were sent again.
    pub retried: u64,
    /// What was not delivered within the time budget.
    pub leftover: Vec<Leftover>,
}

/// Sends `messages`, failed entries again with backoff, until all are confirmed or `budget` is
/// used up.
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
    let mut failures = 0;
    let mut last = out_of_time();
    while !pending.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let request = pending.next_request();
        let limit = left.min(queue.request_timeout());
        let answer = send_in_time(queue, &request, limit).await;
        let entries = request.len() as u64;
        let settled = pending.settle(request, answer);
        delivered.sent += settled.acknowledged.len() as u64;
        for (message, refusal) in &settled.rejected {
            delivered.leftover.push(Leftover {
                number: message.number,
                refusal: refusal.clone(),
            });
            let behind = message.group.as_ref().map(|g| pending.take_group(g));
            for message in behind.into_iter().flatten() {
                delivered.leftover.push(Leftover {
                    number: message.number,
                    refusal: refusal.clone(),
                });
            }
        }
        if let Some(refusal) = settled.again {
            failures += 1;
            delivered.retried +=
                entries - (settled.acknowledged.len() + settled.rejected.len()) as u64;
            tracing::warn!(%refusal, failures, waiting = pending.len(), "SQS did not take all messages; sending those again");
            last = refusal;
            sleep(backoff.wait(failures, random)).await;
        } else {
            failures = 0;
        }
    }
    for message in pending.drain() {
        delivered.leftover.push(Leftover {
            number: message.number,
            refusal: last.clone(),
        });
    }
    delivered
}

fn out_of_time() -> Refusal {
    Refusal {
        kind: RefusalKind::Unavailable,
        code: "OutOfTime".to_owned(),
        message: "the time budget ended before the message was sent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::delivery::EntryResult;

    /// Answers from a script; records what was asked.
    struct Scripted {
        answers: Mutex<Vec<Result<Vec<EntryResult>, Refusal>>>,
        asked: Mutex<Vec<Vec<u64>>>,
    }

    #[async_trait]
    impl Queue for Scripted {
        async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
            self.asked
                .lock()
                .unwrap()
                .push(messages.iter().map(|m| m.number).collect());
            let mut answers = self.answers.lock().unwrap();
            if answers.is_empty() {
                return Ok(vec![Ok(()); messages.len()]);
            }
            answers.remove(0)
        }
        async fn depth(&self) -> Result<u64, Refusal> {
            Ok(0)
        }
        async fn max_message_bytes(&self) -> Result<usize, Refusal> {
            Ok(262_144)
        }
        fn request_timeout(&self) -> Duration {
            Duration::from_secs(5)
        }
    }

    fn refusal(kind: RefusalKind) -> Refusal {
        Refusal {
            kind,
            code: "Code".to_owned(),
            message: String::new(),
        }
    }

    fn messages(groups: &[&str]) -> Vec<Message> {
        (0u64..)
            .zip(groups)
            .map(|(number, group)| Message {
                number,
                body: "{}".to_owned(),
                group: Some((*group).to_owned()),
                deduplication_id: Some(number.to_string()),
                events: 1,
                attempt: 0,
                attributes: vec![],
            })
            .collect()
    }

    async fn run(
        groups: &[&str],
        answers: Vec<Result<Vec<EntryResult>, Refusal>>,
    ) -> (Delivered, Vec<Vec<u64>>) {
        let queue = Scripted {
            answers: Mutex::new(answers),
            asked: Mutex::default(),
        };
        let delivered = deliver(
            &queue,
            messages(groups),
            Backoff::default(),
            Duration::from_secs(20),
            &mut fastrand::Rng::with_seed(7),
        )
        .await;
        (delivered, queue.asked.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_failed_entries_are_sent_again() {
        let (delivered, asked) = run(
            &["a", "b", "c"],
            vec![Ok(vec![
                Ok(()),
                Err(refusal(RefusalKind::Throttled)),
                Ok(()),
            ])],
        )
        .await;
        assert_eq!(asked, [vec![0, 1, 2], vec![1]]);
        assert_eq!((delivered.sent, delivered.retried), (3, 1));
        assert_eq!(delivered.leftover, []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejected_message_holds_back_its_group_and_no_other() {
        let (delivered, asked) = run(
            &["a", "a", "b", "b"],
            vec![Ok(vec![Err(refusal(RefusalKind::Rejected)), Ok(())])],
        )
        .await;
        assert_eq!(asked, [vec![0, 2], vec![3]]);
        let left: Vec<_> = delivered.leftover.iter().map(|l| l.number).collect();
        assert_eq!(left, [0, 1]);
        assert_eq!(delivered.sent, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_done_when_time_is_up_is_left_over_with_the_last_reason() {
        let down = vec![Err(refusal(RefusalKind::Unavailable)); 10_000];
        let (delivered, asked) = run(&["a", "b"], down).await;
        assert!(asked.len() > 3, "it tried again");
        assert_eq!(delivered.leftover.len(), 2);
        assert_eq!(delivered.leftover[0].refusal.code, "Code");
    }
}
