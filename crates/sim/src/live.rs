//! Live changes in a world where anything fails: writers, notifications, invocations at the same time,
//! a live table and a queue. What must have come of it: of each key the stream never goes back, and ends
//! with the key's last change.
//!
//! - `source`: writers, and notifications on their way; `invocations`: who takes them
//! - `store`: the live table
//! - [`exact`]: the same of `exact`, with what writers do to the bucket (`history`) and its table (`keys`)

pub mod exact;
mod history;
mod invocations;
mod keys;
mod source;
mod store;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bridge_core::event::{Event, by_sequencer};
use bridge_core::format::Format;
use bridge_core::live::newest::{LiveChange, Newest};
use bridge_core::queue::message::Writer;
use bridge_core::queue::ordering::{Mode, Order};
use bridge_core::retry::Backoff;

use crate::faults::Faults;
use crate::live::invocations::{Invocations, MOST_TIME, Shared, Work};
pub use crate::live::keys::SimKeys;
pub use crate::live::source::Traffic;
use crate::live::source::{Must, Source, is_removal};
pub use crate::live::store::SimLive;
use crate::queue::{OfSegment, Rules, SimQueue};
use crate::world::SimClock;

/// Some traffic and what goes wrong.
#[derive(Debug)]
pub struct LiveScenario {
    seed: u64,
    traffic: Traffic,
    /// Of 1,000 calls, how many fail.
    faults_per_mille: u32,
    invocations: Invocations,
}

/// The queue's stream: of each key what was told, in the order of its coming.
pub type Streams = BTreeMap<String, Vec<Told>>;

/// A change that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its sequencer.
    pub sequencer: String,
    /// Its version's id.
    pub version_id: String,
    /// The version was removed for good, which is no state of its key.
    pub is_removal: bool,
}

/// One message of a group at a time.
const RULES: Rules = Rules {
    mode: Mode::Strict,
    window: u64::MAX / 2,
    max_message_bytes: 1024 * 1024,
};

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
            invocations: Invocations {
                killed_of_ten: some(&mut random, &[0, 0, 1, 4]),
                concurrency: random.usize(1..6),
                batch: if is_direct { 1 } else { random.usize(2..11) },
                timeout: Duration::from_secs(some(&mut random, &[3, 10, 60])),
            },
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
        let (source, must) = Source::draw(&self.traffic, &mut random);
        let faults = Arc::new(Faults::new(random.u64(..), self.faults_per_mille));
        let clock = SimClock::default();
        let queue = Arc::new(SimQueue::new(Arc::clone(&faults), Arc::new(clock), RULES));
        let live = SimLive::new(faults);
        let forward = |work: Work| forward(live.clone(), Arc::clone(&queue), work);
        let source = Shared::new(source);
        let invocations = self.invocations;
        let done = invocations.run(&source, clock, &mut random, forward);
        let is_done = done.await;
        let streams = streams(&queue);
        let wrong = if is_done {
            let violations = queue.arrived().violations.first().cloned();
            let has_faults = self.faults_per_mille > 0 || self.invocations.killed_of_ten > 0;
            violations.or_else(|| check(&streams, &must, has_faults))
        } else {
            Some(format!("not done after {MOST_TIME:?}"))
        };
        (streams, wrong)
    }
}

/// What the realtime function does; tells of each notification whether it failed.
async fn forward(live: SimLive, queue: Arc<SimQueue>, work: Work) -> Vec<bool> {
    let Work {
        taken,
        number,
        budget,
        clock,
        mut random,
    } = work;
    let owner = format!("invocation-{number}");
    let writer = writer();
    let queue = OfSegment { queue, segment: 0 };
    let newest = Newest {
        queue: &queue,
        writer: &writer,
        store: &live,
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

/// As the template's queue takes them.
fn writer() -> Writer {
    Writer {
        format: Format::Bridge,
        order: Order::Key,
        region: "eu-west-1".to_owned(),
    }
}

fn streams(queue: &SimQueue) -> Streams {
    let mut streams = Streams::new();
    for (_, message) in &queue.arrived().messages {
        if let Ok(event) = serde_json::from_str::<Event>(&message.body) {
            let told = Told {
                is_removal: is_removal(&event),
                sequencer: event.sequencer.unwrap_or_default(),
                version_id: event.version_id,
            };
            streams.entry(event.key).or_default().push(told);
        }
    }
    streams
}

/// What is wrong with the streams.
fn check(streams: &Streams, must: &[Must], has_faults: bool) -> Option<String> {
    (0..).zip(must).find_map(|(key, must): (u64, &Must)| {
        let key = format!("k{key}");
        let stream = streams.get(&key).map_or(&[][..], Vec::as_slice);
        let wrong = check_states(stream, must).or_else(|| check_removals(stream, must, has_faults));
        wrong.map(|wrong| format!("{key} {wrong}"))
    })
}

/// States never go back, and the last one is there, unless its version was removed since.
fn check_states(stream: &[Told], must: &Must) -> Option<String> {
    let states: Vec<&Told> = stream.iter().filter(|told| !told.is_removal).collect();
    let order = |one: &Told, other: &Told| by_sequencer(&one.sequencer, &other.sequencer);
    let mut pairs = states.windows(2);
    if let Some([from, to]) = pairs.find(|two| order(two[0], two[1]) == Ordering::Greater) {
        return Some(format!("goes back from {from:?} to {to:?}"));
    }
    let last = must.last.as_ref()?;
    let sequencer = last.sequencer.as_deref().unwrap_or_default();
    let is_last = |told: &&Told| by_sequencer(&told.sequencer, sequencer) == Ordering::Equal;
    let is_removed = stream
        .iter()
        .any(|told| told.is_removal && told.version_id == last.version_id);
    if !states.last().is_some_and(is_last) && !is_removed {
        return Some(format!("ends with {:?} instead of {last:?}", states.last()));
    }
    None
}

/// Each removal is told, without faults once, and nothing of its version behind it.
fn check_removals(stream: &[Told], must: &Must, has_faults: bool) -> Option<String> {
    must.removed.iter().find_map(|id| {
        let of_version = stream.iter().filter(|told| told.version_id == *id);
        let mut behind = of_version.skip_while(|told| !told.is_removal);
        if behind.next().is_none() {
            return Some(format!("lacks the removal of {id}"));
        }
        let again = behind.find(|told| !told.is_removal || !has_faults);
        again.map(|again| format!("has removed {id}, and then {again:?}"))
    })
}
