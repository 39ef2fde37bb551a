//! With `newest`, a removal for good ends its version, and outdates no other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::SystemClock;
use bridge_core::event::{Change, Event, Source, event_id};
use bridge_core::format::Format;
use bridge_core::live::newest::{LiveChange, Newest};
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::{Message, Writer};
use bridge_core::queue::ordering::Order;
use bridge_core::queue::port::{EntryResult, Queue};
use bridge_core::retry::Backoff;
use bridge_core::timestamp::Timestamp;
use bridge_sim::faults::Faults;
use bridge_sim::live::SimLive;

/// A queue that takes everything.
#[derive(Default)]
struct Taking(Mutex<Vec<String>>);

#[async_trait]
impl Queue for Taking {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let mut taken = self.0.lock().unwrap();
        for message in messages {
            let event: Event = serde_json::from_str(&message.body).unwrap();
            let (_, what) = event.event_name.split_once(':').unwrap();
            taken.push(format!("{what} {}", event.version_id));
        }
        Ok(vec![Ok(()); messages.len()])
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

/// What S3 notifies of a change of the key `k`.
fn event(name: &str, version_id: &str, sequencer: u64) -> Event {
    Event {
        event_id: event_id("ledger", "k", version_id, Change::Created),
        source: Source::Realtime,
        event_name: name.to_owned(),
        bucket: "ledger".to_owned(),
        key: "k".to_owned(),
        version_id: version_id.to_owned(),
        event_time: Timestamp(0),
        sequencer: Some(format!("{sequencer:010X}")),
        size: None,
        e_tag: None,
        is_latest: None,
        job_id: None,
        sequence: None,
    }
}

fn put(version_id: &str, sequencer: u64) -> Event {
    event("ObjectCreated:Put", version_id, sequencer)
}

fn gone(version_id: &str, sequencer: u64) -> Event {
    event("ObjectRemoved:Delete", version_id, sequencer)
}

/// Gives each event to an invocation of its own; what was sent.
async fn sent(events: &[Event]) -> Vec<String> {
    let (queue, live) = (Taking::default(), SimLive::new(Arc::new(Faults::new(1, 0))));
    let writer = Writer {
        format: Format::Bridge,
        order: Order::Key,
        region: String::new(),
    };
    let mut random = fastrand::Rng::with_seed(1);
    for (number, event) in events.iter().enumerate() {
        let newest = Newest {
            queue: &queue,
            writer: &writer,
            store: &live,
            clock: &SystemClock,
            owner: &number.to_string(),
            backoff: Backoff::default(),
        };
        let change = LiveChange {
            event,
            sequencer: event.sequencer.as_deref(),
        };
        let budget = Duration::from_secs(10);
        newest.deliver(&[change], budget, &mut random).await;
    }
    queue.0.into_inner().unwrap()
}

/// A writer puts an object and removes the version before it for good (as a lifecycle rule does). The
/// notifications come swapped.
#[tokio::test(start_paused = true)]
async fn with_newest_the_removal_of_an_old_version_does_not_outdate_the_new_one() {
    let events = [put("v1", 1), gone("v1", 3), put("v2", 2)];
    assert_eq!(sent(&events).await, ["Put v1", "Delete v1", "Put v2"]);
}

#[tokio::test(start_paused = true)]
async fn with_newest_a_version_that_was_told_removed_does_not_come_back() {
    let events = [put("v1", 1), gone("v2", 3), put("v2", 2), gone("v2", 3)];
    assert_eq!(sent(&events).await, ["Put v1", "Delete v2"]);
}

#[tokio::test(start_paused = true)]
async fn with_newest_a_removal_is_sent_though_a_newer_state_was() {
    let events = [put("v1", 1), put("v2", 3), gone("v1", 2)];
    assert_eq!(sent(&events).await, ["Put v1", "Put v2", "Delete v1"]);
}

/// Of `null` versions there is one at a time.
#[tokio::test(start_paused = true)]
async fn with_newest_the_removal_of_a_null_version_is_a_state() {
    let events = [
        gone("null", 2),
        put("null", 1),
        put("null", 3),
        gone("null", 2),
    ];
    assert_eq!(sent(&events).await, ["Delete null", "Put null"]);
}
