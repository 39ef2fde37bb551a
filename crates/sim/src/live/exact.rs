//! `exact` in a world where anything fails: of each key the stream is its history in the bucket.

mod check;

use std::sync::Arc;
use std::time::Duration;

use bridge_core::clock::Clock as _;
use bridge_core::event::Event;
use bridge_core::listing::dialect::Dialect;
use bridge_core::live::exact::Exact;
use bridge_core::live::exact::reported::Reported;
use bridge_core::live::stream::Stream;
use bridge_core::retry::Backoff;
use bridge_core::timestamp::Timestamp;

use crate::faults::Faults;
use crate::live::exact::check::{Expected, check};
pub use crate::live::history::Habits;
use crate::live::history::{LiveBucket, draw};
use crate::live::invocations::{Invocations, MOST_TIME, Shared, Work};
use crate::live::source::Source;
use crate::live::{RULES, SimKeys, Traffic, writer};
use crate::queue::{OfSegment, SimQueue};
use crate::world::{BEGIN, SimClock};

/// Some traffic and what goes wrong.
#[derive(Debug)]
pub struct ExactScenario {
    seed: u64,
    traffic: Traffic,
    habits: Habits,
    /// Of 1,000 calls, how many fail.
    faults_per_mille: u32,
    invocations: Invocations,
    /// Where the stream begins, seconds after the first change can come.
    boundary_s: u64,
    /// Whether a job has sent what was before it.
    is_planned: bool,
}

impl ExactScenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let some =
            |random: &mut fastrand::Rng, values: &[u64]| values[random.usize(0..values.len())];
        let is_direct = random.u8(0..3) == 0;
        let page_size = some(&mut random, &[2, 5, 1_000]);
        Self {
            seed,
            traffic: Traffic {
                keys: random.u64(1..4),
                changes: random.u64(2..30),
                pause_ms: some(&mut random, &[0, 20, 1_000, 60_000]),
                delay_ms: some(&mut random, &[5, 500, 30_000, 400_000]),
                doubled_of_ten: some(&mut random, &[0, 2, 5]),
                lost_of_ten: some(&mut random, &[0, 1, 3]),
            },
            habits: Habits {
                uploads_of_ten: some(&mut random, &[0, 0, 2, 5]),
                removals_of_ten: some(&mut random, &[0, 0, 2, 4]),
                is_suspended: random.u8(0..5) == 0,
                page_size: usize::try_from(page_size).unwrap_or(2),
                // Below the page where a key was sent up to, nobody looks without being asked to.
                all_may_be_lost: page_size == 1_000,
            },
            faults_per_mille: [0, 20, 100, 300][random.usize(0..4)],
            invocations: Invocations {
                killed_of_ten: some(&mut random, &[0, 0, 1, 4]),
                concurrency: random.usize(1..6),
                batch: if is_direct { 1 } else { random.usize(2..11) },
                timeout: Duration::from_secs(some(&mut random, &[3, 10, 60])),
            },
            boundary_s: some(&mut random, &[0, 0, 1, 60]),
            is_planned: random.bool(),
        }
    }

    /// Runs it and checks what came of it.
    ///
    /// # Errors
    /// What is wrong, with the seed, the history and the stream.
    pub fn run(&self) -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|e| e.to_string())?;
        runtime.block_on(async {
            let (trace, wrong) = self.run_and_check().await;
            match wrong {
                None => Ok(trace),
                Some(wrong) => Err(format!(
                    "BRIDGE_SEED={}: {wrong}\n{trace}\n{self:#?}",
                    self.seed
                )),
            }
        })
    }

    async fn run_and_check(&self) -> (String, Option<String>) {
        let mut random = fastrand::Rng::with_seed(self.seed ^ 0x11fe);
        let (histories, notifications) = draw(&self.traffic, &self.habits, &mut random);
        let histories = Arc::new(histories);
        let faults = Arc::new(Faults::new(random.u64(..), self.faults_per_mille));
        let clock = SimClock::default();
        let queue = Arc::new(SimQueue::new(Arc::clone(&faults), Arc::new(clock), RULES));
        let at = BEGIN + Duration::from_secs(self.boundary_s);
        let stack = Arc::new(Stack {
            bucket: LiveBucket {
                histories: Arc::clone(&histories),
                page_size: self.habits.page_size,
                faults: Arc::clone(&faults),
            },
            keys: SimKeys::new(faults),
            stream: Stream {
                boundary: Some(at),
                covered: self.is_planned.then_some(at),
                generation: 1,
                ..Stream::default()
            },
            queue,
            is_direct: self.invocations.batch == 1,
        });
        let source = Shared::new(Source::of(notifications.clone()));
        let forward = |work: Work| forward(Arc::clone(&stack), work);
        let invocations = self.invocations;
        let is_done = invocations.run(&source, clock, &mut random, forward).await;
        let sent: Vec<(Timestamp, Event)> = {
            let arrived = stack.queue.arrived();
            let messages = arrived.messages.iter();
            messages
                .filter_map(|(at, m)| Some((*at, serde_json::from_str(&m.body).ok()?)))
                .collect()
        };
        let expected = Expected {
            boundary: at,
            is_planned: self.is_planned,
            has_faults: self.faults_per_mille > 0 || self.invocations.killed_of_ten > 0,
            end: clock.now(),
        };
        let (trace, wrong) = check(&histories, &notifications, &sent, &expected);
        if !is_done {
            return (trace, Some(format!("not done after {MOST_TIME:?}")));
        }
        // What was before the stream began goes as it comes, whoever holds its key.
        let has_unordered = self.boundary_s > 0 && !self.is_planned;
        let violations = stack.queue.arrived().violations.first().cloned();
        let violation = violations.filter(|_| !has_unordered);
        (trace, violation.or(wrong))
    }
}

/// What all invocations share.
struct Stack {
    bucket: LiveBucket,
    keys: SimKeys,
    stream: Stream,
    queue: Arc<SimQueue>,
    /// S3 invokes the function, with one notification each time.
    is_direct: bool,
}

/// What the realtime function does; tells of each notification whether it failed.
async fn forward(stack: Arc<Stack>, mut work: Work) -> Vec<bool> {
    // Lambda's own retries have the id of their request; a buffer says how often it handed a message over.
    let is_direct = stack.is_direct;
    let request = match &work.taken[..] {
        [only] if is_direct => format!("{}-{}", only.event.event_id, only.event.event_time),
        _ => format!("invocation-{}", work.number),
    };
    let writer = writer();
    let queue = OfSegment {
        queue: Arc::clone(&stack.queue),
        segment: 0,
    };
    let exact = Exact {
        queue: &queue,
        writer: &writer,
        bucket: &stack.bucket,
        dialect: Dialect::of_s3(),
        store: &stack.keys,
        stream: &stack.stream,
        clock: &work.clock,
        request: &request,
        owner: u32::try_from(work.number).unwrap_or(0),
        backoff: Backoff::default(),
    };
    let changes = work.taken.iter().map(|one| Reported {
        event: &one.event,
        is_repeated: !is_direct && one.tries > 0,
    });
    let changes: Vec<_> = changes.collect();
    let delivered = exact.deliver(&changes, work.budget, &mut work.random);
    let delivered = delivered.await;
    let mut failed = vec![false; work.taken.len()];
    for left in delivered.leftover {
        failed[usize::try_from(left.number).unwrap_or(usize::MAX)] = true;
    }
    failed
}
