//! How many requests may be in flight, over all lanes: fewer when the queue throttles, more again
//! when it does not.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Requests in flight. Throttling halves their number, a full round without it adds one: additive
/// increase and multiplicative decrease, as TCP does.
#[derive(Debug)]
pub struct Flow {
    permits: Semaphore,
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    allowed: usize,
    /// Permits to be withheld when they come back.
    debt: usize,
    /// Requests that went well since the last change.
    well: usize,
    /// Counts the cuts, so that requests of one moment cut once.
    cuts: u64,
}

/// The right to have one request in flight.
#[derive(Debug)]
pub struct Permit<'a> {
    flow: &'a Flow,
    cuts: u64,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Well,
    /// The service asks for fewer requests.
    Throttled,
    /// Anything else: it says nothing about the rate.
    Other,
}

impl Flow {
    /// At most `most` requests, and so many at first.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Self {
            permits: Semaphore::new(most),
            most,
            state: Mutex::new(State {
                allowed: most,
                debt: 0,
                well: 0,
                cuts: 0,
            }),
        })
    }

    /// Waits for the right to send. Lanes are served in the order in which they asked.
    pub async fn acquire(&self) -> Permit<'_> {
        // The semaphore is never closed; each permit is given back by hand.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
        Permit {
            flow: self,
            cuts: self.state().cuts,
        }
    }

    /// How many requests may be in flight now.
    #[must_use]
    pub fn allowed(&self) -> usize {
        self.state().allowed
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, outcome: Outcome, cuts: u64) {
        let mut state = self.state();
        match outcome {
            Outcome::Throttled if cuts == state.cuts => {
                let fewer = (state.allowed / 2).max(1);
                state.debt += state.allowed - fewer;
                state.allowed = fewer;
                state.well = 0;
                state.cuts += 1;
                tracing::warn!(
                    allowed = fewer,
                    "the queue throttles: fewer requests at once"
                );
            }
            Outcome::Well if state.allowed < self.most => {
                state.well += 1;
                if state.well >= state.allowed {
                    state.well = 0;
                    state.allowed += 1;
                    match state.debt.checked_sub(1) {
                        Some(less) => state.debt = less,
                        None => self.permits.add_permits(1),
                    }
                }
            }
            _ => {}
        }
    }
}

impl Permit<'_> {
    /// Gives the right back and tells what came of it.
    pub fn finish(self, outcome: Outcome) {
        self.flow.learn(outcome, self.cuts);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.flow.state();
        match state.debt.checked_sub(1) {
            Some(less) => state.debt = less,
            None => self.flow.permits.add_permits(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn throttling_halves_once_a_moment_and_success_speeds_up_again() {
        let flow = Flow::new(64);
        let mut permits = vec![];
        for _ in 0..64 {
            permits.push(flow.acquire().await);
        }
        for permit in permits {
            permit.finish(Outcome::Throttled);
        }
        assert_eq!(flow.allowed(), 32);
        for _ in 0..6 {
            flow.acquire().await.finish(Outcome::Throttled);
        }
        assert_eq!(flow.allowed(), 1);
        for _ in 0..64 * 64 {
            flow.acquire().await.finish(Outcome::Well);
        }
        assert_eq!(flow.allowed(), 64);
    }

    proptest! {
        /// Whatever comes of requests, as many are in flight as allowed, once the others are back.
        #[test]
        fn permits_are_never_lost_or_made(outcomes in prop::collection::vec(0u8..4, 1..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let flow = Flow::new(8);
                let mut held = std::collections::VecDeque::new();
                for outcome in outcomes {
                    while flow.permits.available_permits() > 0 {
                        held.push_back(flow.acquire().await);
                    }
                    prop_assert!(held.len() >= flow.allowed());
                    let permit = held.pop_front().unwrap();
                    match outcome {
                        0 => permit.finish(Outcome::Throttled),
                        1 => drop(permit),
                        2 => permit.finish(Outcome::Other),
                        _ => permit.finish(Outcome::Well),
                    }
                }
                held.clear();
                prop_assert_eq!(flow.permits.available_permits(), flow.allowed());
                prop_assert!((1..=8).contains(&flow.allowed()));
                Ok(())
            })?;
        }
    }
}
