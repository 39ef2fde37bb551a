//! A job as job stores keep it: JSON on one machine, an item of the table on AWS.
//!
//! What an earlier version of this program wrote must be read, and what is not set is not written. So
//! fields are added with a default and never renamed; the [`Job`] itself may change freely.

use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{Epoch, JobId};
use crate::job::options::Options;
use crate::job::phase::Phase;
use crate::job::state::{Counts, Job, Lease, StopRequest};
use crate::plan::manifest::Summary;
use crate::send::checkpoint::Checkpoint;

/// The stored form of a [`Job`]; its fields say what these hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredJob {
    job_id: JobId,
    phase: Phase,
    epoch: Epoch,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
    #[serde(default, rename = "wish", skip_serializing_if = "Option::is_none")]
    stop_request: Option<StopRequest>,
    bucket: String,
    options: Options,
    digest: String,
    checkpoint: Checkpoint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned: Option<Summary>,
    counts: Counts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl From<&Job> for StoredJob {
    fn from(job: &Job) -> Self {
        let job = job.clone();
        Self {
            job_id: job.job_id,
            phase: job.phase,
            epoch: job.epoch,
            revision: job.revision,
            lease: job.lease,
            stop_request: job.stop_request,
            bucket: job.bucket,
            options: job.options,
            digest: job.digest,
            checkpoint: job.checkpoint,
            manifest: job.manifest,
            planned: job.planned,
            counts: job.counts,
            last_error: job.last_error,
            created_at: job.created_at,
            updated_at: job.updated_at,
            progress_at: job.progress_at,
            finished_at: job.finished_at,
            expires_at: job.expires_at,
        }
    }
}

impl From<StoredJob> for Job {
    fn from(stored: StoredJob) -> Self {
        Self {
            job_id: stored.job_id,
            phase: stored.phase,
            epoch: stored.epoch,
            revision: stored.revision,
            lease: stored.lease,
            stop_request: stored.stop_request,
            bucket: stored.bucket,
            options: stored.options,
            digest: stored.digest,
            checkpoint: stored.checkpoint,
            manifest: stored.manifest,
            planned: stored.planned,
            counts: stored.counts,
            last_error: stored.last_error,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            progress_at: stored.progress_at,
            finished_at: stored.finished_at,
            expires_at: stored.expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::job::state::tests::{job, leased};

    fn stored(job: &Job) -> Value {
        serde_json::to_value(StoredJob::from(job)).unwrap()
    }

    fn read(stored: Value) -> Job {
        serde_json::from_value::<StoredJob>(stored).unwrap().into()
    }

    #[test]
    fn all_of_a_job_is_kept() {
        let mut job = leased();
        job.stop_request = Some(StopRequest::Pause);
        assert_eq!(
            stored(&job)["wish"],
            json!("pause"),
            "its name in the table"
        );
        assert_eq!(read(stored(&job)), job);
    }

    #[test]
    fn a_job_stored_by_an_earlier_version_is_read() {
        let mut before = stored(&job());
        for newer in ["progressAt", "lease"] {
            before.as_object_mut().unwrap().remove(newer);
        }
        let options = before["options"].as_object_mut().unwrap();
        options.remove("delivery");
        options.remove("recordsPerMessage");
        let read = read(before);
        assert_eq!(read.options, job().options);
        let week = Duration::from_hours(7 * 24);
        assert_eq!(
            read.stalled(job().created_at + week),
            week,
            "since its start"
        );
    }

    #[test]
    fn what_was_stored_before_events_could_be_parked_reads_and_is_written_as_before() {
        let mut before = stored(&job());
        assert_eq!(before["options"].get("onUndeliverable"), None);
        let counts = before["counts"].as_object_mut().unwrap();
        assert_eq!(counts.remove("parked"), Some(0.into()));
        assert_eq!(read(before), job());
    }
}
