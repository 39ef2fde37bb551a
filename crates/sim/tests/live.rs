//! What docs/EVENTS.md promises of live order, under faults.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::SystemClock;
use bridge_core::event::{Change, Event, Source};
use bridge_core::failure::FailureKind;
use bridge_core::format::Format;
use bridge_core::listing::dialect::Dialect;
use bridge_core::live::exact::Exact;
use bridge_core::live::exact::go_on::{GoOnError, Refused};
use bridge_core::live::exact::reported::Reported;
use bridge_core::live::exact::store::KeyStore as _;
use bridge_core::live::newest::{LiveChange, Newest};
use bridge_core::live::stream::Stream;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::{Message, Writer};
use bridge_core::queue::ordering::Order as QueueOrder;
use bridge_core::queue::port::{EntryResult, Queue};
use bridge_core::retry::Backoff;
use bridge_core::timestamp::Timestamp;
use bridge_sim::bucket::{Bucket, STYLE, SimLister};
use bridge_sim::faults::Faults;
use bridge_sim::live::exact::ExactScenario;
use bridge_sim::live::{LiveScenario, SimKeys, SimLive};
use bridge_sim::seeds;

/// Seeds of the test command ([`seeds::run`] says how to run others).
const SEEDS: u64 = 4_000;

#[test]
fn with_newest_no_key_goes_back_and_each_ends_with_its_last_change() {
    seeds::run(SEEDS, |seed| LiveScenario::of_seed(seed).run());
}

/// A queue that takes nothing, for what the messages hold.
struct Refusing;

#[async_trait]
impl Queue for Refusing {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let refusal = SendError {
            kind: FailureKind::Permanent,
            code: "InvalidMessageContents".to_owned(),
            message: String::new(),
        };
        Ok(vec![Err(refusal); messages.len()])
    }

    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(1024)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// A queue that takes everything.
struct Taking;

#[async_trait]
impl Queue for Taking {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        Ok(vec![Ok(()); messages.len()])
    }

    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(1024)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// A change of the key `k`.
fn event(bucket: &str, sequencer: &str) -> Event {
    let what = (Change::Created, "ObjectCreated:Put");
    let (source, time) = (Source::Realtime, Timestamp(0));
    Event {
        sequencer: Some(sequencer.to_owned()),
        ..Event::new(source, bucket, "k", sequencer, what, time)
    }
}

fn writer() -> Writer {
    Writer {
        format: Format::Bridge,
        order: QueueOrder::Key,
        region: String::new(),
    }
}

/// Two buckets may notify one function. Their sequencers say nothing of each other.
#[tokio::test(start_paused = true)]
async fn one_key_in_two_buckets_is_two_keys() {
    let writer = writer();
    let live = SimLive::new(Arc::new(Faults::new(1, 0)));
    let mut random = fastrand::Rng::with_seed(1);
    for (owner, bucket, sequencer) in [("1", "a", "09"), ("2", "b", "05"), ("3", "a", "05")] {
        let newest = Newest {
            queue: &Taking,
            writer: &writer,
            store: &live,
            clock: &SystemClock,
            owner,
            backoff: Backoff::default(),
        };
        let event = event(bucket, sequencer);
        let change = LiveChange {
            event: &event,
            sequencer: event.sequencer.as_deref(),
        };
        let sent = newest
            .deliver(&[change], Duration::from_secs(10), &mut random)
            .await;
        let is_late = owner == "3";
        assert_eq!(
            (sent.sent, sent.late.is_empty()),
            (u64::from(!is_late), !is_late),
            "{owner}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_queue_does_not_take_is_not_taken_for_sent_when_it_comes_again() {
    let event = event("ledger", "05");
    let change = LiveChange {
        event: &event,
        sequencer: event.sequencer.as_deref(),
    };
    let writer = writer();
    let live = SimLive::new(Arc::new(Faults::new(1, 0)));
    let mut random = fastrand::Rng::with_seed(1);
    for owner in ["first", "second"] {
        let newest = Newest {
            queue: &Refusing,
            writer: &writer,
            store: &live,
            clock: &SystemClock,
            owner,
            backoff: Backoff::default(),
        };
        let budget = Duration::from_secs(10);
        let sent = newest.deliver(&[change], budget, &mut random).await;
        assert_eq!(
            sent.leftover[0].refusal.code, "InvalidMessageContents",
            "{owner}"
        );
        assert!(sent.late.is_empty(), "{owner}");
    }
}

#[test]
fn with_exact_each_keys_stream_is_its_history() {
    seeds::run(SEEDS, |seed| ExactScenario::of_seed(seed).run());
}

/// A queue that refuses one version for good, as long as it does.
#[derive(Default)]
struct Picky {
    refuses: Mutex<Option<String>>,
    taken: Mutex<Vec<String>>,
}

#[async_trait]
impl Queue for Picky {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let refuses = self.refuses.lock().unwrap().clone();
        let answer = |message: &Message| {
            let event: Event = serde_json::from_str(&message.body).unwrap();
            if refuses.as_ref() == Some(&event.version_id) {
                return Err(SendError {
                    kind: FailureKind::Permanent,
                    code: "InvalidMessageContents".to_owned(),
                    message: "it holds what is not allowed".to_owned(),
                });
            }
            self.taken.lock().unwrap().push(event.version_id);
            Ok(())
        };
        Ok(messages.iter().map(answer).collect())
    }

    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(1024 * 1024)
    }

    fn request_timeout(&self) -> Duration {
        Duration::from_secs(5)
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_queue_refuses_stops_its_key_until_an_operator_lets_it_go_on() {
    for refused in [Refused::Skip, Refused::Retry] {
        let mut bucket = Bucket::default();
        for second in 0..4 {
            bucket.put("k", Timestamp(1_000_000 + second * 1_000));
        }
        let ids: Vec<String> = (bucket.history().into_iter())
            .map(|(_, version)| version.version_id)
            .collect();
        let calm = || Arc::new(Faults::new(1, 0));
        let lister = SimLister::new(Arc::new(bucket), STYLE, calm());
        let (writer, keys, queue) = (writer(), SimKeys::new(calm()), Picky::default());
        *queue.refuses.lock().unwrap() = Some(ids[2].clone());
        let stream = Stream {
            boundary: Some(Timestamp(0)),
            ..Stream::default()
        };
        let mut random = fastrand::Rng::with_seed(1);
        let exact = |request| Exact {
            queue: &queue,
            writer: &writer,
            bucket: &lister,
            dialect: Dialect::of_s3(),
            store: &keys,
            stream: &stream,
            clock: &SystemClock,
            request,
            owner: 1,
            backoff: Backoff::default(),
        };
        let hint = Event {
            event_time: Timestamp(1_000_500),
            ..event("ledger", &ids[0])
        };
        let hints = [Reported {
            event: &hint,
            is_repeated: false,
        }];
        let budget = Duration::from_secs(10);
        for request in ["first", "second"] {
            let sent = exact(request).deliver(&hints, budget, &mut random).await;
            assert_eq!(sent.stopped.len(), 1, "{request}");
            assert!(sent.leftover.is_empty(), "its change is done: {request}");
        }
        assert_eq!(*queue.taken.lock().unwrap(), ids[..2]);
        assert_eq!(keys.stopped().await, Ok(vec!["ledger/k".to_owned()]));

        if refused == Refused::Retry {
            *queue.refuses.lock().unwrap() = None;
        }
        let key = ("ledger", "k");
        let third = exact("third");
        let sent = third.go_on(key, refused, budget, &mut random).await;
        assert!(sent.unwrap().stopped.is_empty());
        let expected: Vec<String> = match refused {
            Refused::Skip => [&ids[..2], &ids[3..]].concat(),
            Refused::Retry => ids,
        };
        assert_eq!(*queue.taken.lock().unwrap(), expected, "{refused:?}");
        assert_eq!(keys.stopped().await, Ok(vec![]));
        let fourth = exact("fourth");
        let again = fourth.go_on(key, refused, budget, &mut random).await;
        assert!(matches!(again, Err(GoOnError::NotStopped)));
    }
}
