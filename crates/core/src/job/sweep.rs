//! Continues jobs whose segment died or whose continuation was lost. Run every minute.

use metrics::counter;

use super::state::Job;
use super::{JobError, Ports};
use crate::mistake::Mistake;
use crate::time::Millis;

/// How long a job that nobody holds may wait for a continuation that is on its way.
const GRACE_MS: i64 = 15_000;

/// Asks for a segment of every job that should have one. Tells which.
///
/// # Errors
/// The store's. A continuation that cannot be asked for is tried again by the next sweep.
pub async fn sweep(ports: &Ports) -> Result<Vec<String>, JobError> {
    let now = ports.clock.now();
    let mut continued = Vec::new();
    for job in ports.jobs.list().await? {
        if !is_stranded(&job, now) || Mistake::NoSweep.is_planted() {
            continue;
        }
        match ports.continuation.invoke(&job.job_id, job.epoch).await {
            Ok(()) => {
                tracing::warn!(
                    job = job.job_id,
                    epoch = job.epoch,
                    "continuing a stranded job"
                );
                counter!("JobsContinuedBySweep").increment(1);
                continued.push(job.job_id);
            }
            Err(error) => tracing::error!(job = job.job_id, %error, "could not be continued"),
        }
    }
    Ok(continued)
}

fn is_stranded(job: &Job, now: Millis) -> bool {
    let waits_for_nobody = job.lease.is_some() || job.updated_at.plus(GRACE_MS) <= now;
    job.is_active() && !job.is_leased(now) && waits_for_nobody
}
