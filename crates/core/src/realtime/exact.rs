//! `LIVE_ORDER=exact`: what is sent is read from the bucket that a change is of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::SystemClock;
use crate::failure::FailureKind;
use crate::forward::{Delivered, Undelivered};
use crate::listing::dialect::Dialect;
use crate::listing::lister::Lister;
use crate::live::exact::Exact;
use crate::live::exact::reported::Reported;
use crate::live::exact::store::KeyStore;
use crate::live::stream::Stream;
use crate::queue::error::SendError;
use crate::queue::message::Writer;
use crate::queue::port::Queue;
use crate::retry::Backoff;
use crate::watched::{Versioned, Versioning};
use tokio::time::Instant;

use crate::realtime::invocation::Invocation;
use crate::realtime::order::Change;

/// Code of the reason why nothing of a bucket is sent that was never versioned.
const NOT_VERSIONED: &str = "NotVersioned";

/// A port of the bucket of a name.
pub type OfBucket<T> = Box<dyn Fn(&str) -> Box<T> + Send + Sync>;

/// What `exact` works with.
pub struct ExactPorts {
    /// How far each key has been sent.
    pub keys: Box<dyn KeyStore>,
    /// The bucket of a name, to be listed.
    pub lister: OfBucket<dyn Lister>,
    /// The same, to be asked whether it is versioned.
    pub watched: OfBucket<dyn Versioned>,
    /// What is known of its server.
    pub dialect: Dialect,
    /// Buckets that were found to be versioned.
    pub versioned: Mutex<BTreeSet<String>>,
}

impl ExactPorts {
    /// Sends what is new of the keys that changes are of, bucket by bucket. Numbers of what comes of it are
    /// indices of `changes`.
    pub(super) async fn send(
        &self,
        changes: &[Change],
        (queue, writer): (&dyn Queue, &Writer),
        stream: &Stream,
        invocation: &Invocation<'_>,
        random: &mut fastrand::Rng,
    ) -> Delivered {
        let end = Instant::now() + invocation.budget;
        let mut of_bucket: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (number, change) in (0..).zip(changes) {
            let numbers = of_bucket.entry(&change.event.bucket).or_default();
            numbers.push(number);
        }
        let mut all = Delivered::default();
        for (bucket, numbers) in of_bucket {
            if let Err(refusal) = self.check_versioning(bucket).await {
                all.leave_all(numbers, &refusal);
                continue;
            }
            let lister = (self.lister)(bucket);
            let exact = self.exact((queue, writer), &*lister, stream, invocation, random);
            let reported = numbers.iter().filter_map(|number| {
                let change = changes.get(usize::try_from(*number).ok()?)?;
                Some(Reported {
                    event: &change.event,
                    is_repeated: change.is_repeated,
                })
            });
            let reported: Vec<_> = reported.collect();
            let left: Duration = end.saturating_duration_since(Instant::now());
            let delivered = exact.deliver(&reported, left, random).await;
            add(&mut all, delivered, &numbers);
        }
        all
    }

    /// What works on one bucket in one invocation.
    pub(super) fn exact<'a>(
        &'a self,
        (queue, writer): (&'a dyn Queue, &'a Writer),
        bucket: &'a dyn Lister,
        stream: &'a Stream,
        invocation: &Invocation<'a>,
        random: &mut fastrand::Rng,
    ) -> Exact<'a> {
        Exact {
            queue,
            writer,
            bucket,
            dialect: self.dialect,
            store: &*self.keys,
            stream,
            clock: &SystemClock,
            request: invocation.request_id,
            owner: random.u32(..),
            backoff: Backoff::default(),
        }
    }

    /// Refuses a bucket that was never versioned: of its keys nothing but the last version is left to be read.
    /// Where it may not be asked, it is taken to be versioned.
    async fn check_versioning(&self, bucket: &str) -> Result<(), SendError> {
        let versioned = || {
            self.versioned
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if versioned().contains(bucket) {
            return Ok(());
        }
        match (self.watched)(bucket).versioning().await {
            Ok(Versioning::Never) => {
                return Err(SendError {
                    kind: FailureKind::Permanent,
                    code: NOT_VERSIONED.to_owned(),
                    message: format!(
                        "LIVE_ORDER is exact, but bucket {bucket} is not versioned: what was overwritten \
                         cannot be read; enable versioning, or choose newest"
                    ),
                });
            }
            Ok(Versioning::Enabled | Versioning::Suspended) => {}
            Err(none) if none.is_refused => {
                tracing::warn!(bucket, reason = none.reason, "versioning is not checked");
            }
            Err(none) => {
                return Err(SendError {
                    kind: FailureKind::Transient,
                    code: NOT_VERSIONED.to_owned(),
                    message: format!(
                        "asking whether bucket {bucket} is versioned: {}",
                        none.reason
                    ),
                });
            }
        }
        versioned().insert(bucket.to_owned());
        Ok(())
    }
}

/// Adds what came of one bucket's changes, whose numbers among all are given.
fn add(all: &mut Delivered, of_bucket: Delivered, numbers: &[u64]) {
    let number = |index: u64| {
        let index = usize::try_from(index).ok()?;
        numbers.get(index).copied()
    };
    let among_all = |indices: Vec<u64>| indices.into_iter().filter_map(number);
    all.sent += of_bucket.sent;
    all.retried += of_bucket.retried;
    all.healed += of_bucket.healed;
    all.listings += of_bucket.listings;
    all.stopped.extend(of_bucket.stopped);
    all.late.extend(among_all(of_bucket.late));
    all.handed.extend(among_all(of_bucket.handed));
    let left = of_bucket.leftover.into_iter().filter_map(|left| {
        Some(Undelivered {
            number: number(left.number)?,
            ..left
        })
    });
    all.leftover.extend(left);
}
