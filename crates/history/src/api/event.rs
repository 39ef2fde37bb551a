//! What happens to jobs, told to others: an event for each transition, with the job as `status` shows it
//! (docs/decisions/0032).

use metrics::counter;
use serde_json::{Value, json};

use crate::api::answer::JobAnswer;
use crate::job::error::JobStoreError;
use crate::job::event_bus::{EventBus, EventBusError, JobEvent};
use crate::job::state::Job;

/// Bytes of a detail, at most. A request has at most 256 KB, the event's names and resources included.
/// Source: Amazon `EventBridge` User Guide, "Calculating Amazon `EventBridge` `PutEvents` event entry size".
const MOST_DETAIL: usize = 240 * 1024;

/// What a detail that is too long does without, in this order: what grows with the history, then texts that
/// somebody else chose. The rest is bounded: `status` tells all of it.
const DISPENSABLE: [&str; 8] = [
    "/planned/byMonth",
    "/handover/earlierPasses",
    "/planned/ambiguous",
    "/checkpoint/position",
    "/lastError",
    "/options/filter",
    "/planned",
    "/options",
];

/// The event of a job's last write, in an AWS `partition` (`aws`, `aws-cn` …); none where that write was no
/// transition.
#[must_use]
pub fn event(job: &Job, partition: &str) -> Option<JobEvent> {
    let transition = job.transition?;
    Some(JobEvent {
        detail_type: transition.detail_type(),
        detail: bounded(json!(JobAnswer::from(job)), MOST_DETAIL),
        resource: format!("arn:{partition}:s3:::{}", job.bucket),
        time: job.updated_at,
    })
}

/// `detail` as JSON of `most` bytes, without what it must do without.
fn bounded(mut detail: Value, most: usize) -> String {
    let mut text = detail.to_string();
    for pointer in DISPENSABLE {
        if text.len() <= most {
            break;
        }
        if let Some((parent, name)) = pointer.rsplit_once('/')
            && let Some(Value::Object(fields)) = detail.pointer_mut(parent)
            && fields.remove(name).is_some()
        {
            text = detail.to_string();
        }
    }
    text
}

/// Tells of the transitions among `writes` of jobs, in their order, and how many there were. What will never be
/// taken, and what cannot be read, is logged, counted and passed over: it must not keep others from being told.
///
/// # Errors
/// The first that could not be put for another reason: the writes are to be given again, when those before it
/// are told twice.
pub async fn tell(
    bus: &dyn EventBus,
    writes: &[Result<Job, JobStoreError>],
    partition: &str,
) -> Result<usize, EventBusError> {
    let mut told = 0;
    for write in writes {
        let job = match write {
            Ok(job) => job,
            Err(error) => {
                counter!("JobEventsFailed").increment(1);
                tracing::error!(%error, "what happened to a job is not told");
                continue;
            }
        };
        let Some(event) = event(job, partition) else {
            continue;
        };
        let (job, what) = (&job.job_id, event.detail_type);
        match bus.put(&event).await {
            Ok(()) => {
                told += 1;
                tracing::info!(%job, what, "told");
            }
            Err(error) => {
                counter!("JobEventsFailed").increment(1);
                if error.is_of_the_event {
                    tracing::error!(%job, what, %error, "the event bus will never take this event");
                } else {
                    tracing::warn!(%job, what, %error, "the event was not put, and is put again");
                    return Err(error);
                }
            }
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests;
