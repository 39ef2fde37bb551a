//! Live changes in a world where anything fails: writers, notifications, invocations at the same time,
//! a live table and a queue. What must have come of it: of each key the stream never goes back, and ends
//! with the key's last change.
//!
//! - `source`: writers, and notifications on their way
//! - `store`: the live table

mod source;
mod store;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bridge_core::clock::Clock;
use bridge_core::event::{Event, by_sequencer};
use bridge_core::format::Format;
use bridge_core::live::newest::{LiveChange, Newest};
use bridge_core::queue::message::Writer;
use bridge_core::queue::ordering::{Mode, Order};
use bridge_core::retry::Backoff;
use bridge_core::timestamp::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::faults::Faults;
pub use crate::live::source::Traffic;
use crate::live::source::{Notification, Source};
pub use crate::live::store::SimLive;
use crate::queue::{OfSegment, Rules, SimQueue};
use crate::world::SimClock;

/// All must be done after it, whatever fails.
const MOST_TIME: Duration = Duration::from_hours(24);

/// How far a machine's clock is off, at most, either way.
const MOST_OFF_MS: u64 = 2_000;

/// Some traffic and what goes wrong.
#[derive(Debug)]
pub struct LiveScenario {
    seed: u64,
    traffic: Traffic,
    /// Of 1,000 calls, how many fail.
    faults_per_mille: u32,
    /// Of 10 invocations, how many are killed at some moment.
    killed_of_ten: u64,
    /// Invocations at the same time.
    concurrency: usize,
    /// Notifications of one invocation, at most.
    batch: usize,
    /// How long an invocation may take.
    timeout: Duration,
}

/// The queue's stream: the sequencers of each key, in the order of their coming.
pub type Streams = BTreeMap<String, Vec<String>>;

/// A machine's own clock.
struct Off {
    clock: SimClock,
    off_ms: i64,
}

impl Clock for Off {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now().0 + self.off_ms)
    }
}

/// What all invocations share.
struct Stack {
    source: Mutex<Source>,
    live: SimLive,
    queue: Arc<SimQueue>,
    clock: SimClock,
}

impl LiveScenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let some =
            |random: &mut fastrand::Rng, values: &[u64]| values[random.usize(0..values.len())];
        let is_direct = random.u8(0..3) == 0;
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
            faults_per_mille: [0, 20, 100, 300][random.usize(0..4)],
            killed_of_ten: some(&mut random, &[0, 0, 1, 4]),
            concurrency: random.usize(1..6),
            batch: if is_direct { 1 } else { random.usize(2..11) },
            timeout: Duration::from_secs(some(&mut random, &[3, 10, 60])),
        }
    }

    /// Runs it and checks what came of it.
    ///
    /// # Errors
    /// What is wrong, with the seed and the streams.
    pub fn run(&self) -> Result<Streams, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|e| e.to_string())?;
        runtime.block_on(async {
            let (streams, wrong) = self.run_and_check().await;
            match wrong {
                None => Ok(streams),
                Some(wrong) => Err(format!(
                    "BRIDGE_SEED={}: {wrong}\n{streams:#?}\n{self:#?}",
                    self.seed
                )),
            }
        })
    }

    async fn run_and_check(&self) -> (Streams, Option<String>) {
        let mut random = fastrand::Rng::with_seed(self.seed ^ 0x11fe);
        let (source, last) = Source::draw(&self.traffic, &mut random);
        let faults = Arc::new(Faults::new(random.u64(..), self.faults_per_mille));
        let clock = SimClock::default();
        let rules = Rules {
            mode: Mode::Strict,
            window: u64::MAX / 2,
            max_message_bytes: 1024 * 1024,
        };
        let stack = Arc::new(Stack {
            source: Mutex::new(source),
            live: SimLive::new(Arc::clone(&faults)),
            queue: Arc::new(SimQueue::new(faults, Arc::new(clock), rules)),
            clock,
        });
        let begin = Instant::now();
        let mut invocations = JoinSet::new();
        let mut number = 0u64;
        while begin.elapsed() < MOST_TIME {
            while invocations.len() < self.concurrency {
                let taken = stack
                    .source()
                    .take(random.usize(1..=self.batch), &mut random);
                if taken.is_empty() {
                    break;
                }
                number += 1;
                invocations.spawn(self.invocation(&stack, taken, number, random.fork()));
            }
            if invocations.is_empty() && stack.source().is_empty() {
                break;
            }
            let next = stack.source().next_due();
            let may_take = invocations.len() < self.concurrency;
            tokio::select! {
                Some(_) = invocations.join_next() => {}
                () = sleep_until(next.unwrap_or(begin)), if may_take && next.is_some() => {}
            }
        }
        sleep(Duration::from_mins(2)).await; // what is still on its way
        let streams = stack.streams();
        let is_done = invocations.is_empty() && stack.source().is_empty();
        let wrong = if is_done {
            let violations = stack.queue.arrived().violations.first().cloned();
            violations.or_else(|| check(&streams, &last))
        } else {
            Some(format!("not done after {MOST_TIME:?}"))
        };
        (streams, wrong)
    }

    /// One invocation: what it does not get done comes again.
    fn invocation(
        &self,
        stack: &Arc<Stack>,
        taken: Vec<Notification>,
        number: u64,
        mut random: fastrand::Rng,
    ) -> impl Future<Output = ()> + use<> {
        let stack = Arc::clone(stack);
        let is_killed = random.u64(0..10) < self.killed_of_ten;
        let limit = self.timeout;
        async move {
            let lives = if is_killed {
                limit.mul_f64(random.f64() * random.f64())
            } else {
                limit
            };
            let again = Duration::from_secs(random.u64(1..120));
            let budget = limit.saturating_sub(Duration::from_millis(500));
            let work = forward(&stack, &taken, number, budget, random);
            match timeout(lives, work).await {
                Err(_) => stack.source().put_back(taken, again),
                Ok(failed) => {
                    let taken = taken.into_iter().zip(failed);
                    let failed = taken.filter(|(_, failed)| *failed).map(|(one, _)| one);
                    stack.source().put_back(failed.collect(), again);
                }
            }
        }
    }
}

/// What the realtime function does; tells of each notification whether it failed.
async fn forward(
    stack: &Stack,
    taken: &[Notification],
    number: u64,
    budget: Duration,
    mut random: fastrand::Rng,
) -> Vec<bool> {
    let owner = format!("invocation-{number}");
    let off = random.u64(0..=2 * MOST_OFF_MS);
    let clock = Off {
        clock: stack.clock,
        off_ms: i64::try_from(off).unwrap_or(0) - i64::try_from(MOST_OFF_MS).unwrap_or(0),
    };
    let writer = Writer {
        format: Format::Bridge,
        order: Order::Key,
        region: "eu-west-1".to_owned(),
    };
    let queue = OfSegment {
        queue: Arc::clone(&stack.queue),
        segment: 0,
    };
    let newest = Newest {
        queue: &queue,
        writer: &writer,
        store: &stack.live,
        clock: &clock,
        owner: &owner,
        backoff: Backoff::default(),
    };
    let mut order: Vec<usize> = (0..taken.len()).collect();
    let sequencer = |index: usize| taken[index].event.sequencer.as_deref().unwrap_or_default();
    order.sort_by(|a, b| by_sequencer(sequencer(*a), sequencer(*b)));
    let changes = order.iter().map(|index| LiveChange {
        event: &taken[*index].event,
        sequencer: taken[*index].event.sequencer.as_deref(),
    });
    let changes: Vec<_> = changes.collect();
    let delivered = newest.deliver(&changes, budget, &mut random);
    let delivered = delivered.await;
    let mut failed = vec![false; taken.len()];
    for left in delivered.leftover {
        let place = usize::try_from(left.number).unwrap_or(usize::MAX);
        failed[order[place]] = true;
    }
    failed
}

impl Stack {
    fn source(&self) -> std::sync::MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> Streams {
        let mut streams = Streams::new();
        for (_, message) in &self.queue.arrived().messages {
            if let Ok(event) = serde_json::from_str::<Event>(&message.body) {
                let sequencer = event.sequencer.unwrap_or_default();
                streams.entry(event.key).or_default().push(sequencer);
            }
        }
        streams
    }
}

/// What is wrong with the streams; `last` is of each key the sequencer of its last change.
fn check(streams: &Streams, last: &[String]) -> Option<String> {
    for (key, last) in last.iter().enumerate().filter(|(_, last)| !last.is_empty()) {
        let key = format!("k{key}");
        let stream = streams.get(&key).map_or(&[][..], Vec::as_slice);
        let goes_back = stream
            .windows(2)
            .find(|two| by_sequencer(&two[0], &two[1]) == Ordering::Greater);
        if let Some([from, to]) = goes_back {
            return Some(format!("{key} goes back from {from} to {to}"));
        }
        let end = stream.last();
        if end.is_none_or(|end| by_sequencer(end, last) != Ordering::Equal) {
            return Some(format!("{key} ends with {end:?} instead of {last}"));
        }
    }
    None
}
