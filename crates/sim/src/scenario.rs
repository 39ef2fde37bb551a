//! One job in a world where anything fails, from a seed, and the judgement of what came of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bridge_core::config::{Config, ReseedConfig};
use bridge_core::event::Event;
use bridge_core::format::Format;
use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::actions;
use bridge_history::api::request::StartRequest;
use bridge_history::job::phase::Phase;
use bridge_history::job::segment::SegmentEnd;
use bridge_history::job::state::Job;
use bridge_history::scan::filter::Events;
use bridge_history::send::parking::OnUndeliverable;
use tokio::time::Instant;

use crate::bucket::{Bucket, Markers, STYLE, Style};
use crate::operator::Operator;
use crate::parked;
use crate::store::Outages;
use crate::told::{events_of, sequences_of};
use crate::world::{BEGIN, CALM, FaultProfile, World};

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
        lease: Duration::from_mins(1),
    }
}

/// Every second server is S3; the others write flags and markers in their own ways, and some also list in
/// an order of their own, which must not change anything.
fn style(seed: u64) -> Style {
    let mut random = fastrand::Rng::with_seed(!seed);
    if random.bool() {
        return STYLE;
    }
    let lists_otherwise = random.u8(0..3) == 0;
    let says_latest = random.bool() || lists_otherwise;
    Style {
        markers_apart: lists_otherwise && random.bool(),
        oldest_first: lists_otherwise && random.bool(),
        says_latest,
        two_latest: random.bool() && !lists_otherwise,
        truncated: ["true", "True", "1", ""][random.usize(0..4)],
        markers: match random.u8(0..3) {
            0 => Markers::Raw,
            // A page that lists markers apart does not show its last entry: such a server is refused.
            1 if !lists_otherwise => Markers::KeyAgain,
            _ => Markers::Missing,
        },
        ..STYLE
    }
}

/// A bucket of up to 60 keys, whose versions are often of one second. One key in eight has characters
/// that a key may hold and a message may not.
#[must_use]
pub fn bucket(random: &mut fastrand::Rng, versions: u64) -> Arc<Bucket> {
    bucket_of_steps(random, versions, 0)
}

/// The same, its versions so many seconds apart at least.
fn bucket_of_steps(random: &mut fastrand::Rng, versions: u64, least: i64) -> Arc<Bucket> {
    let mut bucket = Bucket::default();
    let mut seconds = 1_714_564_800;
    let keys = random.u64(1..60);
    for _ in 0..versions {
        seconds += random.i64(0..3).max(least);
        let number = random.u64(0..keys);
        let odd = if number % 8 == 7 {
            "\u{1}\u{FFFE}\u{FFFF}"
        } else {
            ""
        };
        let key = format!("k/{number:02}{odd}");
        if random.u8(0..5) == 0 {
            bucket.delete(&key, Timestamp(seconds * 1000));
        } else {
            bucket.put(&key, Timestamp(seconds * 1000));
        }
    }
    Arc::new(bucket)
}

/// A bucket of so many keys, each written once.
fn keys(keys: i64) -> Arc<Bucket> {
    let mut bucket = Bucket::default();
    for key in 0..keys {
        let second = 1_714_564_800 + key;
        bucket.put(&format!("k/{key:03}"), Timestamp(second * 1000));
    }
    Arc::new(bucket)
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
    /// Everything about it is drawn from the seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        // One of four is slow enough for leases, sweeps and takeovers to matter.
        let is_long = random.u8(0..4) == 0;
        let profile = FaultProfile {
            faults_per_mille: random.u32(0..80),
            killed_of_ten: random.u64(0..if is_long { 3 } else { 7 }),
            lost_of_ten: random.u64(0..4),
            doubled_of_ten: random.u64(0..5),
            cut_off_of_ten: if is_long { random.u64(4..10) } else { 0 },
            frozen_of_ten: if is_long { random.u64(0..6) } else { 0 },
            killed_at: None,
            clocks_off_ms: 0,
            plan_outages: None,
            page_takes: Duration::ZERO,
            unreadable_job: seed.is_multiple_of(3),
            segment: Duration::from_millis(if is_long {
                random.u64(100_000..600_000)
            } else {
                random.u64(1_500..40_000)
            }),
        };
        let versions = random.u64(1..700);
        let style = style(seed);
        // Where markers stand apart, or the oldest first, only times tell.
        let only_times_tell = style.markers_apart || style.oldest_first;
        let bucket = bucket_of_steps(&mut random, versions, i64::from(only_times_tell));
        let packed = random.bool();
        let order = ["key", "key", "bucket"][random.usize(0..3)];
        let mut scenario = Self {
            seed,
            profile,
            bucket,
            kind: Kind::Any,
            undeliverable: BTreeSet::new(),
            style,
            request: StartRequest {
                order: Some(order.to_owned()),
                format: packed.then_some(Format::S3),
                records_per_message: packed.then(|| random.usize(1..12)),
                delivery: if random.u8(0..3) == 0 {
                    Mode::Batched
                } else {
                    Mode::Strict
                },
                max_rate: is_long.then(|| (versions / random.u64(100..500)).max(1)),
                ..StartRequest::default()
            },
        };
        if is_long {
            scenario.profile.clocks_off_ms = random.u64(0..2) * random.u64(0..300_000);
        }
        if random.u8(0..3) == 0 {
            scenario.profile.plan_outages = Some(Outages {
                every: Duration::from_millis(random.u64(2_000..60_000)),
                length: Duration::from_millis(random.u64(100..1_500)),
            });
        }
        match random.u8(0..24) {
            0 => scenario.of_kind(Kind::Deaths),
            1 => scenario.of_kind(Kind::NothingKept),
            2 => scenario.of_kind(Kind::LongOutages),
            3 => scenario.of_kind(Kind::ShortOutages),
            4 | 5 if is_long => scenario.of_kind(Kind::Operator),
            _ if seed % 4 == 1 => scenario.with_undeliverable(),
            _ => scenario,
        }
    }

    /// The queue refuses one event of thirty for good, and a key that makes messages too long. The job
    /// parks them, or fails at the first and is resumed so that it parks.
    fn with_undeliverable(mut self) -> Self {
        let mut random = fastrand::Rng::with_seed(self.seed.rotate_left(32));
        if random.bool() {
            let mut bucket = (*self.bucket).clone();
            let last = bucket
                .history()
                .last()
                .map(|(position, _)| position.effective_time);
            let begin = last.unwrap_or(BEGIN);
            for second in 0..random.u64(1..5) {
                bucket.put(&"\u{1}".repeat(1000), begin + Duration::from_secs(second));
            }
            self.bucket = Arc::new(bucket);
        }
        let is_bridge = self.request.format != Some(Format::S3);
        let history = self.bucket.history();
        self.undeliverable = (1..)
            .zip(&history)
            .filter(|(_, (position, _))| {
                (is_bridge && position.key.len() == 1000) || random.u8(0..30) == 0
            })
            .map(|(sequence, _)| sequence)
            .collect();
        if random.u8(0..3) > 0 {
            self.request.on_undeliverable = OnUndeliverable::Park;
        }
        self
    }

    fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        if kind == Kind::Operator {
            return self;
        }
        self.profile = FaultProfile {
            faults_per_mille: self.profile.faults_per_mille / 4,
            unreadable_job: self.profile.unreadable_job,
            ..CALM
        };
        self.request.max_rate = None;
        let mut random = fastrand::Rng::with_seed(self.seed);
        let seconds = |of| Duration::from_secs(of);
        match kind {
            Kind::Any | Kind::Operator => {}
            Kind::Deaths => {
                self.profile.page_takes = seconds(20);
                self.profile.killed_at = Some(seconds(random.u64(1..20)));
            }
            Kind::NothingKept => {
                self.bucket = keys(700);
                self.request.events = Events::Removed;
                self.profile.page_takes = seconds(20);
                self.profile.killed_at = Some(seconds(random.u64(90..120)));
            }
            Kind::LongOutages | Kind::ShortOutages => {
                self.bucket = keys(600);
                self.style.page_size = 3;
                self.profile.page_takes = seconds(4);
                self.profile.plan_outages = Some(Outages {
                    every: seconds(20),
                    length: seconds(8),
                });
            }
        }
        self
    }

    /// What is to arrive.
    fn expected(&self) -> u64 {
        if self.kind == Kind::NothingKept {
            return 0;
        }
        self.bucket.len() as u64
    }

    /// Runs it until the job has ended, and judges.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn run(&self) -> Result<Trace, String> {
        let told = on_simulated_time(self.run_and_judge());
        told.map_err(|broken| {
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

    async fn run_and_judge(&self) -> Result<Trace, String> {
        let bucket = Arc::clone(&self.bucket);
        let mut world = World::new(
            bucket,
            self.style,
            self.profile,
            self.request.delivery,
            self.seed,
        );
        if matches!(self.kind, Kind::LongOutages | Kind::ShortOutages) {
            world.settings.scan.commit_every = Duration::from_secs(5);
        }
        if self.kind == Kind::LongOutages {
            world.settings.retry_timeout = Duration::from_secs(2);
        }
        world
            .queue
            .arrived()
            .refused
            .clone_from(&self.undeliverable);
        let started = start(&world, &self.request).await;
        let begin = Instant::now();
        let limit = Duration::from_hours(24);
        let mut is_cancelled = false;
        let rested = if self.kind == Kind::Operator {
            let operator = Operator::new(&world, &started.job_id, self.seed);
            let (rested, cancelled) = tokio::join!(
                world.turn_while(limit, || operator.is_busy()),
                operator.work()
            );
            is_cancelled = cancelled?;
            rested
        } else {
            world.turn(limit).await
        };
        let stops = self.request.on_undeliverable.is_stop() && !self.undeliverable.is_empty();
        if rested && stops {
            let is_one_order = self.request.order.as_deref() == Some("bucket");
            parked::judge_stop(&world, &self.bucket, is_one_order)?;
            while actions::resume(&world.ports, &started.job_id, Some(OnUndeliverable::Park))
                .await
                .is_err()
            {}
            if !world.turn(limit).await {
                return Err("the resumed job never ended".to_owned());
            }
        }
        let job = world.jobs.jobs().values().next().cloned();
        let job = job.ok_or("there is no job")?;
        if !rested {
            return Err(format!("the job never ended: {job:?}"));
        }
        self.judge_end(&world, &job, is_cancelled)?;
        if job.phase != Phase::Done || self.expected() == 0 {
            return Ok(trace(&world, &job));
        }
        if job.checkpoint.sequence != self.expected() {
            return Err(format!("the checkpoint is {}", job.checkpoint.sequence));
        }
        self.judge_rate(&world)?;
        // Within the five minutes in which SQS drops repetitions, even kills repeat nothing.
        let strictly_once =
            self.request.delivery == Mode::Strict && begin.elapsed() < Duration::from_mins(5);
        judge(&world, &self.bucket, strictly_once)?;
        parked::judge(&world, &self.bucket, &job, &self.undeliverable)?;
        Ok(trace(&world, &job))
    }

    /// The phase in which the job must end.
    fn judge_end(&self, world: &World, job: &Job, is_cancelled: bool) -> Result<(), String> {
        if let Some(violation) = world.queue.arrived().violations.first() {
            return Err(violation.clone());
        }
        let told = job.last_error.as_deref().unwrap_or_default();
        let is_right = match self.kind {
            Kind::Deaths => job.phase == Phase::Failed && told.contains("ten segments"),
            _ if is_cancelled => matches!(job.phase, Phase::Cancelled | Phase::Done),
            _ => job.phase == Phase::Done,
        };
        if !is_right {
            return Err(format!("the job is {}: {told}", job.phase));
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

    /// At no time more has arrived than the rate allows until then.
    fn judge_rate(&self, world: &World) -> Result<(), String> {
        let Some(rate) = self
            .request
            .max_rate
            .and_then(|rate| i64::try_from(rate).ok())
        else {
            return Ok(());
        };
        let mut seen = HashSet::new();
        for (at, message) in &world.queue.arrived().messages {
            seen.extend(sequences_of(message));
            let events = i64::try_from(seen.len()).unwrap_or(i64::MAX);
            let may = rate * (at.0 - BEGIN.0 + 50) / 1000 + 1;
            if events > may {
                return Err(format!(
                    "{events} events by {at}, at {rate}/s these are {may}"
                ));
            }
        }
        Ok(())
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

/// Judges what arrived by the history itself.
///
/// A consumer that keeps, by key, the next sequence it has not seen must get every event of the
/// history in order, but those that the queue refuses for good: repetitions and (batched) rewinds it can tell by the sequence.
/// `strictly_once`: nothing came twice, and nothing out of order at all.
///
/// # Errors
/// What is wrong.
pub fn judge(world: &World, bucket: &Bucket, strictly_once: bool) -> Result<(), String> {
    let arrived = world.queue.arrived();
    if let Some(violation) = arrived.violations.first() {
        return Err(violation.clone());
    }
    let mut of_key: HashMap<&str, Vec<u64>> = HashMap::new();
    let history = bucket.history();
    for (sequence, (position, _)) in (1..).zip(&history) {
        if arrived.refused.contains(&sequence) {
            continue;
        }
        of_key.entry(&position.key).or_default().push(sequence);
    }
    let is_strict = world.is_strict();
    let mut next_of_key: HashMap<String, usize> = HashMap::new();
    let mut events: HashMap<u64, Event> = HashMap::new();
    for (_, message) in &arrived.messages {
        for (sequence, event) in events_of(message)? {
            let expected = of_key
                .get(event.key.as_str())
                .map_or(&[][..], Vec::as_slice);
            let next = next_of_key.entry(event.key.clone()).or_default();
            match expected.iter().position(|s| *s == sequence) {
                None => return Err(format!("{} is not told by {sequence}", event.key)),
                Some(index) if index == *next => *next += 1,
                Some(index) if index > *next && is_strict => {
                    return Err(format!("{} has a gap before {sequence}", event.key));
                }
                Some(_) if strictly_once => return Err(format!("{sequence} came twice")),
                Some(_) => {}
            }
            let changed = events.insert(sequence, event.clone());
            if changed.is_some_and(|before| before != event) {
                return Err(format!("{sequence} tells two different events"));
            }
        }
    }
    for (key, expected) in &of_key {
        let got = next_of_key.get(*key).copied().unwrap_or(0);
        if got != expected.len() {
            return Err(format!("{key}: {got} of {} in order", expected.len()));
        }
    }
    for (sequence, (position, version)) in (1..).zip(&history) {
        if arrived.refused.contains(&sequence) {
            continue;
        }
        let event = &events[&sequence];
        let is_removed = event.event_name.starts_with("ObjectRemoved");
        // A native notification does not say which is the latest.
        let is_latest = event.is_latest.unwrap_or(version.is_latest);
        if (&event.key, &event.version_id, is_removed, is_latest)
            != (
                &position.key,
                &version.version_id,
                version.is_delete_marker,
                version.is_latest,
            )
        {
            return Err(format!(
                "{sequence} should tell {position:?}, tells {event:?}"
            ));
        }
    }
    Ok(())
}
