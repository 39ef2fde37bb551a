//! The second half of a job: the merged plan through the lanes into the queue.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::state::Job;
use super::watermark::Watermark;
use crate::delivery::backoff::Backoff;
use crate::delivery::lane::{DeliveryError, Gate, Lane};
use crate::delivery::message::Writer;
use crate::delivery::{Order, Queue, Refusal};
use crate::merge::Merge;
use crate::plan::PlanError;
use crate::version::PlannedVersion;

/// How to send.
#[derive(Debug, Clone)]
pub struct SendSettings {
    /// Ordered senders.
    pub lanes: usize,
    /// Events handed out and not yet behind the checkpoint: bounds memory and how far the fastest
    /// lane may be ahead of the slowest.
    pub window: usize,
    /// A lane without any success for this long (throttling aside) gives up.
    pub patience: Duration,
    /// Between attempts.
    pub backoff: Backoff,
    /// How often the queue's depth is looked at, when it matters.
    pub depth_every: Duration,
}

impl Default for SendSettings {
    fn default() -> Self {
        Self {
            lanes: 32,
            window: 20_000,
            patience: Duration::from_mins(5),
            backoff: Backoff::default(),
            depth_every: Duration::from_secs(5),
        }
    }
}

/// Events one lane may have waiting before the others are served.
const LANE_DEPTH: usize = 128;

/// Why sending cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The queue.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The queue cannot be asked about itself.
    #[error("asking queue {url} for its attributes: {refusal}")]
    Queue {
        /// The queue.
        url: String,
        /// SQS's reason.
        refusal: Refusal,
    },
}

/// What sending needs.
pub struct Sending {
    /// The job, as it was when the segment took it.
    pub job: Job,
    /// Where to.
    pub queue: Arc<dyn Queue>,
    /// Asked before each request.
    pub gate: Arc<dyn Gate>,
    /// The segment's end.
    pub stop: CancellationToken,
    /// Shared with the heartbeat, which writes it down.
    pub watermark: Arc<Mutex<Watermark>>,
    /// For `awsRegion`.
    pub region: String,
    /// How.
    pub settings: SendSettings,
    /// Jitter.
    pub random: fastrand::Rng,
}

/// An event on its way to a lane.
type Item = (u64, PlannedVersion);

impl Sending {
    /// Sends what `merge` gives until its end, or until the segment's. The watermark tells how
    /// far it came.
    ///
    /// # Errors
    /// [`SendError`]; what is acknowledged stays acknowledged.
    pub async fn run(mut self, mut merge: Merge) -> Result<(), SendError> {
        let limit = self
            .queue
            .max_message_bytes()
            .await
            .map_err(|refusal| self.queue_error(refusal))?;
        let window = Arc::new(Semaphore::new(self.settings.window));
        // When one lane ends, the others must too.
        let lanes_stop = self.stop.child_token();
        let mut tasks = JoinSet::new();
        let lanes: Vec<_> = (0..self.lane_count())
            .map(|_| self.start_lane(&mut tasks, &window, &lanes_stop, limit))
            .collect();
        let handed_out = self
            .hand_out(&mut merge, &lanes, &window, &lanes_stop)
            .await;
        drop(lanes);
        if handed_out.is_err() {
            lanes_stop.cancel();
        }
        let mut result = handed_out;
        while let Some(joined) = tasks.join_next().await {
            let lane = joined.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
            if let Err(error) = lane {
                lanes_stop.cancel();
                result = result.and(Err(error.into()));
            }
        }
        result
    }

    fn lane_count(&self) -> usize {
        match self.job.options.order {
            Order::Bucket => 1,
            Order::Key | Order::None => self.settings.lanes.max(1),
        }
    }

    fn start_lane(
        &mut self,
        tasks: &mut JoinSet<Result<(), DeliveryError>>,
        window: &Arc<Semaphore>,
        stop: &CancellationToken,
        max_message_bytes: usize,
    ) -> mpsc::Sender<Item> {
        let (sender, items) = mpsc::channel::<Item>(LANE_DEPTH);
        let lane = Lane {
            queue: Arc::clone(&self.queue),
            gate: Arc::clone(&self.gate),
            stop: stop.clone(),
            backoff: self.settings.backoff,
            patience: self.settings.patience,
            max_message_bytes,
            random: self.random.fork(),
        };
        let writer = Writer {
            format: self.job.options.format,
            order: self.job.options.order,
            region: self.region.clone(),
        };
        let (bucket, job_id) = (self.job.bucket.clone(), self.job.job_id.clone());
        let (watermark, window) = (Arc::clone(&self.watermark), Arc::clone(window));
        let stop = stop.clone();
        tasks.spawn(async move {
            let write = |(sequence, row): Item| {
                writer.message(&row.into_event(&bucket, &job_id, sequence), sequence)
            };
            let acknowledged = |sequences: &[u64]| {
                window.add_permits(lock(&watermark).acknowledge(sequences));
            };
            let result = lane.run(items, write, acknowledged).await;
            if result.is_err() {
                stop.cancel();
            }
            result
        });
        sender
    }

    /// Gives each event its sequence and its lane.
    async fn hand_out(
        &self,
        merge: &mut Merge,
        lanes: &[mpsc::Sender<Item>],
        window: &Semaphore,
        stop: &CancellationToken,
    ) -> Result<(), SendError> {
        let mut pace = Pace::new(self.job.options.max_rate);
        let mut depth_due = Instant::now();
        while !stop.is_cancelled() {
            let Some(row) = merge.next().await? else {
                return self.check_complete();
            };
            let may_go = async {
                if Instant::now() >= depth_due {
                    self.wait_for_room().await;
                    depth_due = Instant::now() + self.settings.depth_every;
                }
                pace.wait().await;
                window.acquire().await
            };
            let permit = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                permit = may_go => permit,
            };
            // The semaphore is never closed; the permit comes back when the checkpoint advances.
            let Ok(permit) = permit else { return Ok(()) };
            permit.forget();
            let sequence = lock(&self.watermark).hand_out(row.position());
            let lane = self.lane_of(&row, sequence, lanes.len());
            if lanes[lane].send((sequence, row)).await.is_err() {
                return Ok(()); // the lane has ended: it was stopped, or tells why itself
            }
        }
        Ok(())
    }

    /// The same lane for the same group; any lane where there are no groups.
    fn lane_of(&self, row: &PlannedVersion, sequence: u64, lanes: usize) -> usize {
        let number = match self.job.options.order {
            Order::None => sequence,
            Order::Key | Order::Bucket => {
                let mut hasher = DefaultHasher::new();
                row.version.key.hash(&mut hasher);
                hasher.finish()
            }
        };
        usize::try_from(number % lanes as u64).unwrap_or(0)
    }

    /// Waits while the queue is deeper than the consumer wants it. A depth that cannot be had
    /// does not hold up the job: the limit is a courtesy, not a promise.
    async fn wait_for_room(&self) {
        let Some(limit) = self.job.options.pause_above_depth else {
            return;
        };
        loop {
            match self.queue.depth().await {
                Ok(depth) if depth > limit => {
                    tracing::info!(depth, limit, "waiting for the consumer");
                    sleep(self.settings.depth_every).await;
                }
                Ok(_) => return,
                Err(refusal) => {
                    tracing::warn!(%refusal, "the queue's depth could not be had");
                    return;
                }
            }
        }
    }

    /// The proof that nothing is missing: as many events handed out as were planned.
    fn check_complete(&self) -> Result<(), SendError> {
        let planned = self
            .job
            .planned
            .as_ref()
            .map_or(0, |summary| summary.events);
        let given = lock(&self.watermark).handed_out();
        if given == planned {
            return Ok(());
        }
        Err(SendError::Plan(PlanError::Damaged {
            name: self.job.manifest.clone().unwrap_or_default(),
            reason: format!("its runs hold {given} events, the manifest says {planned}"),
        }))
    }

    fn queue_error(&self, refusal: Refusal) -> SendError {
        SendError::Queue {
            url: self.job.options.queue_url.clone(),
            refusal,
        }
    }
}

/// A watermark is a plain value: a panic elsewhere cannot leave it half changed.
pub(super) fn lock(watermark: &Mutex<Watermark>) -> std::sync::MutexGuard<'_, Watermark> {
    watermark.lock().unwrap_or_else(PoisonError::into_inner)
}
