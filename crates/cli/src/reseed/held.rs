//! Whether a job of the same directory, which live changes are to follow, has a queue to itself.

use std::path::Path;

use bridge_history::job::error::JobStoreError;
use bridge_history::job::phase::Phase;
use bridge_history::job::state::Job;
use bridge_history::job::store::JobStore;
use bridge_history::send::target::Target;
use bridge_local::jobs::LocalJobs;

use crate::Usage;

/// Refuses to send to a queue that gets its history from another job, and then what is live: nothing may come between
/// (contract 8). Holds of other directories are not seen; that of a live table is `serve`'s to see.
///
/// # Errors
/// [`Usage`] with what to do; else the job store's.
pub(crate) async fn check(store: &LocalJobs, state: &Path, target: &Target) -> anyhow::Result<()> {
    match holder(store, target).await? {
        Some(job) => Err(Usage(refusal(&job, state)).into()),
        None => Ok(()),
    }
}

/// The job that has a queue to itself, if one has.
///
/// # Errors
/// The job store's.
pub(crate) async fn holder(
    store: &dyn JobStore,
    target: &Target,
) -> Result<Option<Job>, JobStoreError> {
    if !matches!(target, Target::Queue(_)) {
        return Ok(None);
    }
    for place in store.newest(None, usize::MAX).await? {
        // What cannot be read holds nothing that could go on.
        let Ok(Some(job)) = store.load(&place.job_id).await else {
            continue;
        };
        if is_holding(&job) && job.sends_to(target) {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Whether live may wait for a job; also for one that is paused or has failed, until somebody decides.
pub(crate) fn is_holding(job: &Job) -> bool {
    job.may_hold() && !matches!(job.phase, Phase::Done | Phase::Cancelled)
}

/// Why nothing else is sent to the queue of such a job.
pub(crate) fn comes_first(job: &Job) -> String {
    let (id, phase, target) = (&job.job_id, job.phase, &job.options.target);
    format!(
        "{target} gets its history from job {id} (it is {phase}), live changes follow, and nothing else may come between"
    )
}

fn refusal(job: &Job, state: &Path) -> String {
    let (why, id, state) = (comes_first(job), &job.job_id, state.display());
    format!(
        "{why}: let `serve --state {state}` end that job, or cancel it there (POST /jobs: \
         {{\"action\":\"cancel\",\"jobId\":\"{id}\"}}); or send to another queue"
    )
}
