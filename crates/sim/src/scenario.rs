//! One job in a world where anything fails, and what must have come of it at the end.
//!
//! [`draw`]: how a seed draws it.

pub mod draw;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bridge_core::config::{Config, ReseedConfig};
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::actions;
use bridge_history::api::start::StartRequest;
use bridge_history::id::JobId;
use bridge_history::job::phase::Phase;
use bridge_history::job::segment::SegmentEnd;
use bridge_history::job::state::Job;
use bridge_history::send::parking::OnUndeliverable;
use tokio::time::Instant;

use crate::bucket::{Bucket, Style};
use crate::operator::Operator;
use crate::world::{FaultProfile, World};
use crate::{delivered, parked, told};

/// A bucket, a job and a profile.
#[derive(Debug)]
pub struct Scenario {
    seed: u64,
    profile: FaultProfile,
    bucket: Arc<Bucket>,
    style: Style,
    request: StartRequest,
    kind: Kind,
    /// Sequences of events that the queue refuses for good.
    undeliverable: BTreeSet<u64>,
}

/// What a scenario is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Everything at once.
    Any,
    /// Every segment dies the same way before it achieves anything: the job must end, with the reason.
    Deaths,
    /// Pages come slowly, the filter keeps nothing, and every segment dies after a while: the job must
    /// continue nevertheless.
    NothingKept,
    /// The plan store fails for longer than it is waited for, again and again, while the scan gets
    /// further: the job must not fail.
    LongOutages,
    /// The plan store fails for shorter than that: no segment may end of it.
    ShortOutages,
    /// Somebody pauses, resumes and cancels the job.
    Operator,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// When each message arrived, and its number and attempt.
    pub arrivals: Vec<(Timestamp, u64, u32)>,
    /// Segments that worked.
    pub segments: u64,
    /// When the job ended.
    pub finished_at: Option<Timestamp>,
}

/// The configuration of a stack with a FIFO queue.
///
/// # Panics
/// Never: it is complete.
#[must_use]
pub fn config() -> ReseedConfig {
    let queue = |name: &str| {
        (name == "QUEUE_URL").then(|| "https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned())
    };
    ReseedConfig {
        common: Config::read(&queue).expect("the queue is all that has no default"),
        bucket: "ledger".to_owned(),
        table: "jobs".to_owned(),
        plan_bucket: "plans".to_owned(),
        failure_queue: None,
        follow: None,
        salt: None,
        lease: Duration::from_mins(1),
    }
}

/// Runs on a clock that jumps to the next event whenever all wait.
///
/// # Panics
/// When there is no memory for a runtime.
pub fn on_simulated_time<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime needs only memory")
        .block_on(future)
}

impl Scenario {
    /// What is to arrive.
    fn expected(&self) -> u64 {
        if self.kind == Kind::NothingKept {
            return 0;
        }
        self.bucket.len() as u64
    }

    /// Runs it until the job has ended, and checks what came of it.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn run(&self) -> Result<Trace, String> {
        on_simulated_time(self.run_and_check()).map_err(|broken| {
            let Self {
                seed,
                profile,
                request,
                ..
            } = self;
            let versions = self.bucket.len();
            format!("BRIDGE_SEED={seed}: {broken}\n{profile:?}\n{request:?}\n{versions} versions")
        })
    }

    async fn run_and_check(&self) -> Result<Trace, String> {
        let world = self.world();
        let started = start(&world, &self.request).await;
        let begin = Instant::now();
        let is_cancelled = self.turn(&world, &started.job_id).await?;
        let took = begin.elapsed();
        told::check(&world.jobs.turns(), self.seed).await?;
        let job = world.jobs.jobs().values().next().cloned();
        let job = job.ok_or("there is no job")?;
        self.check_end(&world, &job, is_cancelled)?;
        if job.phase != Phase::Done || self.expected() == 0 {
            return Ok(trace(&world, &job));
        }
        if job.checkpoint.sequence != self.expected() {
            return Err(format!("the checkpoint is {}", job.checkpoint.sequence));
        }
        if let Some(rate) = self.request.max_rate {
            delivered::check_rate(&world, rate)?;
        }
        // Within the five minutes in which SQS drops repetitions, even kills repeat nothing.
        let strictly_once = self.request.delivery == Mode::Strict && took < Duration::from_mins(5);
        delivered::check(&world, &self.bucket, strictly_once)?;
        parked::check(&world, &self.bucket, &job, &self.undeliverable)?;
        Ok(trace(&world, &job))
    }

    fn world(&self) -> World {
        let mut world = World::new(
            Arc::clone(&self.bucket),
            self.style,
            self.profile,
            self.request.delivery,
            self.seed,
        );
        if matches!(self.kind, Kind::LongOutages | Kind::ShortOutages) {
            world.settings.scan.commit_every = Duration::from_secs(5);
        }
        // Every second job has more runs than are read at the same time.
        if self.seed.is_multiple_of(2) {
            world.settings.scan.commit_every = Duration::from_secs(5);
            world.settings.runs_at_once = 2;
        }
        if self.kind == Kind::LongOutages {
            world.settings.retry_timeout = Duration::from_secs(2);
        }
        world
            .queue
            .arrived()
            .refused
            .clone_from(&self.undeliverable);
        world
    }

    /// Lets the job run to its end, resumed where it must stop in between; whether it was cancelled.
    async fn turn(&self, world: &World, job_id: &JobId) -> Result<bool, String> {
        let limit = Duration::from_hours(24);
        let (rested, is_cancelled) = if self.kind == Kind::Operator {
            let operator = Operator::new(world, job_id, self.seed);
            let (rested, cancelled) = tokio::join!(
                world.turn_while(limit, || operator.is_busy()),
                operator.work()
            );
            (rested, cancelled?)
        } else {
            (world.turn(limit).await, false)
        };
        if !rested {
            return Err(format!("the job never ended: {:?}", world.jobs.jobs()));
        }
        if self.request.on_undeliverable.is_stop() && !self.undeliverable.is_empty() {
            let is_one_order = self.request.order.as_deref() == Some("bucket");
            parked::check_stop(world, &self.bucket, is_one_order)?;
            while actions::resume(&world.ports, job_id, Some(OnUndeliverable::Park))
                .await
                .is_err()
            {}
            if !world.turn(limit).await {
                return Err("the resumed job never ended".to_owned());
            }
        }
        Ok(is_cancelled)
    }

    /// The phase in which the job must end.
    fn check_end(&self, world: &World, job: &Job, is_cancelled: bool) -> Result<(), String> {
        if let Some(violation) = world.queue.arrived().violations.first() {
            return Err(violation.clone());
        }
        let reason = job.last_error.as_deref().unwrap_or_default();
        let is_right = match self.kind {
            Kind::Deaths => job.phase == Phase::Failed && reason.contains("ten segments"),
            _ if is_cancelled => matches!(job.phase, Phase::Cancelled | Phase::Done),
            _ => job.phase == Phase::Done,
        };
        if !is_right {
            return Err(format!("the job is {}: {reason}", job.phase));
        }
        let ends = world.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let of_outage = ends.iter().find(
            |end| matches!(end, SegmentEnd::RetryLater(reason) if reason.contains("plan object")),
        );
        match of_outage {
            Some(end) if self.kind == Kind::ShortOutages => {
                Err(format!("a fault that passes cost a segment: {end:?}"))
            }
            _ => Ok(()),
        }
    }
}

fn trace(world: &World, job: &Job) -> Trace {
    let arrived = world.queue.arrived();
    let arrivals = arrived.messages.iter();
    Trace {
        arrivals: arrivals.map(|(at, m)| (*at, m.number, m.attempt)).collect(),
        segments: job.counts.segments,
        finished_at: job.finished_at,
    }
}

/// Starts a job, again if the simulated store fails.
pub async fn start(world: &World, request: &StartRequest) -> Job {
    loop {
        if let Ok(job) = actions::start(&world.ports, &config(), request).await {
            return job;
        }
    }
}
