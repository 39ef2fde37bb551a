//! Keeps a job in a segment's hand: the lease, its heartbeat, and every write of the job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::state::{Job, Lease};
use super::{JobStore, JobStoreError};
use crate::clock::Clock;
use crate::delivery::lane::Gate;
use crate::mistake::Mistake;
use crate::plan::{Manifest, PlanError, PlanStore};
use crate::scan::Commit;

/// The longest that one call of the job store may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the job could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// Another segment has the job: this one must do nothing more.
    #[error("the job was taken over by another segment")]
    Fenced,
    /// The store's refusal; the write may or may not have gone through.
    #[error(transparent)]
    Store(#[from] JobStoreError),
}

/// Holds the job of a segment.
pub struct Keeper {
    store: Arc<dyn JobStore>,
    plans: Arc<dyn PlanStore>,
    clock: Arc<dyn Clock>,
    lease_ms: i64,
    /// The job as last written. Held over a write, so that writes follow each other.
    job: Mutex<Job>,
    /// The end of the lease that is known to be stored, ms.
    lease_until: AtomicI64,
    fenced: AtomicBool,
    /// Cancelled when the segment should come to an end.
    stop: CancellationToken,
}

impl Keeper {
    /// Holds `job`, whose lease has just been stored.
    #[must_use]
    pub fn new(
        job: Job,
        store: Arc<dyn JobStore>,
        plans: Arc<dyn PlanStore>,
        clock: Arc<dyn Clock>,
        lease: Duration,
        stop: CancellationToken,
    ) -> Self {
        let until = job.lease.as_ref().map_or(0, |lease| lease.until.0);
        Self {
            store,
            plans,
            clock,
            lease_ms: i64::try_from(lease.as_millis()).unwrap_or(i64::MAX),
            job: Mutex::new(job),
            lease_until: AtomicI64::new(until),
            fenced: AtomicBool::new(false),
            stop,
        }
    }

    /// The job as last written.
    pub async fn job(&self) -> Job {
        self.job.lock().await.clone()
    }

    /// Milliseconds since the job got further, over all its segments.
    pub async fn stalled_ms(&self) -> i64 {
        self.job.lock().await.stalled_ms(self.clock.now())
    }

    /// Whether another segment has the job.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::SeqCst)
    }

    /// Changes the job, renewing the lease if `change` leaves it. An operator's wish that was
    /// written meanwhile is kept and ends the segment.
    ///
    /// # Errors
    /// [`KeepError`]; after `Fenced` nothing can be written any more.
    pub async fn update(&self, change: impl Fn(&mut Job) + Send + Sync) -> Result<(), KeepError> {
        let mut job = self.job.lock().await;
        loop {
            if self.is_fenced() {
                return Err(KeepError::Fenced);
            }
            let now = self.clock.now();
            let mut next = job.next(now);
            if let Some(Lease { until, .. }) = &mut next.lease {
                *until = now.plus(self.lease_ms);
            }
            change(&mut next);
            next.note_progress(&job, now);
            match in_time(self.store.replace(&next, job.stamp())).await {
                Ok(()) => {
                    let until = next.lease.as_ref().map_or(0, |lease| lease.until.0);
                    self.lease_until.store(until, Ordering::SeqCst);
                    *job = next;
                    return Ok(());
                }
                Err(JobStoreError::Conflict { .. }) => {
                    let stored = in_time(self.store.load(&job.job_id)).await?;
                    // The same holder at the same epoch: an operator's wish, or our own write
                    // whose answer was lost. Changes are absolute, so doing it again is right.
                    let ours = stored.filter(|s| {
                        Mistake::EpochNotChecked.is_planted()
                            || s.epoch == job.epoch
                                && s.lease.as_ref().map(|l| &l.owner)
                                    == job.lease.as_ref().map(|l| &l.owner)
                    });
                    let Some(stored) = ours else {
                        self.fence();
                        return Err(KeepError::Fenced);
                    };
                    if stored.wish.is_some() {
                        self.stop.cancel();
                    }
                    *job = stored;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn fence(&self) {
        self.fenced.store(true, Ordering::SeqCst);
        self.stop.cancel();
    }
}

/// A store that hangs must not keep a segment past its lease.
async fn in_time<T>(
    call: impl Future<Output = Result<T, JobStoreError>>,
) -> Result<T, JobStoreError> {
    timeout(STORE_TIMEOUT, call).await.unwrap_or_else(|_| {
        Err(JobStoreError::Unavailable(format!(
            "no answer within {} s",
            STORE_TIMEOUT.as_secs()
        )))
    })
}

impl Gate for Keeper {
    fn is_open(&self, request: Duration) -> bool {
        let end = i64::try_from(request.as_millis())
            .unwrap_or(i64::MAX)
            .saturating_add(self.clock.now().0);
        let open = Mistake::SendingPastTheLease.is_planted()
            || !self.is_fenced() && end < self.lease_until.load(Ordering::SeqCst);
        if !open {
            self.stop.cancel();
        }
        open
    }
}

#[async_trait]
impl Commit for Keeper {
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError> {
        let epoch = self.job.lock().await.epoch;
        manifest.generation += 1;
        let name = manifest.save(&*self.plans, epoch).await?;
        let (pages, listed) = (manifest.pages, manifest.listed);
        self.update(move |job| {
            job.manifest = Some(name.clone());
            job.counts.pages = pages;
            job.counts.listed = listed;
        })
        .await
        .map_err(|error| match error {
            KeepError::Fenced => PlanError::Fenced,
            KeepError::Store(error) => PlanError::Commit(error.to_string()),
        })
    }
}
