//! A job as the interface shows it (docs/OPERATIONS.md). What a store keeps besides is its own affair.

use bridge_core::timestamp::Timestamp;
use serde::Serialize;

use crate::id::{Epoch, JobId};
use crate::job::handover::Handover;
use crate::job::options::Options;
use crate::job::phase::Phase;
use crate::job::state::{Counts, Job, Lease, StopRequest};
use crate::plan::manifest::Summary;
use crate::send::checkpoint::Checkpoint;

/// What `status` and the other actions answer about a job; what is not set is absent.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobAnswer<'a> {
    /// Its id.
    pub job_id: &'a JobId,
    /// Where it is.
    pub phase: Phase,
    /// One higher each time that another segment took it, or an operator ended or resumed it.
    pub epoch: Epoch,
    /// Which segment works on it, and until when unless renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<&'a Lease>,
    /// `pause` or `cancel`, asked for and not yet carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_request: Option<StopRequest>,
    /// The bucket.
    pub bucket: &'a str,
    /// What was asked for, defaults filled in.
    pub options: &'a Options,
    /// How far it is: `sequence` events are acknowledged.
    pub checkpoint: &'a Checkpoint,
    /// The plan's manifest, in the plan store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<&'a str>,
    /// What the plan holds, once it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<&'a Summary>,
    /// How far it is on its way to let live changes follow, if they are to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handover: Option<&'a Handover>,
    /// What has been counted.
    pub counts: &'a Counts,
    /// What went wrong last, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<&'a str>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
    /// When it got further last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_at: Option<Timestamp>,
    /// When it was done or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

impl<'a> From<&'a Job> for JobAnswer<'a> {
    fn from(job: &'a Job) -> Self {
        Self {
            job_id: &job.job_id,
            phase: job.phase,
            epoch: job.epoch,
            lease: job.lease.as_ref(),
            stop_request: job.stop_request,
            bucket: &job.bucket,
            options: &job.options,
            checkpoint: &job.checkpoint,
            manifest: job.manifest.as_deref(),
            planned: job.planned.as_ref(),
            handover: job.handover.as_ref(),
            counts: &job.counts,
            last_error: job.last_error.as_deref(),
            created_at: job.created_at,
            updated_at: job.updated_at,
            progress_at: job.progress_at,
            finished_at: job.finished_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::start::StartRequest;
    use bridge_core::config::Config;

    /// The interface, field by field: nothing else in this crate looks at it.
    #[test]
    fn a_job_is_answered_field_by_field() {
        let config = Config::read(&|name| {
            (name == "QUEUE_URL").then(|| "https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned())
        });
        let options = StartRequest::default()
            .resolve(&config.unwrap(), Timestamp(0))
            .unwrap();
        let id = "20240501-1a2b3c4d-1".parse().unwrap();
        let mut job = Job::new(id, "ledger", options, "1a2b3c4d".to_owned(), Timestamp(1));
        job.stop_request = Some(StopRequest::Pause);
        job.last_error = Some("why".to_owned());
        job.updated_at = Timestamp(2);
        job.progress_at = Some(Timestamp(3));
        job.finished_at = Some(Timestamp(4));
        job.expires_at = Some(5);
        let answer = json!(JobAnswer::from(&job));
        for (field, value) in [
            ("jobId", json!("20240501-1a2b3c4d-1")),
            ("stopRequest", json!("pause")),
            ("lastError", json!("why")),
            ("createdAt", json!(Timestamp(1))),
            ("updatedAt", json!(Timestamp(2))),
            ("progressAt", json!(Timestamp(3))),
            ("finishedAt", json!(Timestamp(4))),
        ] {
            assert_eq!(answer[field], value, "{field}");
        }
        for hidden in ["revision", "digest", "expiresAt", "wish"] {
            assert_eq!(answer.get(hidden), None, "{hidden}");
        }
    }
}
