//! The buffer: a standard queue with a dead-letter queue behind it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bridge_core::event::Event;
use tokio::time::{Instant, sleep};

/// Receives after which a message goes to the failure queue.
const MOST_RECEIVES: u32 = 5;

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) event: Event,
    /// When it may be received.
    pub(super) due: Instant,
    pub(super) receives: u32,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    in_flight: usize,
    failed: Vec<Waiting>,
}

/// What waits for realtime.
#[derive(Debug, Default)]
pub(super) struct Buffer(Mutex<State>);

impl Buffer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// S3 sends a notification that is there after `delay`.
    pub(super) fn send(&self, event: Event, delay: Duration) {
        self.state().waiting.push(Waiting {
            event,
            due: Instant::now() + delay,
            receives: 0,
        });
    }

    /// Receives up to `most` messages, in any order.
    pub(super) fn receive(&self, most: usize, random: &mut fastrand::Rng) -> Vec<Waiting> {
        let now = Instant::now();
        let mut state = self.state();
        let (mut due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut state.waiting)
            .into_iter()
            .partition(|one| one.due <= now);
        random.shuffle(&mut due);
        state.waiting = waiting;
        let rest = due.split_off(most.min(due.len()));
        state.waiting.extend(rest);
        state.in_flight += due.len();
        due
    }

    /// Ends a receive: these come again after `delay`, or go to the failure queue; the others are done.
    pub(super) fn settle(&self, received: usize, again: Vec<Waiting>, delay: Duration) {
        let mut state = self.state();
        state.in_flight -= received;
        for mut one in again {
            one.receives += 1;
            one.due = Instant::now() + delay;
            if one.receives < MOST_RECEIVES {
                state.waiting.push(one);
            } else {
                state.failed.push(one);
            }
        }
    }

    /// An operator's redrive.
    pub(super) fn redrive(&self) {
        let mut state = self.state();
        let again: Vec<_> = state.failed.drain(..).collect();
        let again = again.into_iter().map(|one| Waiting { receives: 0, ..one });
        state.waiting.extend(again);
    }

    /// Waits until nothing is left anywhere; whether that came within `limit`.
    pub(super) async fn is_emptied(&self, limit: Duration) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            sleep(Duration::from_secs(5)).await;
            self.redrive();
            let state = self.state();
            if state.waiting.is_empty() && state.in_flight == 0 {
                return true;
            }
        }
        false
    }
}
