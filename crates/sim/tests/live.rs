//! What docs/EVENTS.md promises of live order, under faults.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::SystemClock;
use bridge_core::event::{Change, Event, Source, event_id};
use bridge_core::failure::FailureKind;
use bridge_core::format::Format;
use bridge_core::live::newest::{LiveChange, Newest};
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::{Message, Writer};
use bridge_core::queue::ordering::Order as QueueOrder;
use bridge_core::queue::port::{EntryResult, Queue};
use bridge_core::retry::Backoff;
use bridge_core::timestamp::Timestamp;
use bridge_sim::faults::Faults;
use bridge_sim::live::exact::ExactScenario;
use bridge_sim::live::{LiveScenario, SimLive};
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
    Event {
        event_id: event_id(bucket, "k", sequencer, Change::Created),
        source: Source::Realtime,
        event_name: "ObjectCreated:Put".to_owned(),
        bucket: bucket.to_owned(),
        key: "k".to_owned(),
        version_id: sequencer.to_owned(),
        event_time: Timestamp(0),
        sequencer: Some(sequencer.to_owned()),
        size: None,
        e_tag: None,
        is_latest: None,
        job_id: None,
        sequence: None,
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
