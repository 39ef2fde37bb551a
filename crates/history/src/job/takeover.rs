//! How a segment gets its job.

use std::time::Duration;

use bridge_core::failure::Failure as _;
use bridge_core::retry::{Backoff, Retry};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::id::JobId;
use crate::job::error::{JobError, JobStoreError};
use crate::job::invocation::Invocation;
use crate::job::ports::Ports;
use crate::job::settings::SegmentSettings;
use crate::job::state::{AcquireError, Job, Seen};
use crate::job::store::in_time;

/// For how long a job store that fails is asked for the job. After that the sweep asks for another
/// segment.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a lease is watched for beyond its length, for timers that are late.
const BEYOND: Duration = Duration::from_secs(2);

/// A job that belongs to this segment.
pub(super) struct Taken {
    /// The job as it is stored.
    pub job: Job,
    /// Before the write that took it: its lease is counted from here.
    pub begun: Instant,
}

/// Takes a job, or tells why it is left alone. One that has failed by being taken is not active.
///
/// # Errors
/// [`JobError`] when the job does not exist or the store is unavailable.
pub(super) async fn take(
    ports: &Ports,
    settings: &SegmentSettings,
    invocation: &Invocation<'_>,
) -> Result<Result<Taken, AcquireError>, JobError> {
    let Invocation {
        job_id,
        expected_epoch,
        owner,
        budget,
        stop,
    } = invocation;
    let (expected_epoch, budget) = (*expected_epoch, *budget);
    let mut random = fastrand::Rng::with_seed(settings.seed);
    // Lambda may deliver one invocation twice: its id alone is no owner.
    let owner = format!("{owner}#{:08x}", random.u32(..));
    let retry = Retry {
        backoff: Backoff::default(),
        retry_timeout: RETRY_TIMEOUT,
        stop: stop.clone(),
    };
    let stored = retry
        .run(&mut random, || load(ports, job_id))
        .await?
        .ok_or_else(|| JobError::NoSuchJob(job_id.to_string()))?;
    let mut seen = Seen::Once;
    let now = ports.clock.now();
    match stored.take_over(&owner, expected_epoch, now, settings.lease, seen) {
        Err(held @ AcquireError::LeaseHeld { .. }) => {
            if !is_forsaken(ports, settings, &stored, budget, stop).await? {
                return Ok(Err(held));
            }
            seen = Seen::Unchanged;
        }
        Err(reason) => return Ok(Err(reason)),
        Ok(_) => {}
    }
    let first = Instant::now();
    let (stored, owner) = (&stored, &owner);
    let taken = retry.run(&mut random, || async move {
        let now = ports.clock.now();
        let job = match stored.take_over(owner, expected_epoch, now, settings.lease, seen) {
            Ok(job) => job,
            Err(reason) => return Ok(Err(reason)),
        };
        let begun = Instant::now();
        match in_time(ports.jobs.replace(&job, stored.stored_revision())).await {
            Ok(()) => Ok(Ok(Taken { job, begun })),
            Err(JobStoreError::Conflict { .. }) => {
                // Somebody else's, or this segment's own, if an answer was lost.
                let found = load(ports, job_id).await?;
                let other = AcquireError::OtherEpoch {
                    found: job.epoch,
                    expected: stored.epoch,
                };
                let ours =
                    found.filter(|found| found.lease.as_ref().is_some_and(|l| l.owner == *owner));
                Ok(ours.map(|job| Taken { job, begun: first }).ok_or(other))
            }
            Err(error) => Err(error),
        }
    });
    Ok(taken.await?)
}

async fn load(ports: &Ports, job_id: &JobId) -> Result<Option<Job>, JobStoreError> {
    in_time(ports.jobs.load(job_id)).await
}

/// Whether the holder of the job's lease has stopped, whatever its clock says: nothing was written
/// for the length of a lease. A segment with little time looks at the clock instead.
///
/// # Errors
/// The store's.
async fn is_forsaken(
    ports: &Ports,
    settings: &SegmentSettings,
    job: &Job,
    budget: Duration,
    stop: &CancellationToken,
) -> Result<bool, JobStoreError> {
    let length = settings.lease + BEYOND;
    if budget < length + length / 3 {
        return Ok(!job.is_leased(ports.clock.now()));
    }
    let begin = Instant::now();
    while begin.elapsed() < length {
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = sleep(settings.heartbeat) => {}
        }
        match load(ports, &job.job_id).await {
            Ok(Some(found)) if found.stored_revision() == job.stored_revision() => {}
            Ok(_) => return Ok(false),
            // What cannot be seen now is seen at the end: a write changes the revision for good.
            Err(error) if error.may_pass() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::slow::{SlowJobs, WRITE, ports};
    use crate::job::state::tests::job;

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_counted_from_before_the_write_that_took_the_job() {
        // Of a write whose answer was lost, the next attempt finds out only that it went through.
        for lost_answers in [0, 1] {
            let job = job();
            let ports = ports(SlowJobs::new(job.clone(), lost_answers));
            let invocation = Invocation {
                job_id: &job.job_id,
                expected_epoch: Some(job.epoch),
                owner: "me",
                budget: Duration::from_mins(10),
                stop: CancellationToken::new(),
            };
            let settings = SegmentSettings::new("eu-west-1".to_owned(), 1);
            let before = Instant::now();
            let taken = take(&ports, &settings, &invocation).await.unwrap().unwrap();
            assert!(before.elapsed() >= WRITE, "{:?}", before.elapsed());
            assert_eq!(taken.begun, before, "{lost_answers} answers lost");
        }
    }
}
