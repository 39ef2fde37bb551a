//! Looks after a hold that stands: how long, and whether somebody will end it. Run with the sweep.

use bridge_core::live::store::LiveStoreError;
use metrics::histogram;

use crate::id::JobId;
use crate::job::error::{JobError, JobStoreError};
use crate::job::live::LivePorts;
use crate::job::phase::Phase;
use crate::job::ports::Ports;

/// Counts how long a hold stands and whether a job at work will end it. One of a job that has ended (a
/// write that was late on its way) is ended here.
///
/// # Errors
/// The stores'; the next sweep looks again.
pub async fn tend(ports: &Ports) -> Result<(), JobError> {
    let Some(live) = &ports.live else {
        return Ok(());
    };
    let stream = live.stream.read().await?;
    let Some(hold) = &stream.hold else {
        return Ok(()); // an idle stack writes no metrics
    };
    let age = ports.clock.now().since(hold.since);
    histogram!("HoldSeconds").record(age.as_secs_f64());
    let phase = match ports.jobs.load(&JobId::stored(hold.owner.clone())).await {
        Ok(job) => job.map(|job| job.phase),
        Err(JobStoreError::Unreadable { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let is_attended = phase.is_some_and(Phase::is_active);
    histogram!("HoldUnattended").record(if is_attended { 0.0 } else { 1.0 });
    if is_attended {
        return Ok(());
    }
    let shown = phase.map_or("unknown".to_owned(), |phase| phase.to_string());
    tracing::warn!(job = hold.owner, phase = shown, since = %hold.since, "nothing live is sent");
    if matches!(phase, Some(Phase::Done | Phase::Cancelled)) {
        let_go(live, &hold.owner).await?;
    }
    Ok(())
}

/// Lets live go on from where it was. The hold is what who comes next finds if this fails: it goes last.
pub(crate) async fn let_go(live: &LivePorts, owner: &str) -> Result<(), LiveStoreError> {
    if let Some(mapping) = &live.mapping {
        let switched = mapping.switch(true).await;
        switched.map_err(|error| LiveStoreError::Store {
            reason: error.reason,
            kind: error.kind,
        })?;
    }
    live.stream.release(owner, None).await
}
