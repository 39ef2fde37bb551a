//! What `exact` costs: requests, and round trips in time (simulated time, in which each call takes ten
//! milliseconds). The figures are those of docs/OPERATIONS.md, "Live order".

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::event::{Change, Event, Source};
use bridge_core::format::Format;
use bridge_core::forward::Delivered;
use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::Marker;
use bridge_core::live::exact::Exact;
use bridge_core::live::exact::reported::Reported;
use bridge_core::live::exact::store::{KeyClaim, KeyReturn, KeyState, KeyStore};
use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::Stream;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::{Message, Writer};
use bridge_core::queue::ordering::Order as QueueOrder;
use bridge_core::queue::port::{EntryResult, Queue};
use bridge_core::retry::Backoff;
use bridge_core::timestamp::Timestamp;
use bridge_sim::bucket::{Bucket, STYLE};
use bridge_sim::faults::Faults;
use bridge_sim::live::SimKeys;
use bytes::Bytes;
use tokio::time::{Instant, sleep};

const ROUND_TRIP: Duration = Duration::from_millis(10);

/// Ports whose calls take a round trip each, and are counted.
struct Counted {
    bucket: Bucket,
    keys: SimKeys,
    table: AtomicU64,
    listings: AtomicU64,
    sends: AtomicU64,
}

impl Counted {
    async fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
        sleep(ROUND_TRIP).await;
    }
}

#[async_trait]
impl Lister for Counted {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        Self::count(&self.listings).await;
        Ok(Bytes::from(self.bucket.page(prefix, marker, STYLE)))
    }
}

#[async_trait]
impl Queue for Counted {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        Self::count(&self.sends).await;
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

#[async_trait]
impl KeyStore for Counted {
    async fn claim(&self, claim: &KeyClaim, now: Timestamp) -> Result<KeyState, LiveStoreError> {
        Self::count(&self.table).await;
        self.keys.claim(claim, now).await
    }

    async fn mark(&self, key: &str, request: &str, now: Timestamp) -> Result<bool, LiveStoreError> {
        Self::count(&self.table).await;
        self.keys.mark(key, request, now).await
    }

    async fn give_back(&self, done: &KeyReturn) -> Result<bool, LiveStoreError> {
        Self::count(&self.table).await;
        self.keys.give_back(done).await
    }

    async fn add_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        self.keys.add_stopped(key).await
    }

    async fn remove_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        self.keys.remove_stopped(key).await
    }

    async fn stopped(&self) -> Result<Vec<String>, LiveStoreError> {
        self.keys.stopped().await
    }
}

/// One invocation with `changes` changes of each of `keys` keys: what came of it, how many requests to table,
/// bucket and queue it made, and round trips it took.
async fn invocation(keys: usize, changes: usize) -> (Delivered, [u64; 3], u128) {
    let mut bucket = Bucket::default();
    let now = SystemClock.now();
    for key in 0..keys {
        for _ in 0..changes {
            bucket.put(&format!("key/{key}"), now);
        }
    }
    let events: Vec<Event> = (bucket.history().into_iter())
        .map(|(_, version)| {
            let what = (Change::Created, "ObjectCreated:Put");
            let (key, id) = (version.key, version.version_id);
            Event::new(Source::Realtime, "ledger", key, id, what, now)
        })
        .collect();
    let counted = Counted {
        bucket,
        keys: SimKeys::new(Arc::new(Faults::new(1, 0))),
        table: AtomicU64::new(0),
        listings: AtomicU64::new(0),
        sends: AtomicU64::new(0),
    };
    let writer = Writer {
        format: Format::Bridge,
        order: QueueOrder::Key,
        region: String::new(),
    };
    let stream = Stream {
        boundary: Some(Timestamp(0)),
        ..Stream::default()
    };
    let exact = Exact {
        queue: &counted,
        writer: &writer,
        bucket: &counted,
        dialect: Dialect::of_s3(),
        store: &counted,
        stream: &stream,
        clock: &SystemClock,
        request: "request",
        owner: 1,
        backoff: Backoff::default(),
    };
    let reported: Vec<_> = events
        .iter()
        .map(|event| Reported {
            event,
            is_repeated: false,
        })
        .collect();
    let begin = Instant::now();
    let mut random = fastrand::Rng::with_seed(1);
    let delivered = exact.deliver(&reported, Duration::from_secs(59), &mut random);
    let delivered = delivered.await;
    let trips = begin.elapsed().as_millis() / ROUND_TRIP.as_millis();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let requests = [&counted.table, &counted.listings, &counted.sends].map(count);
    (delivered, requests, trips)
}

#[tokio::test(start_paused = true)]
async fn a_key_costs_two_writes_and_a_listing_however_many_of_its_changes_come_together() {
    for (keys, changes, table, listings, sends) in [
        (1, 1, 2, 1, 1),
        (1, 10, 2, 1, 10), // one message of a group at a time
        (10, 1, 20, 10, 1),
        (10, 10, 20, 10, 10),
    ] {
        let (delivered, requests, trips) = invocation(keys, changes).await;
        let case = format!("{keys} keys, {changes} changes");
        assert_eq!(delivered.sent, (keys * changes) as u64, "{case}");
        assert_eq!(requests, [table, listings, sends], "{case}");
        // Claims, listings and returns of sixteen keys go at the same time: three round trips more than sending
        // takes, and a little for the table's own time.
        let beside = trips - u128::from(sends);
        assert!((3..=5).contains(&beside), "{case}: {beside}");
    }
}
