//! Invocations of realtime: several at the same time, killed at any moment, and tried again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bridge_core::clock::Clock;
use bridge_core::timestamp::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::live::source::{Notification, Source};
use crate::world::SimClock;

/// All must be done after it, whatever fails.
pub(super) const MOST_TIME: Duration = Duration::from_hours(24);

/// How far a machine's clock is off, at most, either way.
const MOST_OFF_MS: u64 = 2_000;

/// How realtime is invoked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Invocations {
    /// Of 10 invocations, how many are killed at some moment.
    pub(super) killed_of_ten: u64,
    /// Invocations at the same time.
    pub(super) concurrency: usize,
    /// Notifications of one invocation, at most.
    pub(super) batch: usize,
    /// How long an invocation may take.
    pub(super) timeout: Duration,
}

/// One invocation.
pub(super) struct Work {
    pub(super) taken: Vec<Notification>,
    pub(super) number: u64,
    pub(super) budget: Duration,
    pub(super) clock: Off,
    pub(super) random: fastrand::Rng,
}

/// A machine's own clock.
pub(super) struct Off {
    clock: SimClock,
    off_ms: i64,
}

impl Clock for Off {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now().0 + self.off_ms)
    }
}

/// Notifications that all invocations take from.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<Source>>);

impl Shared {
    pub(super) fn new(source: Source) -> Self {
        Self(Arc::new(Mutex::new(source)))
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Invocations {
    /// Runs until every notification is done with; whether that came to pass. `forward` tells of each that it
    /// was given whether it failed.
    pub(super) async fn run<F>(
        &self,
        source: &Shared,
        clock: SimClock,
        random: &mut fastrand::Rng,
        forward: impl Fn(Work) -> F,
    ) -> bool
    where
        F: Future<Output = Vec<bool>> + Send + 'static,
    {
        let begin = Instant::now();
        let mut running = JoinSet::new();
        let mut number = 0;
        while begin.elapsed() < MOST_TIME {
            while running.len() < self.concurrency {
                let taken = source.source().take(random.usize(1..=self.batch), random);
                if taken.is_empty() {
                    break;
                }
                number += 1;
                let mut random = random.fork();
                let lives = self.lives(&mut random);
                let again = Duration::from_secs(random.u64(1..120));
                let work = forward(self.work(clock, taken.clone(), number, random));
                running.spawn(one(source.clone(), taken, work, (lives, again)));
            }
            if running.is_empty() && source.source().is_empty() {
                break;
            }
            let next = source.source().next_due();
            let may_take = running.len() < self.concurrency;
            tokio::select! {
                Some(ended) = running.join_next() => {
                    if let Err(error) = ended {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                () = sleep_until(next.unwrap_or(begin)), if may_take && next.is_some() => {}
            }
        }
        sleep(Duration::from_mins(2)).await; // what is still on its way
        running.is_empty() && source.source().is_empty()
    }

    /// When an invocation ends, whether it is done or not.
    fn lives(&self, random: &mut fastrand::Rng) -> Duration {
        let is_killed = random.u64(0..10) < self.killed_of_ten;
        if is_killed {
            self.timeout.mul_f64(random.f64() * random.f64())
        } else {
            self.timeout
        }
    }

    fn work(
        &self,
        clock: SimClock,
        taken: Vec<Notification>,
        number: u64,
        mut random: fastrand::Rng,
    ) -> Work {
        let off = i64::try_from(random.u64(0..=2 * MOST_OFF_MS)).unwrap_or(0);
        Work {
            taken,
            number,
            budget: self.timeout.saturating_sub(Duration::from_millis(500)),
            clock: Off {
                clock,
                off_ms: off - i64::try_from(MOST_OFF_MS).unwrap_or(0),
            },
            random,
        }
    }
}

/// One invocation: what it does not get done comes again.
async fn one(
    source: Shared,
    taken: Vec<Notification>,
    work: impl Future<Output = Vec<bool>>,
    (lives, again): (Duration, Duration),
) {
    match timeout(lives, work).await {
        Err(_) => source.source().put_back(taken, again),
        Ok(failed) => {
            let taken = taken.into_iter().zip(failed);
            let failed = taken.filter(|(_, failed)| *failed).map(|(one, _)| one);
            source.source().put_back(failed.collect(), again);
        }
    }
}
