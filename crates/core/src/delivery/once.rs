//! A handful of messages, delivered now or handed back: the realtime path.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::lane::send_in_time;
use super::pending::Pending;
use super::{EntryResult, Message, Queue, Refusal, RefusalKind};

/// Requests in flight at the same time: a batch from a buffer may hold hundreds of messages.
const IN_FLIGHT: usize = 8;

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
        let round = pending.next_round(IN_FLIGHT);
        let limit = left.min(queue.request_timeout());
        let answers = round.iter().map(|one| send_in_time(queue, one, limit));
        let answers = join_all(answers).await;
        let mut again = None;
        for (request, answer) in round.into_iter().zip(answers) {
            again = delivered.settle(&mut pending, request, answer).or(again);
        }
        if let Some(refusal) = again {
            failures += 1;
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

impl Delivered {
    /// Counts what came of a request. Tells the reason if some of it must go again.
    fn settle(
        &mut self,
        pending: &mut Pending,
        request: Vec<Message>,
        answer: Result<Vec<EntryResult>, Refusal>,
    ) -> Option<Refusal> {
        let entries = request.len();
        let settled = pending.settle(request, answer);
        self.sent += settled.acknowledged.len() as u64;
        self.retried += (entries - settled.acknowledged.len() - settled.rejected.len()) as u64;
        for (message, refusal) in settled.rejected {
            let behind = message.group.as_ref().map(|g| pending.take_group(g));
            for message in std::iter::once(message).chain(behind.into_iter().flatten()) {
                self.leftover.push(Leftover {
                    number: message.number,
                    refusal: refusal.clone(),
                });
            }
        }
        settled.again
    }
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
    use std::collections::{HashMap, HashSet};
    use std::sync::Mutex;

    use async_trait::async_trait;

    use proptest::prelude::*;

    use super::*;

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

    const LATENCY: Duration = Duration::from_millis(8);

    /// Takes a while, throttles entries by a list (0: this one), and checks what a FIFO queue needs.
    struct Slow {
        faults: Mutex<Vec<u8>>,
        in_flight: Mutex<HashSet<String>>,
        last: Mutex<HashMap<String, u64>>,
        asked: Mutex<Vec<Vec<u64>>>,
    }

    #[async_trait]
    impl Queue for Slow {
        async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
            let numbers = messages.iter().map(|m| m.number).collect();
            self.asked.lock().unwrap().push(numbers);
            let groups: Vec<_> = messages.iter().filter_map(|m| m.group.clone()).collect();
            for group in &groups {
                let is_new = self.in_flight.lock().unwrap().insert(group.clone());
                assert!(is_new, "group {group} is in flight already");
            }
            sleep(LATENCY).await;
            let mut results = Vec::new();
            for (message, group) in messages.iter().zip(groups) {
                self.in_flight.lock().unwrap().remove(&group);
                if self.faults.lock().unwrap().pop() == Some(0) {
                    results.push(Err(refusal(RefusalKind::Throttled)));
                    continue;
                }
                let before = self.last.lock().unwrap().insert(group, message.number);
                assert!(before.is_none_or(|number| number < message.number));
                results.push(Ok(()));
            }
            Ok(results)
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

    async fn run_slowly(groups: &[&str], faults: &[u8]) -> (Delivered, Vec<Vec<u64>>) {
        let queue = Slow {
            faults: Mutex::new(faults.to_vec()),
            in_flight: Mutex::default(),
            last: Mutex::default(),
            asked: Mutex::default(),
        };
        let minutes = Duration::from_mins(10);
        let mut random = fastrand::Rng::with_seed(7);
        let delivered = deliver(
            &queue,
            messages(groups),
            Backoff::default(),
            minutes,
            &mut random,
        );
        let delivered = delivered.await;
        (delivered, queue.asked.into_inner().unwrap())
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
    async fn groups_go_beside_each_other_and_one_group_does_not() {
        let many: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let begin = Instant::now();
        let (delivered, asked) = run_slowly(&many, &[]).await;
        assert_eq!((delivered.sent, asked.len()), (100, 10));
        assert_eq!(begin.elapsed(), LATENCY * 2, "eight requests, then two");
        let begin = Instant::now();
        let (delivered, asked) = run_slowly(&["a"; 5], &[]).await;
        assert_eq!((delivered.sent, asked.len()), (5, 5));
        assert_eq!(begin.elapsed(), LATENCY * 5);
    }

    proptest! {
        /// Whatever fails, each group arrives in order and everything once; and no group is in two
        /// requests at a time, or [`Slow`] panics.
        #[test]
        fn a_batch_keeps_the_order_of_its_groups(
            groups in prop::collection::vec(0u8..40, 1..200), faults in prop::collection::vec(0u8..4, 200)
        ) {
            let names: Vec<_> = groups.iter().map(ToString::to_string).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let (delivered, _) = runtime.block_on(run_slowly(&names, &faults));
            prop_assert_eq!(delivered.sent, groups.len() as u64);
            prop_assert_eq!(delivered.leftover, vec![]);
        }
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
