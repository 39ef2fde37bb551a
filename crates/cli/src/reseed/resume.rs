//! A job of the state directory is found and made ready to continue.

use bridge_core::clock::{Clock as _, SystemClock};
use bridge_history::job::phase::Phase;
use bridge_history::job::state::Job;
use bridge_history::job::store::JobStore;
use bridge_history::plan::manifest::Manifest;
use bridge_history::send::parking::OnUndeliverable;
use bridge_local::jobs::LocalJobs;
use bridge_local::plans::LocalPlans;

use crate::Usage;
use crate::arguments::ReseedArguments;

/// The job that is to continue, if it is one that may. Its files come with the directory: none of them
/// may lie elsewhere. A dry run that has ended may if it is reported: its plan is there.
///
/// # Errors
/// [`Usage`] when there is no such job, or it cannot continue; else the plan store's.
pub(super) async fn find(
    store: &LocalJobs,
    plans: &LocalPlans,
    arguments: &ReseedArguments,
) -> anyhow::Result<Option<Job>> {
    let Some(job_id) = &arguments.resume else {
        return Ok(None);
    };
    let unusable =
        |e: &dyn std::fmt::Display| Usage(format!("--resume {:?}: {e}", job_id.as_str()));
    let job = store.load(job_id).await.map_err(|e| unusable(&e))?;
    let job = job.ok_or_else(|| {
        Usage(format!(
            "--resume: there is no job {:?} in this state directory (--state)",
            job_id.as_str()
        ))
    })?;
    let own = format!("jobs/{job_id}/");
    let mut names = Vec::new();
    if let Some(name) = job.manifest.as_ref().filter(|name| name.starts_with(&own)) {
        let manifest = Manifest::load(plans, name).await?;
        names.extend(manifest.runs.into_iter().map(|run| run.name));
    }
    let elsewhere = job
        .manifest
        .iter()
        .chain(&names)
        .find(|name| !name.starts_with(&own));
    if let Some(name) = elsewhere {
        return Err(unusable(&format!("its file {name:?} is not below {own}")).into());
    }
    if job.job_id != *job_id {
        return Err(unusable(&format!("its file is of job {}", job.job_id)).into());
    }
    if job.may_hold() {
        return Err(unusable(
            &"live changes are to follow it, which `serve` alone lets them: start it with this directory, and it continues",
        )
        .into());
    }
    let is_planned = job.options.dry_run && job.phase == Phase::Done;
    if !(job.is_active() || arguments.report.is_some() && is_planned) {
        job.resumed(None, SystemClock.now())
            .map_err(|e| unusable(&e))?;
    }
    Ok(Some(job))
}

/// A job that was [found](find), ready to continue. Its last process is gone, or the directory would
/// be locked; so its lease means nothing.
///
/// # Errors
/// [`Usage`] when it cannot continue; else the job store's.
pub(super) async fn resume(
    store: &LocalJobs,
    job: Job,
    on_undeliverable: Option<OnUndeliverable>,
) -> anyhow::Result<Job> {
    if job.is_active() {
        return forget_lease(store, job, on_undeliverable).await;
    }
    let now = SystemClock.now();
    let next = job
        .resumed(on_undeliverable, now)
        .map_err(|e| Usage(e.to_string()))?;
    store.replace(&next, job.stored_revision()).await?;
    Ok(next)
}

/// The directory is this process's alone: a lease in it is of a segment that has ended.
///
/// # Errors
/// The job store's.
pub(super) async fn forget_lease(
    store: &dyn JobStore,
    job: Job,
    on_undeliverable: Option<OnUndeliverable>,
) -> anyhow::Result<Job> {
    let mut next = job.next(SystemClock.now());
    next.lease = None;
    next.options.on_undeliverable = on_undeliverable.unwrap_or(job.options.on_undeliverable);
    store.replace(&next, job.stored_revision()).await?;
    Ok(next)
}
