//! One job in a world where anything fails, from a seed, and the judgement of what came of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bridge_core::config::{Config, ReseedConfig};
use bridge_core::delivery::Mode;
use bridge_core::event::Event;
use bridge_core::format::Format;
use bridge_core::job::request::StartRequest;
use bridge_core::job::{Job, Phase, actions};
use bridge_core::time::Millis;
use tokio::time::Instant;

use crate::bucket::{Bucket, Style};
use crate::told::events_of;
use crate::world::{Weather, World};

/// A bucket, a job and a weather.
#[derive(Debug)]
pub struct Storm {
    seed: u64,
    weather: Weather,
    bucket: Arc<Bucket>,
    style: Style,
    request: StartRequest,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// When each message arrived, and its number and attempt.
    pub arrivals: Vec<(Millis, u64, u32)>,
    /// Segments that worked.
    pub segments: u64,
    /// When the job ended.
    pub finished_at: Option<Millis>,
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
        lease: Duration::from_mins(1),
    }
}

/// A bucket of up to 60 keys, whose versions are often of one second. One key in eight has characters
/// that a key may hold and a message may not.
#[must_use]
pub fn bucket(random: &mut fastrand::Rng, versions: u64) -> Arc<Bucket> {
    let mut bucket = Bucket::default();
    let mut seconds = 1_714_564_800;
    let keys = random.u64(1..60);
    for _ in 0..versions {
        seconds += random.i64(0..3);
        let number = random.u64(0..keys);
        let odd = if number % 8 == 7 {
            "\u{1}\u{FFFE}\u{FFFF}"
        } else {
            ""
        };
        let key = format!("k/{number:02}{odd}");
        if random.u8(0..5) == 0 {
            bucket.delete(&key, Millis(seconds * 1000));
        } else {
            bucket.put(&key, Millis(seconds * 1000));
        }
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

impl Storm {
    /// Everything about it is drawn from the seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        // One of four is slow enough for leases, sweeps and takeovers to matter.
        let is_long = random.u8(0..4) == 0;
        let weather = Weather {
            faults_per_mille: random.u32(0..80),
            killed_of_ten: random.u64(0..if is_long { 3 } else { 7 }),
            lost_of_ten: random.u64(0..4),
            doubled_of_ten: random.u64(0..5),
            cut_off_of_ten: if is_long { random.u64(4..10) } else { 0 },
            frozen_of_ten: if is_long { random.u64(0..6) } else { 0 },
            segment: Duration::from_millis(if is_long {
                random.u64(100_000..600_000)
            } else {
                random.u64(1_500..40_000)
            }),
        };
        let versions = random.u64(1..700);
        let bucket = bucket(&mut random, versions);
        let packed = random.bool();
        let order = ["key", "key", "bucket"][random.usize(0..3)];
        Self {
            seed,
            weather,
            bucket,
            style: Style {
                page_size: 25,
                url_encoded: true,
                markers_apart: false,
            },
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
        }
    }

    /// Lets it blow until the job has ended, and judges.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn blow(&self) -> Result<Trace, String> {
        let told = on_simulated_time(self.run());
        told.map_err(|broken| {
            let Self {
                seed,
                weather,
                request,
                ..
            } = self;
            let versions = self.bucket.len();
            format!("BRIDGE_SEED={seed}: {broken}\n{weather:?}\n{request:?}\n{versions} versions")
        })
    }

    async fn run(&self) -> Result<Trace, String> {
        let bucket = Arc::clone(&self.bucket);
        let world = World::new(
            bucket,
            self.style,
            self.weather,
            self.request.delivery,
            self.seed,
        );
        start(&world, &self.request).await;
        let begin = Instant::now();
        let rested = world.turn(Duration::from_hours(24)).await;
        let job = world.jobs.jobs().values().next().cloned();
        let job = job.ok_or("there is no job")?;
        if !rested {
            return Err(format!("the job never ended: {job:?}"));
        }
        if job.phase != Phase::Done {
            return Err(format!("the job is {}: {:?}", job.phase, job.last_error));
        }
        if job.checkpoint.sequence != self.bucket.len() as u64 {
            return Err(format!("the checkpoint is {}", job.checkpoint.sequence));
        }
        // Within the five minutes in which SQS drops repetitions, even kills repeat nothing.
        let strictly_once =
            self.request.delivery == Mode::Strict && begin.elapsed() < Duration::from_mins(5);
        judge(&world, &self.bucket, strictly_once)?;
        let arrived = world.queue.arrived();
        let arrivals = arrived.messages.iter();
        Ok(Trace {
            arrivals: arrivals.map(|(at, m)| (*at, m.number, m.attempt)).collect(),
            segments: job.counts.segments,
            finished_at: job.finished_at,
        })
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
/// history in order: repetitions and (batched) rewinds it can tell by the sequence.
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
        let event = &events[&sequence];
        let is_removed = event.event_name.starts_with("ObjectRemoved");
        if (&event.key, &event.version_id, is_removed)
            != (&position.key, &version.version_id, version.is_delete_marker)
        {
            return Err(format!(
                "{sequence} should tell {position:?}, tells {event:?}"
            ));
        }
    }
    Ok(())
}
