//! A stack with one key, whose parts do as they are told.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::Clock;
use bridge_core::event::{Change, Event, Source, event_id};
use bridge_core::failure::FailureKind;
use bridge_core::format::Format;
use bridge_core::forward::Delivered;
use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::Marker;
use bridge_core::live::exact::Exact;
use bridge_core::live::exact::go_on::{GoOnError, Refused};
use bridge_core::live::exact::reported::Reported;
use bridge_core::live::exact::store::{KeyClaim, KeyReturn, KeyState, KeyStore, OPERATOR};
use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::Stream;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::{Message, Writer};
use bridge_core::queue::ordering::Order;
use bridge_core::queue::port::{EntryResult, Queue};
use bridge_core::retry::Backoff;
use bridge_core::timestamp::Timestamp;
use bridge_sim::faults::Faults;
use bridge_sim::live::SimKeys;
use bytes::Bytes;
use tokio::time::{Instant, sleep};

/// When each test begins, ms: noon of some day.
pub(crate) const BEGIN: i64 = 1_714_564_800_000;

pub(crate) const BUDGET: Duration = Duration::from_secs(10);

/// A version as the bucket lists it: id, a marker, seconds after [`BEGIN`], eTag.
#[derive(Debug, Clone)]
pub(crate) struct Row(
    pub(crate) String,
    pub(crate) bool,
    pub(crate) i64,
    pub(crate) String,
);

pub(crate) fn put(id: &str, second: i64) -> Row {
    Row(
        id.to_owned(),
        false,
        second,
        format!("tag-of{id}").replace('-', ""),
    )
}

pub(crate) fn upload(id: &str, began: i64) -> Row {
    Row(id.to_owned(), false, began, format!("{id}-2"))
}

pub(crate) fn marker(id: &str, second: i64) -> Row {
    Row(id.to_owned(), true, second, String::new())
}

/// A bucket with one key, `k`.
#[derive(Default)]
pub(crate) struct OneKey {
    /// Oldest first.
    pub(crate) rows: Mutex<Vec<Row>>,
    /// How long a page takes; pages of so many rows, all in one if it is nothing.
    pub(crate) page: (Duration, usize),
}

impl OneKey {
    pub(crate) fn of(rows: impl IntoIterator<Item = Row>) -> Self {
        Self {
            rows: Mutex::new(rows.into_iter().collect()),
            ..Self::default()
        }
    }

    pub(crate) fn set(&self, rows: impl IntoIterator<Item = Row>) {
        *self.rows.lock().unwrap() = rows.into_iter().collect();
    }
}

#[async_trait]
impl Lister for OneKey {
    async fn list(&self, _: &str, behind: Option<&Marker>) -> Result<Bytes, ListError> {
        sleep(self.page.0).await;
        let mut rows = self.rows.lock().unwrap().clone();
        rows.reverse();
        let newest = rows.first().map(|row| row.0.clone());
        let behind = behind.and_then(|marker| marker.version_id.clone());
        let begin = rows.iter().position(|row| Some(&row.0) == behind.as_ref());
        let rows = &rows[begin.map_or(0, |place| place + 1)..];
        let size = if self.page.1 == 0 {
            rows.len()
        } else {
            self.page.1
        };
        let mut xml = format!(
            "<ListVersionsResult><IsTruncated>{}</IsTruncated>",
            rows.len() > size
        );
        for Row(id, is_marker, second, tag) in rows.iter().take(size) {
            let kind = if *is_marker {
                "DeleteMarker"
            } else {
                "Version"
            };
            let at = Timestamp(BEGIN + second * 1000);
            let is_latest = newest.as_ref() == Some(id);
            let _ = write!(
                xml,
                "<{kind}><Key>k</Key><VersionId>{id}</VersionId><IsLatest>{is_latest}</IsLatest>\
                 <LastModified>{at}</LastModified>"
            );
            if !is_marker {
                let _ = write!(xml, "<ETag>\"{tag}\"</ETag><Size>1</Size>");
            }
            let _ = write!(xml, "</{kind}>");
        }
        Ok(Bytes::from(xml + "</ListVersionsResult>"))
    }
}

/// A queue that refuses some versions for good.
#[derive(Default)]
pub(crate) struct Picky {
    pub(crate) refuses: Mutex<BTreeSet<String>>,
    pub(crate) taken: Mutex<Vec<Event>>,
}

impl Picky {
    pub(crate) fn refuse(&self, id: &str) {
        self.refuses.lock().unwrap().insert(id.to_owned());
    }

    /// `created v1`, `deleted v1` …, in the order of their coming.
    pub(crate) fn taken(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let word = |event: &Event| match event.change() {
            Some(Change::Created) => format!("created {}", event.version_id),
            Some(Change::Removed) => format!("removed {}", event.version_id),
            _ => format!("deleted {}", event.version_id),
        };
        taken.iter().map(word).collect()
    }
}

#[async_trait]
impl Queue for Picky {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let answer = |message: &Message| {
            let event: Event = serde_json::from_str(&message.body).unwrap();
            if self.refuses.lock().unwrap().contains(&event.version_id) {
                return Err(SendError {
                    kind: FailureKind::Permanent,
                    code: "InvalidMessageContents".to_owned(),
                    message: "it holds what is not allowed".to_owned(),
                });
            }
            self.taken.lock().unwrap().push(event);
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

/// Simulated time, and what was added to it.
pub(crate) struct Later(pub(crate) Instant, pub(crate) AtomicI64);

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp(BEGIN + self.1.load(Ordering::Relaxed)) + self.0.elapsed()
    }
}

/// A table whose calls may fail or take their time.
pub(crate) struct Table {
    pub(crate) keys: SimKeys,
    /// The next so many of these calls fail, without effect.
    pub(crate) failing_returns: AtomicI64,
    pub(crate) failing_removals: AtomicI64,
    /// The next claim takes effect only so long after, and is not answered.
    pub(crate) late_claim: Mutex<Option<Duration>>,
    /// Whether a return takes long of who lets a key go on.
    pub(crate) slow_returns: AtomicBool,
    /// When items may be forgotten, as each write says.
    pub(crate) expires: Mutex<Vec<Timestamp>>,
    /// The next note takes long and goes through, and its answer is lost.
    pub(crate) lost_note: AtomicBool,
}

fn fault() -> LiveStoreError {
    LiveStoreError::Store {
        reason: "InternalServerError".to_owned(),
        kind: FailureKind::Transient,
    }
}

#[async_trait]
impl KeyStore for Table {
    async fn claim(&self, claim: &KeyClaim, now: Timestamp) -> Result<KeyState, LiveStoreError> {
        self.expires.lock().unwrap().push(claim.expires);
        let late = self.late_claim.lock().unwrap().take();
        if let Some(late) = late {
            let (keys, claim) = (self.keys.clone(), claim.clone());
            tokio::spawn(async move {
                sleep(late).await;
                drop(keys.claim(&claim, now).await);
            });
            return Err(fault());
        }
        self.keys.claim(claim, now).await
    }

    async fn mark(&self, key: &str, request: &str, now: Timestamp) -> Result<bool, LiveStoreError> {
        self.keys.mark(key, request, now).await
    }

    async fn give_back(&self, done: &KeyReturn) -> Result<bool, LiveStoreError> {
        self.expires.lock().unwrap().push(done.expires);
        if self.slow_returns.load(Ordering::Relaxed) && done.owner.starts_with(OPERATOR) {
            sleep(Duration::from_millis(500)).await;
        }
        if !done.ends && self.lost_note.swap(false, Ordering::Relaxed) {
            sleep(Duration::from_millis(500)).await;
            drop(self.keys.give_back(done).await);
            return Err(fault());
        }
        if self.failing_returns.fetch_sub(1, Ordering::Relaxed) > 0 {
            return Err(fault());
        }
        self.keys.give_back(done).await
    }

    async fn add_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        self.keys.add_stopped(key).await
    }

    async fn remove_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        if self.failing_removals.fetch_sub(1, Ordering::Relaxed) > 0 {
            return Err(fault());
        }
        self.keys.remove_stopped(key).await
    }

    async fn stopped(&self) -> Result<Vec<String>, LiveStoreError> {
        self.keys.stopped().await
    }
}

/// A stack.
pub(crate) struct Stack {
    pub(crate) bucket: OneKey,
    pub(crate) queue: Picky,
    pub(crate) keys: Table,
    pub(crate) clock: Later,
    pub(crate) stream: Stream,
    pub(crate) writer: Writer,
}

impl Stack {
    /// One that began with `exact` before all.
    pub(crate) fn of(rows: impl IntoIterator<Item = Row>) -> Self {
        Self {
            bucket: OneKey::of(rows),
            queue: Picky::default(),
            keys: Table {
                keys: SimKeys::new(Arc::new(Faults::new(1, 0))),
                failing_returns: AtomicI64::new(0),
                failing_removals: AtomicI64::new(0),
                late_claim: Mutex::default(),
                expires: Mutex::default(),
                slow_returns: AtomicBool::new(false),
                lost_note: AtomicBool::new(false),
            },
            clock: Later(Instant::now(), AtomicI64::new(0)),
            stream: Stream {
                boundary: Some(Timestamp(BEGIN - 1000)),
                generation: 1,
                ..Stream::default()
            },
            writer: Writer {
                format: Format::Bridge,
                order: Order::Key,
                region: String::new(),
            },
        }
    }

    pub(crate) fn exact<'a>(&'a self, request: &'a str) -> Exact<'a> {
        Exact {
            queue: &self.queue,
            writer: &self.writer,
            bucket: &self.bucket,
            dialect: Dialect::of_s3(),
            store: &self.keys,
            stream: &self.stream,
            clock: &self.clock,
            request,
            owner: 1,
            backoff: Backoff::default(),
        }
    }

    /// An invocation with these notifications.
    pub(crate) async fn notify(&self, request: &str, events: &[Event]) -> Delivered {
        let reported = events.iter().map(|event| Reported {
            event,
            is_repeated: false,
        });
        let reported: Vec<_> = reported.collect();
        let mut random = fastrand::Rng::with_seed(1);
        let exact = self.exact(request);
        exact.deliver(&reported, BUDGET, &mut random).await
    }

    /// `{"action":"continue"}`
    pub(crate) async fn go_on(&self, refused: Refused) -> Result<Delivered, GoOnError> {
        let mut random = fastrand::Rng::with_seed(2);
        let exact = self.exact("continue");
        let key = ("ledger", "k");
        exact.go_on(key, refused, BUDGET, &mut random).await
    }
}

/// What S3 notifies of a version's coming, in its second.
pub(crate) fn came(row: &Row) -> Event {
    let Row(id, is_marker, second, tag) = row;
    let (change, name) = match (is_marker, tag.contains('-')) {
        (true, _) => (Change::Removed, "ObjectRemoved:DeleteMarkerCreated"),
        (false, true) => (Change::Created, "ObjectCreated:CompleteMultipartUpload"),
        (false, false) => (Change::Created, "ObjectCreated:Put"),
    };
    let e_tag = (!is_marker).then(|| tag.clone());
    event(id, (change, name), *second, e_tag)
}

/// What S3 notifies of a version's removal for good.
pub(crate) fn gone(id: &str, second: i64) -> Event {
    event(id, (Change::Deleted, "ObjectRemoved:Delete"), second, None)
}

fn event(id: &str, (change, name): (Change, &str), second: i64, e_tag: Option<String>) -> Event {
    Event {
        event_id: event_id("ledger", "k", id, change),
        source: Source::Realtime,
        event_name: name.to_owned(),
        bucket: "ledger".to_owned(),
        key: "k".to_owned(),
        version_id: id.to_owned(),
        event_time: Timestamp(BEGIN + second * 1000 + 500),
        sequencer: Some(format!("{second:010X}")),
        size: None,
        e_tag,
        is_latest: None,
        job_id: None,
        sequence: None,
    }
}
