//! Keeps a job in a segment's hand: the lease, its heartbeat, and every write of the job.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex as Lock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::failure::{Failure, FailureKind};
use bridge_core::retry::Retry;
use bridge_core::timestamp::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::job::error::JobStoreError;
use crate::job::ports::Ports;
use crate::job::state::{Job, Lease};
use crate::job::store::in_time;
use crate::job::takeover::Taken;
use crate::plan::commit::Commit;
use crate::plan::manifest::Manifest;
use crate::plan::store::PlanError;
use crate::send::gate::Gate;

/// Why the job could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Another segment has the job: this one must do nothing more.
    #[error("the job was taken over by another segment")]
    Fenced,
    /// The store's refusal; the write may or may not have gone through.
    #[error(transparent)]
    Store(#[from] JobStoreError),
}

impl Failure for LeaseError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Fenced => FailureKind::Permanent,
            Self::Store(error) => error.kind(),
        }
    }
}

/// Holds the job of a segment.
pub struct JobLease {
    ports: Ports,
    length: Duration,
    retry: Retry,
    /// Jitter.
    random: Lock<fastrand::Rng>,
    /// The job as last written. Held over a write, so that writes follow each other.
    job: Mutex<Job>,
    /// The end of the lease that is known to be stored.
    lease_end: Lock<LeaseEnd>,
    fenced: AtomicBool,
    /// Cancelled when the segment should come to an end.
    stop: CancellationToken,
}

/// When a lease ends by this machine's two clocks, counted from before the write that renewed it.
/// The wall clock may be set back, and the other one stands still while a machine sleeps: the
/// earlier end holds.
#[derive(Debug, Clone, Copy)]
struct LeaseEnd {
    wall: Timestamp,
    steady: Instant,
}

impl LeaseEnd {
    /// Whether a request that takes as long as `request` ends before the lease does, by both clocks.
    fn outlasts(&self, request: Duration, wall: Timestamp, steady: Instant) -> bool {
        wall + request < self.wall && self.steady.saturating_duration_since(steady) > request
    }
}

impl JobLease {
    /// Holds a job, whose lease of `length` has just been stored.
    #[must_use]
    pub(super) fn new(
        taken: Taken,
        length: Duration,
        ports: Ports,
        retry: Retry,
        random: fastrand::Rng,
    ) -> Self {
        Self {
            ports,
            length,
            lease_end: Lock::new(LeaseEnd {
                wall: end_of_lease(&taken.job),
                steady: taken.begun + length,
            }),
            job: Mutex::new(taken.job),
            random: Lock::new(random),
            fenced: AtomicBool::new(false),
            stop: retry.stop.clone(),
            retry,
        }
    }

    /// The job as last written.
    pub async fn job(&self) -> Job {
        self.job.lock().await.clone()
    }

    /// How long ago the job got further, over all its segments.
    pub async fn stalled(&self) -> Duration {
        self.job.lock().await.stalled(self.ports.clock.now())
    }

    /// Whether another segment has the job.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::SeqCst)
    }

    /// Changes the job as [`JobLease::try_update`] does, again while the store fails: `change` may run
    /// many times, each time on the job as it was.
    ///
    /// # Errors
    /// [`LeaseError`]; after `Fenced` nothing can be written any more.
    pub async fn update(&self, change: impl Fn(&mut Job) + Send + Sync) -> Result<(), LeaseError> {
        let mut random = self
            .random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fork();
        self.retry
            .run(&mut random, || self.try_update(&change))
            .await
    }

    /// Changes the job, renewing the lease if `change` leaves it. An operator's request that was
    /// written meanwhile is kept and ends the segment; `change` then runs again, on the job with the
    /// request. So what it sets must not depend on what it set before.
    ///
    /// # Errors
    /// [`LeaseError`]; after `Fenced` nothing can be written any more.
    pub async fn try_update(
        &self,
        change: &(impl Fn(&mut Job) + Send + Sync),
    ) -> Result<(), LeaseError> {
        let mut job = self.job.lock().await;
        loop {
            if self.is_fenced() {
                return Err(LeaseError::Fenced);
            }
            let (now, begun) = (self.ports.clock.now(), Instant::now());
            let mut next = job.next(now);
            if let Some(Lease { until, .. }) = &mut next.lease {
                *until = now + self.length;
            }
            change(&mut next);
            next.note_progress(&job, now);
            match in_time(self.ports.jobs.replace(&next, job.stored_revision())).await {
                Ok(()) => {
                    *self.lease_end() = LeaseEnd {
                        wall: end_of_lease(&next),
                        steady: begun + self.length,
                    };
                    *job = next;
                    return Ok(());
                }
                Err(JobStoreError::Conflict { .. }) => {
                    let stored = in_time(self.ports.jobs.load(&job.job_id)).await?;
                    // Whoever else takes or ends a job raises its epoch. At this segment's there are
                    // only an operator's request, and its own write whose answer was lost. Changes are
                    // absolute, so doing it again is right.
                    let ours = stored.filter(|s| s.epoch == job.epoch);
                    let Some(stored) = ours else {
                        self.fence();
                        return Err(LeaseError::Fenced);
                    };
                    if stored.stop_request.is_some() {
                        self.stop.cancel();
                    }
                    let was_released = stored.epoch == job.epoch && stored.lease.is_none();
                    *job = stored;
                    if was_released {
                        // The last change of all, whose answer was lost.
                        self.lease_end().wall = Timestamp(0);
                        return Ok(());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn lease_end(&self) -> std::sync::MutexGuard<'_, LeaseEnd> {
        self.lease_end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn fence(&self) {
        self.fenced.store(true, Ordering::SeqCst);
        self.stop.cancel();
    }
}

fn end_of_lease(job: &Job) -> Timestamp {
    job.lease.as_ref().map_or(Timestamp(0), |lease| lease.until)
}

impl Gate for JobLease {
    fn is_open(&self, request: Duration) -> bool {
        let lasts = (self.lease_end()).outlasts(request, self.ports.clock.now(), Instant::now());
        let open = !self.is_fenced() && lasts;
        if !open {
            self.stop.cancel();
        }
        open
    }
}

#[async_trait]
impl Commit for JobLease {
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError> {
        let epoch = self.job.lock().await.epoch;
        manifest.generation += 1;
        let name = manifest.save(&*self.ports.plans, epoch).await?;
        let (pages, listed) = (manifest.pages, manifest.listed);
        self.update(move |job| {
            job.manifest = Some(name.clone());
            job.counts.pages = pages;
            job.counts.listed = listed;
        })
        .await
        .map_err(|error| match error {
            LeaseError::Fenced => PlanError::Fenced,
            LeaseError::Store(error) => PlanError::Commit(error.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::retry::Backoff;
    use tokio::time::sleep;

    use super::*;
    use crate::job::slow::{SlowJobs, WRITE, ports};
    use crate::job::state::tests::leased;

    const LENGTH: Duration = Duration::from_mins(1);

    /// Whether the lease lasts for `seconds` more, to the millisecond.
    fn lasts(lease: &JobLease, seconds: u64) -> bool {
        let left = |less: u64| Duration::from_millis(seconds * 1000 - less);
        lease.is_open(left(1)) && !lease.is_open(left(0))
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_counted_from_before_the_write_that_renews_it() {
        let job = leased();
        let taken = Taken {
            job: job.clone(),
            begun: Instant::now(),
        };
        let retry = Retry {
            backoff: Backoff::default(),
            retry_timeout: LENGTH,
            stop: CancellationToken::new(),
        };
        let ports = ports(SlowJobs::new(job, 0));
        let lease = JobLease::new(taken, LENGTH, ports, retry, fastrand::Rng::with_seed(1));
        sleep(Duration::from_secs(20)).await;
        assert!(lasts(&lease, 40), "it was taken 20 s ago");
        for _ in 0..2 {
            let before = Instant::now();
            lease.try_update(&|_: &mut Job| {}).await.unwrap();
            assert_eq!(before.elapsed(), WRITE);
            assert!(lasts(&lease, 57), "its write began 3 s ago");
        }
    }

    #[test]
    fn the_earlier_of_two_clocks_ends_a_lease() {
        let second = Duration::from_secs(1);
        let begun = Instant::now();
        let end = LeaseEnd {
            wall: Timestamp(60_000),
            steady: begun + 60 * second,
        };
        for (wall, steady, lasts) in [
            (0, 0, true),
            (49_000, 49, true),
            (50_000, 49, false),
            (49_000, 50, false),
            (-500_000, 61, false), // put back
            (600_000, 1, false),   // the machine slept
            (i64::MAX, 0, false),
        ] {
            let steady = begun + steady * second;
            let found = end.outlasts(10 * second, Timestamp(wall), steady);
            assert_eq!(found, lasts, "{wall} {steady:?}");
        }
    }
}
