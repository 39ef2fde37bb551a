use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use async_trait::async_trait;
use proptest::prelude::*;

use super::*;

/// Answers from a script; records what was asked.
struct Scripted {
    answers: Mutex<Vec<Result<Vec<EntryResult>, SendError>>>,
    asked: Mutex<Vec<Vec<u64>>>,
}

#[async_trait]
impl Queue for Scripted {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
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
    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }
    async fn max_message_bytes(&self) -> Result<usize, SendError> {
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
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
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
                results.push(Err(refusal(FailureKind::Throttled)));
                continue;
            }
            let before = self.last.lock().unwrap().insert(group, message.number);
            assert!(before.is_none_or(|number| number < message.number));
            results.push(Ok(()));
        }
        Ok(results)
    }
    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }
    async fn max_message_bytes(&self) -> Result<usize, SendError> {
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

fn refusal(kind: FailureKind) -> SendError {
    SendError {
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
    answers: Vec<Result<Vec<EntryResult>, SendError>>,
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
            Err(refusal(FailureKind::Throttled)),
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
        vec![Ok(vec![Err(refusal(FailureKind::Permanent)), Ok(())])],
    )
    .await;
    assert_eq!(asked, [vec![0, 2], vec![3]]);
    let left: Vec<_> = delivered.leftover.iter().map(|l| l.number).collect();
    assert_eq!(left, [0, 1]);
    assert_eq!(delivered.sent, 2);
}

#[tokio::test(start_paused = true)]
async fn groups_go_beside_each_other_and_one_group_does_not() {
    let many: Vec<_> = (0..400).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let begin = Instant::now();
    let (delivered, asked) = run_slowly(&many, &[]).await;
    assert_eq!((delivered.sent, asked.len()), (400, 40));
    assert_eq!(begin.elapsed(), LATENCY * 2, "32 requests, then eight");
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

/// Throttles every request after a while, or never answers.
struct Throttling {
    answers: bool,
}

#[async_trait]
impl Queue for Throttling {
    async fn send(&self, _: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        if !self.answers {
            std::future::pending::<()>().await;
        }
        sleep(LATENCY).await;
        Err(refusal(FailureKind::Throttled))
    }
    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }
    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(262_144)
    }
    fn request_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_within_its_time_whatever_the_queue_does() {
    for answers in [true, false] {
        for seed in 0..200 {
            let budget = Duration::from_millis(100 + 300 * seed);
            let begin = Instant::now();
            let mut random = fastrand::Rng::with_seed(seed);
            let messages = messages(&["a", "b"]);
            let queue = Throttling { answers };
            let backoff = Backoff::default();
            let delivered = deliver(&queue, messages, backoff, budget, &mut random).await;
            assert_eq!(delivered.leftover.len(), 2);
            let late = begin.elapsed().saturating_sub(budget);
            assert!(
                late <= Duration::from_millis(2),
                "seed {seed}: {late:?} late"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_refused_as_a_whole_is_sent_one_by_one() {
    let rejected = || Err(refusal(FailureKind::Permanent));
    let (delivered, asked) = run(
        &["a", "b", "c", "d"],
        vec![
            rejected(),
            Ok(vec![Ok(())]),
            Ok(vec![Ok(())]),
            rejected(),
            Ok(vec![Ok(())]),
        ],
    )
    .await;
    assert_eq!(
        asked,
        [vec![0, 1, 2, 3], vec![0], vec![1], vec![2], vec![3]]
    );
    let left: Vec<_> = delivered.leftover.iter().map(|l| l.number).collect();
    assert_eq!((delivered.sent, left), (3, vec![2]));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_when_time_is_up_is_left_over_with_the_last_reason() {
    let down = vec![Err(refusal(FailureKind::Transient)); 10_000];
    let (delivered, asked) = run(&["a", "b"], down).await;
    assert!(asked.len() > 3, "it tried again");
    assert_eq!(delivered.leftover.len(), 2);
    assert_eq!(delivered.leftover[0].refusal.code, "Code");
}

/// Refuses at first, and then keeps silent.
struct RefusesOnce(Mutex<bool>);

#[async_trait]
impl Queue for RefusesOnce {
    async fn send(&self, _: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        if std::mem::replace(&mut *self.0.lock().unwrap(), true) {
            std::future::pending::<()>().await;
        }
        Err(refusal(FailureKind::Transient))
    }
    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }
    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(262_144)
    }
    fn request_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_queue_said_is_told_though_the_last_request_was_cut_short() {
    let delivered = deliver(
        &RefusesOnce(Mutex::new(false)),
        messages(&["a"]),
        Backoff::default(),
        Duration::from_secs(5),
        &mut fastrand::Rng::with_seed(7),
    )
    .await;
    assert_eq!(delivered.leftover[0].refusal.code, "Code");
}
