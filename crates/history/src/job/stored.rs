//! A job as job stores keep it: JSON on one machine, an item of the table on AWS.
//!
//! What an earlier version of this program wrote must be read, and what is not set is not written. So
//! fields are added with a default and never renamed; the [`Job`] itself may change freely.

use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{Epoch, JobId};
use crate::job::handover::Handover;
use crate::job::options::Options;
use crate::job::phase::Phase;
use crate::job::state::{Counts, Job, Lease, StopRequest};
use crate::job::transition::Transition;
use crate::plan::manifest::Summary;
use crate::send::checkpoint::Checkpoint;

/// The stored form of a [`Job`]; its fields say what these hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredJob {
    #[serde(deserialize_with = "JobId::deserialize_stored")]
    job_id: JobId,
    phase: Phase,
    epoch: Epoch,
    revision: u64,
    /// The mapping of the table's stream asks for items that have it: docs/decisions/0032.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transition: Option<Transition>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handover: Option<Handover>,
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
            transition: job.transition,
            lease: job.lease,
            stop_request: job.stop_request,
            bucket: job.bucket,
            options: job.options,
            digest: job.digest,
            checkpoint: job.checkpoint,
            manifest: job.manifest,
            planned: job.planned,
            handover: job.handover,
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
            transition: stored.transition,
            lease: stored.lease,
            stop_request: stored.stop_request,
            bucket: stored.bucket,
            options: stored.options,
            digest: stored.digest,
            checkpoint: stored.checkpoint,
            manifest: stored.manifest,
            planned: stored.planned,
            handover: stored.handover,
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
    use crate::job::handover::{Step, Then};
    use crate::job::state::tests::{job, leased};
    use crate::plan::elsewhere::place::PlanSource;

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

    /// The filter of the table's stream (`template.yaml`) looks at its name, and that it is a text.
    #[test]
    fn only_a_write_that_others_are_told_of_bears_a_transition() {
        let started = job();
        assert_eq!(stored(&started)["transition"], json!("started"));
        assert_eq!(stored(&leased()).get("transition"), None);
    }

    /// The conversions are written by hand, and the simulated store keeps jobs as they are: nothing else
    /// notices a field that is left out of one of them.
    #[test]
    fn all_of_a_job_with_every_field_set_is_kept() {
        let mut job = leased();
        job.transition = Some(Transition::Held);
        job.stop_request = Some(StopRequest::Pause);
        job.manifest = Some("jobs/j-1/manifest-000001-1.json".to_owned());
        job.planned = Some(Summary {
            events: 3,
            ..Summary::default()
        });
        job.options.then = Some(Then::Live);
        job.options.plan = Some(PlanSource {
            uri: "s3://plans/manifest.json".to_owned(),
            digest: "d".to_owned(),
        });
        job.handover = Some(Handover {
            step: Step::Settling,
            held_since: Some(Timestamp(4)),
            waited_ms: 5,
            mapping_is_gone: true,
            earlier_passes: job.planned.clone(),
            dated_back: Some(Timestamp(6)),
            removals_may_be_lost: true,
        });
        job.last_error = Some("why".to_owned());
        job.progress_at = Some(Timestamp(1));
        job.finished_at = Some(Timestamp(2));
        job.expires_at = Some(3);
        assert_eq!(read(stored(&job)), job);
    }

    /// A job as d5c6d85 wrote it, all fields set; byte for byte the same is written now, so that a rollback
    /// reads it.
    #[test]
    fn a_job_is_written_as_before_the_types_were_parted() {
        let before = json!({
            "jobId": "20240501-1a2b3c4d-1", "phase": "done", "epoch": 2, "revision": 9,
            "lease": { "owner": "o", "until": "2024-05-01T12:01:00.000Z" }, "wish": "cancel",
            "bucket": "b",
            "options": {
                "filter": {
                    "prefix": "p/", "suffix": ".json", "from": "2024-04-01T00:00:00.000Z",
                    "until": "2024-05-01T12:00:00.000Z", "events": "created", "currentOnly": true
                },
                "order": "bucket", "format": "s3", "delivery": "batched", "recordsPerMessage": 7,
                "queueUrl": "https://sqs.x/1/q.fifo", "maxRate": 100, "pauseAboveDepth": 5,
                "dryRun": true, "refuseAmbiguous": true, "onUndeliverable": "park"
            },
            "digest": "1a2b3c4d",
            "checkpoint": {
                "sequence": 7,
                "position": { "effectiveTime": "2024-05-01T12:00:00.000Z", "key": "a/1", "rank": 0 }
            },
            "manifest": "jobs/j/manifest.json",
            "planned": {
                "events": 2, "created": 1, "removed": 1, "bytes": 17, "byMonth": { "2024-05": 2 },
                "first": "2024-05-01T12:00:00.000Z", "last": "2024-05-01T12:00:01.000Z",
                "ambiguous": { "keys": 1, "first": "a/1" }
            },
            "counts": { "segments": 2, "pages": 3, "listed": 2000, "failures": 1, "parked": 4 },
            "lastError": "SlowDown: later",
            "createdAt": "2024-05-01T12:00:00.000Z", "updatedAt": "2024-05-01T12:00:09.000Z",
            "progressAt": "2024-05-01T12:00:08.000Z", "finishedAt": "2024-05-01T12:10:00.000Z",
            "expiresAt": 1_722_513_600
        });
        assert_eq!(stored(&read(before.clone())), before);
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
