//! A job, and what may become of it. No I/O: each change is a value to be written conditionally.

use std::time::Duration;

use bridge_core::event::short_digest;
use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{Epoch, JobId};
use crate::job::handover::{Handover, Step};
use crate::job::options::Options;
use crate::job::phase::Phase;
use crate::job::transition::Transition;
use crate::plan::manifest::Summary;
use crate::send::checkpoint::Checkpoint;
use crate::send::target::Target;

/// Where the time is too short to watch a lease (see [`Job::take_over`]), how long it must have
/// lapsed before another segment takes the job: the clocks of two machines then differ by less.
const CLOCK_SKEW: Duration = Duration::from_secs(2);

/// How long a finished job stays in the table.
const RETENTION: Duration = Duration::from_hours(90 * 24);

/// Segments in a row that may fail, or die, without progress before the job fails.
const MAX_FAILURES: u32 = 10;

/// Why a job fails whose segments end without a word.
const DIED: &str = "ten segments in a row ended before they got further, the last one without a word: \
    it ran out of memory (raise ReseedMemory), was killed, or could not write to the job store; the \
    function's log shows how each ended";

/// What an operator wants of a job that a segment is working on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StopRequest {
    /// Stop; may continue later.
    Pause,
    /// Stop for good.
    Cancel,
}

/// The right to work on a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// The segment that holds it (its invocation's request id).
    pub owner: String,
    /// Until when, unless renewed.
    pub until: Timestamp,
}

/// What has been counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Segments that worked on the job.
    pub segments: u64,
    /// Pages listed.
    pub pages: u64,
    /// Object versions listed.
    pub listed: u64,
    /// Segments in a row that failed, or died, without progress.
    pub failures: u32,
    /// Events up to the checkpoint that could not be delivered and are kept aside.
    #[serde(default)]
    pub parked: u64,
}

/// Tells whether a stored job is still the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// See [`Job::epoch`].
    pub epoch: Epoch,
    /// See [`Job::revision`].
    pub revision: u64,
}

/// One replay of history, as segments and actions work on it. [`StoredJob`](super::stored::StoredJob) is
/// what is kept of it, [`JobAnswer`](crate::api::answer::JobAnswer) what is answered of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// `20240501-1a2b3c4d-1`: day, digest of what was asked, count.
    pub job_id: JobId,
    /// Where it is.
    pub phase: Phase,
    /// The fencing number: one higher at every takeover.
    pub epoch: Epoch,
    /// One higher at every write.
    pub revision: u64,
    /// What its last write did, where others may want to act on it.
    pub transition: Option<Transition>,
    /// Who works on it.
    pub lease: Option<Lease>,
    /// What the operator wants.
    pub stop_request: Option<StopRequest>,
    /// The bucket.
    pub bucket: String,
    /// What was asked.
    pub options: Options,
    /// Digest of what was asked, without what was filled in.
    pub digest: String,
    /// How far it is.
    pub checkpoint: Checkpoint,
    /// The plan's current manifest, in the plan store.
    pub manifest: Option<String>,
    /// What the plan holds, once it is complete.
    pub planned: Option<Summary>,
    /// How far it is on its way to let live changes follow, if they are to.
    pub handover: Option<Handover>,
    /// What has been counted.
    pub counts: Counts,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
    /// When it got further last (a later checkpoint, more versions in runs), was resumed, or
    /// waited because the consumer was slow.
    pub progress_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When the table may forget it, seconds since 1970 (`DynamoDB` TTL).
    pub expires_at: Option<i64>,
}

/// What a segment knows of the lease that it finds on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No more than what is written there.
    Once,
    /// The job was not written for the length of a lease, by this machine's own count.
    Unchanged,
}

/// Why a segment leaves a job alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcquireError {
    /// There is nothing to do.
    #[error("the job is {0}")]
    NotActive(Phase),
    /// Another segment works on it.
    #[error("another segment holds the lease until {until}")]
    LeaseHeld {
        /// Until when.
        until: Timestamp,
    },
    /// The invocation is a duplicate or came late.
    #[error("the job is at epoch {found}, this continuation is for {expected}")]
    OtherEpoch {
        /// The job's.
        found: Epoch,
        /// The invocation's.
        expected: Epoch,
    },
}

impl Job {
    /// A job that has not begun.
    #[must_use]
    pub fn new(
        job_id: JobId,
        bucket: &str,
        options: Options,
        digest: String,
        now: Timestamp,
    ) -> Self {
        Self {
            job_id,
            phase: Phase::Scanning,
            epoch: Epoch::default(),
            revision: 0,
            transition: Some(Transition::Started),
            lease: None,
            stop_request: None,
            bucket: bucket.to_owned(),
            handover: options.then.map(|_| Handover::default()),
            options,
            digest,
            checkpoint: Checkpoint::default(),
            manifest: None,
            planned: None,
            counts: Counts::default(),
            last_error: None,
            created_at: now,
            updated_at: now,
            progress_at: Some(now),
            finished_at: None,
            expires_at: None,
        }
    }

    /// What must still be stored for a write to go through.
    #[must_use]
    pub fn stored_revision(&self) -> Revision {
        Revision {
            epoch: self.epoch,
            revision: self.revision,
        }
    }

    /// Whether there is work to do.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.phase.is_active()
    }

    /// Whether it sends there.
    #[must_use]
    pub fn sends_to(&self, target: &Target) -> bool {
        !self.options.dry_run && self.options.target == *target
    }

    /// What it does next for live changes to follow.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        self.handover.as_ref().map(|handover| handover.step)
    }

    /// Whether a hold of it may stand.
    #[must_use]
    pub fn may_hold(&self) -> bool {
        self.handover.as_ref().is_some_and(Handover::may_hold)
    }

    /// Since when nothing live is sent.
    #[must_use]
    pub fn held_since(&self) -> Option<Timestamp> {
        self.handover.as_ref()?.held_since
    }

    /// Whether a lease would still last, if all clocks agreed.
    #[must_use]
    pub fn is_leased(&self, now: Timestamp) -> bool {
        self.lease
            .as_ref()
            .is_some_and(|lease| lease.until + CLOCK_SKEW > now)
    }

    /// Notes that the job got further than `before`, if it did: then the failures until here do
    /// not count any more.
    pub fn note_progress(&mut self, before: &Self, now: Timestamp) {
        let place = |job: &Self| {
            let waited_ms = job.handover.as_ref().map(|handover| handover.waited_ms);
            let (sequence, listed) = (job.checkpoint.sequence, job.counts.listed);
            // Once all is listed, only passes over the plan write another one.
            let merged = (job.phase == Phase::Sending).then(|| job.manifest.clone());
            (job.phase, sequence, listed, merged, job.step(), waited_ms)
        };
        if place(self) != place(before) {
            self.progress_at = Some(now);
            self.counts.failures = 0;
        }
    }

    /// How long ago the job got further, or was started.
    #[must_use]
    pub fn stalled(&self, now: Timestamp) -> Duration {
        now.since(self.progress_at.unwrap_or(self.created_at))
    }

    /// A copy to be changed and written.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.revision += 1;
        next.updated_at = now;
        next.transition = None;
        next
    }

    /// The job as its next segment will hold it; or failed, if one segment too many has died.
    ///
    /// A lease that is still there is one whose holder died, is cut off from the store, or stands
    /// still: it was not given back. Its holder stops sending a lease after its last write, by its own
    /// count. So whoever saw nothing written for so long may take the job, whatever the clocks of the
    /// two machines say.
    ///
    /// # Errors
    /// [`AcquireError`] when there is nothing to do or somebody else does it.
    pub fn take_over(
        &self,
        owner: &str,
        expected_epoch: Option<Epoch>,
        now: Timestamp,
        lease: Duration,
        seen: Seen,
    ) -> Result<Self, AcquireError> {
        if !self.is_active() {
            return Err(AcquireError::NotActive(self.phase));
        }
        if let Some(expected) = expected_epoch.filter(|e| *e != self.epoch) {
            return Err(AcquireError::OtherEpoch {
                found: self.epoch,
                expected,
            });
        }
        if let Some(held) = &self.lease
            && seen == Seen::Once
        {
            return Err(AcquireError::LeaseHeld { until: held.until });
        }
        let mut next = self.next(now);
        next.epoch = next.epoch.next();
        if self.lease.is_some() {
            next.counts.failures += 1;
            if next.counts.failures >= MAX_FAILURES {
                next.last_error = Some(DIED.to_owned());
                next.end_as(Phase::Failed, now);
                return Ok(next);
            }
        }
        next.counts.segments += 1;
        next.lease = Some(Lease {
            owner: owner.to_owned(),
            until: now + lease,
        });
        Ok(next)
    }

    /// Leaves the job to the next segment.
    pub fn release(&mut self) {
        self.lease = None;
        self.last_error = None;
    }

    /// Leaves the job to the sweep after a fault that may pass; after too many, it fails.
    pub fn release_after_fault(&mut self, error: String, now: Timestamp) {
        self.lease = None;
        self.last_error = Some(error);
        self.counts.failures += 1;
        if self.counts.failures >= MAX_FAILURES {
            self.end_as(Phase::Failed, now);
        }
    }

    /// Stops the job. A paused or failed one is kept until somebody decides.
    pub fn end_as(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.transition = match phase {
            Phase::Scanning | Phase::Sending => None,
            Phase::Paused => Some(Transition::Paused),
            Phase::Failed => Some(Transition::Failed),
            Phase::Done => Some(Transition::Done),
            Phase::Cancelled => Some(Transition::Cancelled),
        };
        self.lease = None;
        self.stop_request = None;
        if matches!(phase, Phase::Done | Phase::Cancelled) {
            self.finished_at = Some(now);
            self.expires_at = Some((now + RETENTION).0 / 1000);
        }
    }
}

/// The digest of a start request: the same for two requests that ask for the same.
#[must_use]
pub fn digest_of(request_json: &str) -> String {
    short_digest(request_json)
}

#[cfg(test)]
pub(in crate::job) mod tests;
