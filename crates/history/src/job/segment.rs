//! One segment: takes a job, works until it is done or time is up, and hands it on.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::id::Epoch;
use crate::job::error::JobError;
use crate::job::heartbeat::{heartbeat, passed};
use crate::job::invocation::Invocation;
use crate::job::lease::LeaseError;
use crate::job::phase::Phase;
use crate::job::ports::Ports;
use crate::job::segment_error::SegmentError;
use crate::job::settings::SegmentSettings;
use crate::job::settle::settle;
use crate::job::state::{AcquireError, Job, StopRequest};
use crate::job::takeover::take;
use crate::job::work::Work;

/// How a segment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentEnd {
    /// The job has no more work, now.
    Ended(Phase),
    /// The next segment has been asked for.
    HandedOn {
        /// At which epoch.
        epoch: Epoch,
    },
    /// A fault that may pass: the sweep continues the job.
    RetryLater(String),
    /// There was nothing to do here.
    Skipped(AcquireError),
    /// Another segment took the job while this one worked.
    Fenced,
}

/// Works on a job until it is done, the invocation's budget is used up, or it is stopped.
///
/// # Errors
/// [`JobError`] when the job does not exist or cannot be read; Lambda will retry.
pub async fn run(
    ports: &Ports,
    settings: &SegmentSettings,
    invocation: Invocation<'_>,
) -> Result<SegmentEnd, JobError> {
    let deadline = Instant::now() + invocation.budget;
    let taken = match take(ports, settings, &invocation).await? {
        Ok(taken) => taken,
        Err(reason) => return Ok(SegmentEnd::Skipped(reason)),
    };
    let job = &taken.job;
    if !job.is_active() {
        counter!("JobsFailed").increment(1);
        return Ok(SegmentEnd::Ended(job.phase));
    }
    counter!("Segments").increment(1);
    let span = tracing::info_span!(
        "segment",
        job = %invocation.job_id,
        epoch = job.epoch.0,
        segment = job.counts.segments,
        request_id = invocation.owner,
    );
    let work = Work::new(ports, settings, taken, invocation.stop);
    Ok(until(deadline, work).instrument(span).await)
}

/// Works until all is done, or it is time to stop.
async fn until(deadline: Instant, mut work: Work<'_>) -> SegmentEnd {
    let (lease, watermark) = (Arc::clone(&work.lease), Arc::clone(&work.watermark));
    let held = Arc::clone(&work.held);
    let (stop, every) = (work.stop.clone(), work.settings.heartbeat);
    let done = CancellationToken::new();
    let working = async {
        let worked = work.scan_and_send().await;
        done.cancel();
        worked
    };
    let alarm = async {
        tokio::select! {
            () = sleep_until(deadline) => stop.cancel(),
            () = done.cancelled() => {}
        }
    };
    // The heartbeat is never dropped in mid-write: it holds the job while it writes.
    let beats = heartbeat(&lease, &watermark, &held, every, &done);
    let (worked, (), ()) = tokio::join!(working, beats, alarm);
    finish(&mut work, worked).await
}

/// Writes down how far it came and what is to become of the job.
async fn finish(work: &mut Work<'_>, mut worked: Result<bool, SegmentError>) -> SegmentEnd {
    let (checkpoint, parked) = passed(&work.watermark);
    // There is no heartbeat any more: what is written now is written soon or not at all.
    work.stop.cancel();
    let job = work.lease.job().await;
    if job.stop_request == Some(StopRequest::Cancel) && job.may_hold() {
        let given_up = match work.handing_over() {
            Ok(mut handing_over) => handing_over.give_up().await,
            Err(error) => Err(error),
        };
        worked = given_up.and(worked);
    }
    let written = work
        .lease
        .update(|job| {
            job.checkpoint = checkpoint.clone();
            job.counts.parked = parked;
            settle(job, &worked, work.listed_before, work.ports.clock.now());
        })
        .await;
    match written {
        Err(LeaseError::Fenced) => return SegmentEnd::Fenced,
        // The lease will lapse, and the sweep will continue the job.
        Err(LeaseError::Store(error)) => return SegmentEnd::RetryLater(error.to_string()),
        Ok(()) => {}
    }
    let job = work.lease.job().await;
    if job.phase == Phase::Failed {
        counter!("JobsFailed").increment(1);
    }
    match &job.last_error {
        _ if !job.is_active() => SegmentEnd::Ended(job.phase),
        _ if job.lease.is_some() => SegmentEnd::Fenced,
        Some(error) => SegmentEnd::RetryLater(error.clone()),
        None => hand_on(work, &job).await,
    }
}

/// Asks for the next segment.
async fn hand_on(work: &Work<'_>, job: &Job) -> SegmentEnd {
    let invoked = timeout(
        Duration::from_secs(5),
        work.ports.continuation.invoke(&job.job_id, job.epoch),
    );
    match invoked.await {
        Ok(Ok(())) => SegmentEnd::HandedOn { epoch: job.epoch },
        Ok(Err(error)) => SegmentEnd::RetryLater(format!("the continuation failed: {error}")),
        Err(_) => SegmentEnd::RetryLater("the continuation did not answer".to_owned()),
    }
}
