//! A segment's work beside scan and send, where live changes follow: to hold them, to find out where the
//! history ends, and to let them go on.
//!
//! Nothing here depends on who does it. Each call may be repeated, also by a segment that was fenced: it holds
//! as the job, and it lets go only when nothing is left to send.

use std::sync::Arc;
use std::time::Duration;

use bridge_core::clock::Clock;
use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::HistoryEnd;
use bridge_core::retry::Retry;
use bridge_core::timestamp::Timestamp;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::job::error::JobStoreError;
use crate::job::handover::{Handover, SETTLED_AFTER, Step, is_too_old, next_second};
use crate::job::lease::JobLease;
use crate::job::live::{LivePortError, LivePorts, Switched};
use crate::job::phase::Phase;
use crate::job::segment_error::SegmentError;
use crate::job::state::Job;
use crate::job::store::JobStore;
use crate::job::transition::Transition;
use crate::send::checkpoint::Checkpoint;

/// After so long a wait it is written down how long has been waited.
const SLICE: Duration = Duration::from_secs(10);

/// The longest that one call may take.
const CALL: Duration = Duration::from_secs(10);

/// What came of a step that may take longer than the segment has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// It is done.
    Yes,
    /// The segment ends first.
    NotYet,
}

/// The work beside scan and send.
pub(super) struct HandingOver<'a> {
    pub live: &'a LivePorts,
    pub lease: &'a JobLease,
    pub jobs: &'a Arc<dyn JobStore>,
    pub clock: &'a Arc<dyn Clock>,
    pub retry: Retry,
    pub stop: &'a CancellationToken,
    pub random: fastrand::Rng,
}

impl HandingOver<'_> {
    /// Everything before the scan.
    ///
    /// # Errors
    /// [`SegmentError`]
    pub(super) async fn prepare(&mut self) -> Result<Ready, SegmentError> {
        let step = self.lease.job().await.step();
        if let Some(step @ (Step::Waiting | Step::Settling | Step::Replaying)) = step {
            // A deploy may have enabled it. The hold alone keeps live out, so this may fail.
            match self.disable(step, self.clock.now()).await {
                Err(SegmentError::Transient(error) | SegmentError::Permanent(error)) => {
                    tracing::warn!(error, "the mapping could not be disabled again");
                }
                done => done?,
            }
        }
        loop {
            let job = self.lease.job().await;
            let Some(handover) = &job.handover else {
                return Ok(Ready::Yes);
            };
            let ready = match handover.step {
                Step::Holding => self.hold(&job).await?,
                Step::Waiting => self.wait(&job, handover.waited_ms).await?,
                Step::Settling => self.settle(&job).await?,
                Step::Replaying | Step::Releasing | Step::Released => return Ok(Ready::Yes),
            };
            if ready == Ready::NotYet {
                return Ok(ready);
            }
        }
    }

    async fn hold(&mut self, job: &Job) -> Result<Ready, SegmentError> {
        let owner = job.job_id.as_str();
        let since = self.clock.now();
        let stream = Arc::clone(&self.live.stream);
        let held = self.retry.run(&mut self.random, || {
            in_time(stream.hold(owner, since), store_hangs)
        });
        held.await.map_err(|error| match error {
            LiveStoreError::Held => SegmentError::Permanent(
                "the stream is held by another job, so that its queue gets one history at a time; \
                 list shows which: let it end or cancel it, then resume this one"
                    .to_owned(),
            ),
            error @ LiveStoreError::Store { .. } => SegmentError::of(&error),
        })?;
        self.disable(Step::Waiting, since).await?;
        tracing::info!("nothing live is sent from now on");
        Ok(Ready::Yes)
    }

    /// Disables the mapping, and comes to a step by that. A segment that was fenced while it did, perhaps long
    /// ago, may have disabled it after all was over.
    async fn disable(&mut self, step: Step, since: Timestamp) -> Result<(), SegmentError> {
        let mapping_is_gone = self.switch(false).await?;
        let changed = self.step(step, move |job, handover| {
            if job.step() == Some(Step::Holding) {
                job.transition = Some(Transition::Held);
            }
            handover.held_since = job.held_since().or(Some(since));
            handover.mapping_is_gone = mapping_is_gone;
        });
        let changed = changed.await;
        if matches!(changed, Err(SegmentError::Fenced)) {
            let stream = self.live.stream.read().await;
            if stream.is_ok_and(|stream| stream.hold.is_none()) {
                self.switch(true).await?;
            }
        }
        changed
    }

    /// Waits until nothing live can be on its way. How long the hold has stood is counted by steady clocks,
    /// since those of two segments' machines may be minutes apart.
    async fn wait(&mut self, job: &Job, mut waited_ms: u64) -> Result<Ready, SegmentError> {
        let wanted = self.live.on_its_way;
        loop {
            let left = wanted.saturating_sub(Duration::from_millis(waited_ms));
            if left.is_zero() {
                break;
            }
            let begun = Instant::now();
            let is_stopped = self.sleep(left.min(SLICE)).await == Ready::NotYet;
            waited_ms += u64::try_from(begun.elapsed().as_millis()).unwrap_or(0);
            self.step(Step::Waiting, move |_, handover| {
                handover.waited_ms = waited_ms;
            })
            .await?;
            if is_stopped {
                return Ok(Ready::NotYet);
            }
        }
        // Who starts now sees the hold; who started before it is looked for once.
        self.look_for_others(job).await?;
        let until = next_second(self.bucket_time().await?);
        tracing::info!(%until, "the history ends there");
        self.step(Step::Settling, move |job, _| {
            job.options.filter.until = Some(until);
        })
        .await?;
        Ok(Ready::Yes)
    }

    /// Waits until the bucket has nothing more to come that is dated before `until`.
    async fn settle(&mut self, job: &Job) -> Result<Ready, SegmentError> {
        let until = until_of(job)?;
        loop {
            let left = (until + SETTLED_AFTER).since(self.bucket_time().await?);
            if left.is_zero() {
                break;
            }
            if self.sleep(left.min(SLICE)).await == Ready::NotYet {
                return Ok(Ready::NotYet);
            }
        }
        self.step(Step::Replaying, |_, _| {}).await?;
        Ok(Ready::Yes)
    }

    /// Everything after the last event is acknowledged. `NotYet` when the job took so long that what the
    /// buffer may soon forget is listed first.
    ///
    /// # Errors
    /// [`SegmentError`]
    pub(super) async fn release(
        &mut self,
        checkpoint: Checkpoint,
        parked: u64,
    ) -> Result<Ready, SegmentError> {
        let job = self.lease.job().await;
        let until = until_of(&job)?;
        if job.step() < Some(Step::Releasing) {
            let now = self.bucket_time().await?;
            if is_too_old(until, now, self.live.retention) {
                self.another_pass(&job, now, checkpoint, parked).await?;
                return Ok(Ready::NotYet);
            }
            let held = job.held_since().map(|since| self.clock.now().since(since));
            let is_long = held.is_some_and(|held| held > self.live.retention);
            self.step(Step::Releasing, move |job, handover| {
                job.checkpoint = checkpoint.clone();
                job.counts.parked = parked;
                handover.removals_may_be_lost = is_long;
            })
            .await?;
        }
        let of_passes = job.handover.as_ref().and_then(|h| h.dated_back);
        let end = HistoryEnd {
            until,
            // Also where the one pass began with `from` and not with the bucket.
            dated_back: of_passes.or(job.options.filter.from),
        };
        let handover = self.let_go(&job, Some(end)).await?;
        if handover.removals_may_be_lost {
            tracing::error!(
                "the hold stood for longer than the buffer keeps messages: removals for good may be lost"
            );
        }
        tracing::info!(
            boundary = %until,
            mapping_is_gone = handover.mapping_is_gone,
            "live goes on"
        );
        Ok(Ready::Yes)
    }

    /// From where the history ended to now: the changes of that time may be gone from the buffer.
    async fn another_pass(
        &mut self,
        job: &Job,
        now: Timestamp,
        checkpoint: Checkpoint,
        parked: u64,
    ) -> Result<(), SegmentError> {
        let (until, next) = (until_of(job)?, next_second(now));
        tracing::warn!(%until, "the job took so long that what came since is listed too");
        let planned = job.planned.clone();
        self.step(Step::Settling, move |job, handover| {
            handover.earlier_passes.clone_from(&planned);
            let first_begins = job.options.filter.from.unwrap_or(until);
            handover.dated_back.get_or_insert(first_begins);
            job.planned = None;
            job.checkpoint = checkpoint.clone();
            job.counts.parked = parked;
            job.phase = Phase::Scanning;
            job.manifest = None;
            job.options.filter.from = Some(until);
            job.options.filter.until = Some(next);
        })
        .await
    }

    /// Lets live go on from where it was, since the job is cancelled. Nothing of it is on its way any more.
    ///
    /// # Errors
    /// [`SegmentError`]
    pub(super) async fn give_up(&mut self) -> Result<(), SegmentError> {
        let job = self.lease.job().await;
        self.let_go(&job, None).await?;
        tracing::info!("live goes on from where it was");
        Ok(())
    }

    async fn let_go(
        &mut self,
        job: &Job,
        end: Option<HistoryEnd>,
    ) -> Result<Handover, SegmentError> {
        let stream = Arc::clone(&self.live.stream);
        let owner = job.job_id.as_str();
        let released = self.retry.run(&mut self.random, || {
            in_time(stream.release(owner, end), store_hangs)
        });
        released.await.map_err(|error| SegmentError::of(&error))?;
        let found = self
            .retry
            .run(&mut self.random, || in_time(stream.read(), store_hangs));
        let found = found.await.map_err(|error| SegmentError::of(&error))?;
        // A job that never held anything may end while another one holds.
        let mapping_is_gone = match found.hold {
            Some(hold) if hold.owner != owner => false,
            _ => self.switch(true).await?,
        };
        self.step(Step::Released, move |_, handover| {
            handover.mapping_is_gone = mapping_is_gone;
        })
        .await?;
        Ok(self.lease.job().await.handover.unwrap_or_default())
    }

    /// Switches the mapping; whether there is none. The hold alone keeps live changes out.
    async fn switch(&mut self, on: bool) -> Result<bool, SegmentError> {
        let Some(mapping) = &self.live.mapping else {
            return Ok(true);
        };
        let switched = self.retry.run(&mut self.random, || {
            in_time(mapping.switch(on), || LivePortError {
                reason: "no answer about the event source mapping".to_owned(),
                kind: bridge_core::failure::FailureKind::Transient,
            })
        });
        let switched = switched.await.map_err(|error| SegmentError::of(&error))?;
        if switched == Switched::Gone {
            tracing::warn!(
                on,
                "the buffer has no event source mapping that could be switched"
            );
        }
        Ok(switched == Switched::Gone)
    }

    async fn bucket_time(&mut self) -> Result<Timestamp, SegmentError> {
        let clock = &self.live.bucket_clock;
        let asked = self.retry.run(&mut self.random, || {
            in_time(clock.now(), || LivePortError {
                reason: "the bucket did not tell the time".to_owned(),
                kind: bridge_core::failure::FailureKind::Transient,
            })
        });
        asked.await.map_err(|error| SegmentError::of(&error))
    }

    /// # Errors
    /// When another job that was started before the hold sends to the same queue.
    async fn look_for_others(&mut self, job: &Job) -> Result<(), SegmentError> {
        let unavailable = |error: JobStoreError| SegmentError::of(&error);
        for id in self.jobs.active().await.map_err(unavailable)? {
            if id == job.job_id {
                continue;
            }
            let other = match self.jobs.load(&id).await {
                Err(JobStoreError::Unreadable { .. }) => continue,
                other => other.map_err(unavailable)?,
            };
            let is_at_work = |other: &Job| other.is_active() && other.sends_to(&job.options.target);
            if other.as_ref().is_some_and(is_at_work) {
                return Err(SegmentError::Permanent(format!(
                    "job {id} sends to the same queue: let it end or cancel it, then resume this one"
                )));
            }
        }
        Ok(())
    }

    async fn step(
        &self,
        step: Step,
        change: impl Fn(&mut Job, &mut Handover) + Send + Sync,
    ) -> Result<(), SegmentError> {
        let update = self.lease.update(move |job| {
            let mut handover = job.handover.clone().unwrap_or_default();
            change(job, &mut handover);
            handover.step = step;
            job.handover = Some(handover);
        });
        Ok(update.await?)
    }

    async fn sleep(&self, time: Duration) -> Ready {
        tokio::select! {
            () = self.stop.cancelled() => Ready::NotYet,
            () = sleep(time) => Ready::Yes,
        }
    }
}

fn until_of(job: &Job) -> Result<Timestamp, SegmentError> {
    let until = job.options.filter.until;
    until.ok_or_else(|| SegmentError::Permanent("the job does not know its until".to_owned()))
}

fn store_hangs() -> LiveStoreError {
    LiveStoreError::Store {
        reason: format!("no answer within {} s", CALL.as_secs()),
        kind: bridge_core::failure::FailureKind::Transient,
    }
}

/// A call that ends by itself or by the clock.
async fn in_time<T, E>(
    call: impl Future<Output = Result<T, E>>,
    hangs: impl Fn() -> E,
) -> Result<T, E> {
    timeout(CALL, call).await.unwrap_or_else(|_| Err(hangs()))
}
