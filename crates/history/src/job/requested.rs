//! What an operator's request makes of a job: pause, cancel, resume. No I/O.

use bridge_core::timestamp::Timestamp;

use crate::job::error::JobError;
use crate::job::phase::Phase;
use crate::job::state::{Job, StopRequest};
use crate::job::transition::Transition;
use crate::send::parking::OnUndeliverable;

impl Job {
    /// The job after an operator's request to stop: carried out at once when nobody works on it, else left
    /// for the segment, which sees it within seconds. One that has died since is followed by another
    /// that carries it out. What is asked for again changes nothing.
    ///
    /// # Errors
    /// [`JobError::WrongPhase`] when the job has ended; [`JobError::Ending`] when it is to be
    /// cancelled, and a pause is asked for.
    pub fn stop_requested(&self, request: StopRequest, now: Timestamp) -> Result<Self, JobError> {
        let (action, goal) = match request {
            StopRequest::Pause => ("pause", Phase::Paused),
            StopRequest::Cancel => ("cancel", Phase::Cancelled),
        };
        let may = self.is_active()
            || self.phase == goal
            || (request == StopRequest::Cancel
                && matches!(self.phase, Phase::Paused | Phase::Failed));
        if !may {
            return Err(JobError::WrongPhase {
                job_id: self.job_id.clone(),
                phase: self.phase,
                action,
            });
        }
        if self.phase == goal || self.stop_request == Some(request) {
            return Ok(self.clone());
        }
        if self.stop_request == Some(StopRequest::Cancel) {
            return Err(self.ending(action));
        }
        let mut next = self.next(now);
        if self.lease.is_some() {
            next.stop_request = Some(request);
        } else if request == StopRequest::Cancel && self.may_hold() {
            // Live is let go on first, by a segment: what dies meanwhile is continued.
            next.wake(now);
            next.stop_request = Some(request);
        } else {
            next.epoch = next.epoch.next();
            next.end_as(goal, now);
        }
        Ok(next)
    }

    fn ending(&self, action: &'static str) -> JobError {
        JobError::Ending {
            job_id: self.job_id.clone(),
            doing: match self.stop_request {
                Some(StopRequest::Pause) => "paused",
                _ => "cancelled",
            },
            action,
        }
    }

    /// The job ready to continue from its checkpoint, with another way for undeliverable events if one
    /// is given.
    ///
    /// # Errors
    /// [`JobError::WrongPhase`] when it is done or cancelled; [`JobError::Ending`] when it is about
    /// to be cancelled or paused.
    pub fn resumed(
        &self,
        on_undeliverable: Option<OnUndeliverable>,
        now: Timestamp,
    ) -> Result<Self, JobError> {
        if self.stop_request.is_some() {
            return Err(self.ending("resume"));
        }
        if !matches!(self.phase, Phase::Paused | Phase::Failed) {
            return Err(JobError::WrongPhase {
                job_id: self.job_id.clone(),
                phase: self.phase,
                action: "resume",
            });
        }
        let mut next = self.next(now);
        next.options.on_undeliverable = on_undeliverable.unwrap_or(self.options.on_undeliverable);
        next.wake(now);
        next.transition = Some(Transition::Resumed);
        Ok(next)
    }

    /// Lets another segment work on it.
    fn wake(&mut self, now: Timestamp) {
        self.phase = match self.planned {
            Some(_) => Phase::Sending,
            None => Phase::Scanning,
        };
        self.epoch = self.epoch.next();
        self.lease = None;
        self.stop_request = None;
        self.last_error = None;
        self.finished_at = None;
        self.expires_at = None;
        self.counts.failures = 0;
        self.progress_at = Some(now);
    }
}
