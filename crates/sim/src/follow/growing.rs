//! A bucket that is written while it is listed, its clock, and what S3 notifies of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::Clock as _;
use bridge_core::event::{Change, Event, Source};
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::Marker;
use bridge_core::listing::version::ObjectVersion;
use bridge_core::timestamp::Timestamp;
use bridge_history::job::live::{BucketClock, LivePortError};
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::bucket::{Bucket, STYLE};
use crate::faults::{Faults, Strike};
use crate::follow::buffer::Buffer;
use crate::store::SimJobs;
use crate::world::{BEGIN, SimClock};

/// How long after `until` a bucket may be listed at the earliest.
const SETTLED: Duration = Duration::from_mins(1);

/// Milliseconds of a day.
pub(super) const DAY: i64 = 24 * 60 * 60 * 1000;

/// When a version came, which its date does not always tell, and as which of its key's changes.
pub(super) type Came = BTreeMap<(String, String), (Timestamp, u64)>;

/// A bucket that is written while it is listed.
pub(super) struct Growing {
    bucket: Mutex<Bucket>,
    /// Of what was written since the beginning.
    came: Mutex<Came>,
    faults: Arc<Faults>,
    clock: SimClock,
    jobs: Arc<SimJobs>,
    is_written: AtomicBool,
    violations: Mutex<Vec<String>>,
}

impl Growing {
    pub(super) fn new(faults: Arc<Faults>, clock: SimClock, jobs: Arc<SimJobs>) -> Self {
        Self {
            bucket: Mutex::default(),
            came: Mutex::default(),
            faults,
            clock,
            jobs,
            is_written: AtomicBool::new(true),
            violations: Mutex::default(),
        }
    }

    pub(super) fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn came(&self) -> Came {
        let came = self.came.lock();
        came.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Versions of the time before.
    pub(super) fn fill(&self, versions: u64, keys: u64, random: &mut fastrand::Rng) {
        let mut bucket = self.bucket();
        for number in (0..versions).rev() {
            let at = BEGIN.0 - 1000 * i64::try_from(number).unwrap_or(0) - 60_000;
            bucket.put(&key(random.u64(0..keys)), Timestamp(at));
        }
    }

    pub(super) fn stop_writing(&self) {
        self.is_written.store(false, Ordering::Relaxed);
    }

    /// Where it was listed too early.
    pub(super) fn violations(&self) -> Vec<String> {
        let violations = self.violations.lock();
        violations.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a change, as S3 dates it; its notification.
    fn write(&self, key: &str, number: u64, deed: Deed) -> Event {
        let now = self.clock.now();
        let from = |time: Timestamp, unit: i64| Timestamp(time.0 - time.0.rem_euclid(unit));
        let mut bucket = self.bucket();
        let version = match deed {
            Deed::EndUpload { took } => Some(bucket.end_upload(key, from(now - took, 1000))),
            Deed::Put => {
                bucket.put(key, from(now, 1000));
                bucket.newest(key)
            }
            Deed::Delete { by_lifecycle } => {
                let unit = if by_lifecycle { DAY } else { 1000 };
                bucket.delete(key, from(now, unit));
                bucket.newest(key)
            }
        };
        let version = version.cloned().expect("it was just written");
        drop(bucket);
        let id = (version.key.clone(), version.version_id.clone());
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        came.insert(id, (now, number));
        event(&version, deed, number, now)
    }

    async fn page(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        let strike = self.faults.strike().await;
        if strike != Strike::None {
            return Err(ListError {
                kind: strike.kind(),
                code: "SlowDown".to_owned(),
                message: "simulated".to_owned(),
            });
        }
        Ok(Bytes::from(self.bucket().page(prefix, marker, STYLE)))
    }

    /// The scan may begin a minute after `until`.
    fn look_at_the_clock(&self) {
        let now = self.clock.now();
        let jobs = self.jobs.jobs();
        let job = jobs.values().next();
        let until = job.and_then(|job| job.options.filter.until);
        if until.is_none_or(|until| now < until + SETTLED) {
            let text = format!("listed at {now}, the history ends at {until:?}");
            let violations = self.violations.lock();
            violations
                .unwrap_or_else(PoisonError::into_inner)
                .push(text);
        }
    }
}

/// What a writer does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Put,
    /// A rule's marker has the midnight before.
    Delete {
        by_lifecycle: bool,
    },
    EndUpload {
        took: Duration,
    },
}

fn key(number: u64) -> String {
    format!("k{number}")
}

/// What S3 notifies of a version.
fn event(version: &ObjectVersion, deed: Deed, number: u64, now: Timestamp) -> Event {
    let what = match deed {
        Deed::Delete { by_lifecycle: true } => {
            (Change::Removed, "LifecycleExpiration:DeleteMarkerCreated")
        }
        Deed::Delete { .. } => (Change::Removed, "ObjectRemoved:DeleteMarkerCreated"),
        Deed::Put => (Change::Created, "ObjectCreated:Put"),
        Deed::EndUpload { .. } => (Change::Created, "ObjectCreated:CompleteMultipartUpload"),
    };
    let (key, id) = (version.key.as_str(), version.version_id.as_str());
    Event {
        sequencer: Some(format!("{number:010X}")),
        size: version.size,
        e_tag: version.e_tag.clone(),
        ..Event::new(Source::Realtime, "ledger", key, id, what, now)
    }
}

#[async_trait]
impl Lister for Growing {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        self.look_at_the_clock();
        self.page(prefix, marker).await
    }
}

/// The same bucket, as live order lists it at any time.
pub(super) struct Listed(pub(super) Arc<Growing>);

#[async_trait]
impl Lister for Listed {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        self.0.page(prefix, marker).await
    }
}

#[async_trait]
impl BucketClock for Growing {
    /// In whole seconds, as the `Date` of an answer.
    async fn now(&self) -> Result<Timestamp, LivePortError> {
        match self.faults.strike().await {
            Strike::None => Ok(Timestamp(self.clock.now().0.div_euclid(1000) * 1000)),
            strike => Err(LivePortError {
                reason: format!("{strike:?}"),
                kind: strike.kind(),
            }),
        }
    }
}

/// How writers and notifications behave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writers {
    /// One writer each.
    pub(super) keys: u64,
    /// The longest between two changes of a key.
    pub(super) pause_ms: u64,
    /// The longest that a notification is on its way.
    pub(super) delay_ms: u64,
    /// Of 10 notifications, how many come twice.
    pub(super) doubled_of_ten: u64,
    /// Of 10 changes, how many are the end of an upload in parts, and of the others' deletes, how many a rule's.
    pub(super) dated_back_of_ten: u64,
}

/// Changes of a key, at most.
const MOST_CHANGES: u64 = 400;

impl Writers {
    /// Writes until it is stopped. Who drops it stops it, too.
    pub(super) fn write(
        self,
        growing: &Arc<Growing>,
        buffer: &Arc<Buffer>,
        mut random: fastrand::Rng,
    ) -> JoinSet<()> {
        let mut writers = JoinSet::new();
        for number in 0..self.keys {
            let (growing, buffer) = (Arc::clone(growing), Arc::clone(buffer));
            writers.spawn(self.write_key(key(number), growing, buffer, random.fork()));
        }
        writers
    }

    fn deed(&self, random: &mut fastrand::Rng) -> Deed {
        if random.u64(0..10) < self.dated_back_of_ten {
            let took = [1, 1_500, 30_000, 600_000][random.usize(0..4)];
            return Deed::EndUpload {
                took: Duration::from_millis(took),
            };
        }
        if random.u8(0..5) > 0 {
            return Deed::Put;
        }
        Deed::Delete {
            by_lifecycle: random.u64(0..10) < self.dated_back_of_ten,
        }
    }

    async fn write_key(
        self,
        key: String,
        growing: Arc<Growing>,
        buffer: Arc<Buffer>,
        mut random: fastrand::Rng,
    ) {
        for change in 0..MOST_CHANGES {
            sleep(Duration::from_millis(random.u64(0..=self.pause_ms))).await;
            if !growing.is_written.load(Ordering::Relaxed) {
                return;
            }
            let event = growing.write(&key, change, self.deed(&mut random));
            let twice = random.u64(0..10) < self.doubled_of_ten;
            for _ in 0..=u64::from(twice) {
                let delay = Duration::from_millis(random.u64(0..=self.delay_ms));
                buffer.send(event.clone(), delay);
            }
        }
    }
}
