//! The second half of a job: the merged plan through the lanes into the queue.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bridge_core::clock::Clock;
use bridge_core::format::Format;
use bridge_core::limiter::ConcurrencyLimiter;
use bridge_core::listing::version::PlannedVersion;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::{Message, Writer};
use bridge_core::queue::ordering::{Mode, Order};
use bridge_core::queue::port::Queue;
use bridge_core::retry::{Backoff, Retry};
use metrics::counter;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::id::{Epoch, JobId};
use crate::plan::merge::Merge;
use crate::plan::position::Position;
use crate::plan::store::PlanError;
use crate::send::error::{DeliveryError, SenderError};
use crate::send::gate::Gate;
use crate::send::lane::{Lane, Ledger};
use crate::send::pacer::Pace;
use crate::send::packer::Packer;
use crate::send::parking::Parking;
use crate::send::target::Target;
use crate::send::watermark::{Watermark, lock};
use crate::send::window::Window;

/// How to send.
#[derive(Debug, Clone)]
pub struct SendSettings {
    /// Ordered senders.
    pub lanes: usize,
    /// Events handed out and not yet behind the checkpoint: bounds memory and how far the fastest
    /// lane may be ahead of the slowest.
    pub window: usize,
    /// A lane without any success for this long (throttling aside) stops trying.
    pub retry_timeout: Duration,
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
            retry_timeout: Duration::from_mins(5),
            backoff: Backoff::default(),
            depth_every: Duration::from_secs(5),
        }
    }
}

/// What was asked for that concerns sending.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// Which order the queue keeps.
    pub order: Order,
    /// How messages are written.
    pub format: Format,
    /// How groups keep their order.
    pub delivery: Mode,
    /// Records a message holds at most.
    pub records_per_message: usize,
    /// Where to.
    pub target: Target,
    /// Events a second, at most.
    pub max_rate: Option<u64>,
    /// Wait while more messages than this are in the queue.
    pub pause_above_depth: Option<u64>,
}

/// Messages one lane may have waiting before the others are served.
const LANE_DEPTH: usize = 128;

/// What sending needs.
pub struct Sending {
    /// Whose events.
    pub job_id: JobId,
    /// The job's fencing number.
    pub epoch: Epoch,
    /// Of which bucket.
    pub bucket: String,
    /// What was asked for.
    pub options: SendOptions,
    /// Events of the plan.
    pub planned: u64,
    /// The plan's manifest, for errors.
    pub manifest: String,
    /// Where to.
    pub queue: Arc<dyn Queue>,
    /// Where an event goes that the queue refuses for good; without, the job fails at it.
    pub parking: Option<Arc<dyn Queue>>,
    /// The time that records of parked events bear.
    pub clock: Arc<dyn Clock>,
    /// Asked before each request.
    pub gate: Arc<dyn Gate>,
    /// The segment's end.
    pub stop: CancellationToken,
    /// Shared with the heartbeat, which writes it down.
    pub watermark: Arc<Mutex<Watermark>>,
    /// Set while the queue is deeper than the consumer wants it.
    pub held: Arc<AtomicBool>,
    /// For `awsRegion`.
    pub region: String,
    /// How.
    pub settings: SendSettings,
    /// Jitter.
    pub random: fastrand::Rng,
}

impl Sending {
    /// Sends what `merge` gives until its end, or until the segment's. The watermark tells how
    /// far it came.
    ///
    /// # Errors
    /// [`SenderError`]; what is acknowledged stays acknowledged.
    pub async fn run(mut self, mut merge: Merge) -> Result<(), SenderError> {
        let limit = self
            .queue
            .max_message_bytes()
            .await
            .map_err(|refusal| self.queue_error(refusal))?;
        let packer = self.packer(limit);
        let window = Window::new(self.settings.window.max(packer.rows_of_block()));
        // When one lane ends, the others must too.
        let lanes_stop = self.stop.child_token();
        let limiter = ConcurrencyLimiter::new(self.lane_count());
        let mut tasks = JoinSet::new();
        let lanes: Vec<_> = (0..self.lane_count())
            .map(|_| {
                let lane = self.lane(&limiter, &lanes_stop, limit);
                start_lane(&mut tasks, lane, &window, &self.watermark)
            })
            .collect();
        let handed_out = self
            .hand_out(&mut merge, &packer, &lanes, &window, &lanes_stop)
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
        match self.options.order {
            Order::Bucket => 1,
            Order::Key | Order::None => self.settings.lanes.max(1),
        }
    }

    fn lane(
        &mut self,
        limiter: &Arc<ConcurrencyLimiter>,
        stop: &CancellationToken,
        limit: usize,
    ) -> Lane {
        let options = &self.options;
        let retry = Retry {
            backoff: self.settings.backoff,
            retry_timeout: self.settings.retry_timeout,
            stop: stop.clone(),
        };
        let parking = self.parking.as_ref().map(|place| Parking {
            place: Arc::clone(place),
            clock: Arc::clone(&self.clock),
            gate: Arc::clone(&self.gate),
            retry: retry.clone(),
        });
        Lane {
            queue: Arc::clone(&self.queue),
            gate: Arc::clone(&self.gate),
            limiter: Arc::clone(limiter),
            mode: options.delivery,
            fills_requests: options.order != Order::Bucket || options.delivery == Mode::Batched,
            retry,
            max_message_bytes: limit,
            parking,
            random: self.random.fork(),
        }
    }

    fn packer(&self, max_message_bytes: usize) -> Packer {
        let options = &self.options;
        Packer {
            writer: Writer {
                format: options.format,
                order: options.order,
                region: self.region.clone(),
            },
            bucket: self.bucket.clone(),
            job_id: self.job_id.clone(),
            epoch: self.epoch,
            mode: options.delivery,
            records_per_message: options.records_per_message,
            max_message_bytes,
            max_rate: options.max_rate,
        }
    }

    /// Gives each event its sequence, makes messages of them, and gives each message its lane.
    async fn hand_out(
        &self,
        merge: &mut Merge,
        packer: &Packer,
        lanes: &[mpsc::Sender<Message>],
        window: &Window,
        stop: &CancellationToken,
    ) -> Result<(), SenderError> {
        let mut pace = Pace::new(self.options.max_rate);
        let mut depth_due = Instant::now();
        while !stop.is_cancelled() {
            let rows = next_block(merge, packer.rows_of_block()).await?;
            let Some(last) = rows.last().map(|row| Position::of(&row.borrowed())) else {
                return self.check_complete();
            };
            let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            let may_go = async {
                if Instant::now() >= depth_due {
                    self.wait_for_room().await;
                    depth_due = Instant::now() + self.settings.depth_every;
                }
                pace.wait(count).await;
                window.take(count).await;
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = may_go => {}
            }
            let first = lock(&self.watermark).handed_out() + 1;
            let messages = packer.messages(rows, first);
            lock(&self.watermark).hand_out(u64::from(count), last, messages.len());
            for message in messages {
                let lane = lane_of(&message, lanes.len());
                if lanes[lane].send(message).await.is_err() {
                    return Ok(()); // the lane has ended: it was stopped, or tells why itself
                }
            }
        }
        Ok(())
    }

    /// Waits while the queue is deeper than the consumer wants it. A depth that is unavailable
    /// does not delay the job: the limit is a courtesy, not a promise.
    async fn wait_for_room(&self) {
        let Some(limit) = self.options.pause_above_depth else {
            return;
        };
        loop {
            match self.queue.depth().await {
                Ok(depth) if depth > limit => {
                    tracing::info!(depth, limit, "waiting for the consumer");
                    self.held.store(true, Ordering::Relaxed);
                    sleep(self.settings.depth_every).await;
                }
                Ok(_) => break,
                Err(refusal) => {
                    tracing::warn!(%refusal, "the queue's depth was unavailable");
                    break;
                }
            }
        }
        self.held.store(false, Ordering::Relaxed);
    }

    /// The proof that nothing is missing: as many events handed out as were planned.
    fn check_complete(&self) -> Result<(), SenderError> {
        let planned = self.planned;
        let given = lock(&self.watermark).handed_out();
        if given == planned {
            return Ok(());
        }
        let reason = format!("its runs hold {given} events, the manifest says {planned}");
        Err(SenderError::Plan(PlanError::damaged(
            &self.manifest,
            reason,
        )))
    }

    fn queue_error(&self, refusal: SendError) -> SenderError {
        SenderError::Queue {
            target: self.options.target.clone(),
            refusal,
        }
    }
}

fn start_lane(
    tasks: &mut JoinSet<Result<(), DeliveryError>>,
    lane: Lane,
    window: &Window,
    watermark: &Arc<Mutex<Watermark>>,
) -> mpsc::Sender<Message> {
    let (sender, messages) = mpsc::channel(LANE_DEPTH);
    let ledger = Passed {
        watermark: Arc::clone(watermark),
        window: window.clone(),
    };
    let stop = lane.retry.stop.clone();
    tasks.spawn(async move {
        let result = lane.run(messages, ledger).await;
        if result.is_err() {
            stop.cancel();
        }
        result
    });
    sender
}

/// What all lanes write down together.
struct Passed {
    watermark: Arc<Mutex<Watermark>>,
    window: Window,
}

impl Passed {
    /// Counts what the checkpoint passes by a change.
    fn note(&self, change: impl FnOnce(&mut Watermark) -> usize) {
        let mut watermark = lock(&self.watermark);
        let before = watermark.parked();
        let advanced = change(&mut watermark);
        let parked = watermark.parked() - before;
        drop(watermark);
        counter!("EventsSent").increment((advanced as u64).saturating_sub(parked));
        self.window.give_back(advanced);
    }
}

impl Ledger for Passed {
    fn acknowledged(&self, sequences: &[u64]) {
        self.note(|watermark| watermark.acknowledge(sequences));
    }

    fn taken_apart(&self, sequence: u64, parts: usize) {
        lock(&self.watermark).take_apart(sequence, parts);
    }

    fn parked(&self, sequence: u64) {
        self.note(|watermark| watermark.park(sequence));
    }
}

/// The next rows; fewer than `rows` only at the plan's end.
async fn next_block(merge: &mut Merge, rows: usize) -> Result<Vec<PlannedVersion>, PlanError> {
    let mut block = Vec::with_capacity(rows);
    while block.len() < rows
        && let Some(row) = merge.next().await?
    {
        block.push(row);
    }
    Ok(block)
}

/// The same lane for the same group; any lane where there are no groups.
fn lane_of(message: &Message, lanes: usize) -> usize {
    let number = match &message.group {
        None => message.number,
        Some(group) => {
            let mut hasher = DefaultHasher::new();
            group.hash(&mut hasher);
            hasher.finish()
        }
    };
    usize::try_from(number % lanes as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests;
