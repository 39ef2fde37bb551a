//! Continues jobs whose segment died or whose continuation was lost. Run every minute.

use std::time::Duration;

use bridge_core::timestamp::Timestamp;
use metrics::counter;

use crate::id::JobId;
use crate::job::error::{JobError, JobStoreError};
use crate::job::ports::Ports;
use crate::job::state::Job;

/// How long a job may go unwritten: a segment at work writes every few seconds, and a continuation
/// that is on its way is there by then.
const GRACE: Duration = Duration::from_secs(15);

/// Asks for a segment of every job that should have one. Tells which. It reads the jobs at work only.
///
/// # Errors
/// The store's. A continuation that cannot be asked for is tried again by the next sweep.
pub async fn sweep(ports: &Ports) -> Result<Vec<JobId>, JobError> {
    let now = ports.clock.now();
    let mut continued = Vec::new();
    for id in ports.jobs.active().await? {
        let job = match ports.jobs.load(&id).await {
            Ok(Some(job)) => job,
            Ok(None) => continue,
            Err(error @ JobStoreError::Unreadable { .. }) => {
                tracing::error!(%error, "a job is passed over");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if !is_stranded(&job, now) {
            continue;
        }
        match ports.continuation.invoke(&job.job_id, job.epoch).await {
            Ok(()) => {
                tracing::warn!(
                    job = %job.job_id,
                    epoch = job.epoch.0,
                    "continuing a stranded job"
                );
                counter!("JobsContinuedBySweep").increment(1);
                continued.push(job.job_id);
            }
            Err(error) => tracing::error!(job = %job.job_id, %error, "could not be continued"),
        }
    }
    Ok(continued)
}

/// Whether the job has not been written lately, or (by a clock that is off) in the future. It may be
/// at work all the same: the segment that is asked for watches the job before it takes it.
fn is_stranded(job: &Job, now: Timestamp) -> bool {
    job.is_active() && now.since(job.updated_at).max(job.updated_at.since(now)) >= GRACE
}
