//! How many requests may be in flight, over all who make them: fewer when the service throttles, more
//! again when it does not.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::failure::FailureKind;

/// Requests in flight. Throttling halves their number, a full round without it adds one: additive
/// increase and multiplicative decrease, as TCP does.
#[derive(Debug)]
pub struct ConcurrencyLimiter {
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

/// The right to have one request in flight; given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    limiter: Arc<ConcurrencyLimiter>,
    cuts: u64,
}

impl ConcurrencyLimiter {
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

    /// Waits for the right to make a request. It is given in the order in which it was asked for.
    pub async fn acquire(self: &Arc<Self>) -> Permit {
        // The semaphore is never closed; each permit is given back by hand.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
        self.permit()
    }

    /// The right to make a request, if there is one now.
    #[must_use]
    pub fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        self.permits.try_acquire().ok()?.forget();
        Some(self.permit())
    }

    fn permit(self: &Arc<Self>) -> Permit {
        Permit {
            cuts: self.state().cuts,
            limiter: Arc::clone(self),
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

    /// Fewer requests at once, unless they were cut since the throttled one began.
    fn cut(&self, cuts: u64) {
        let mut state = self.state();
        if cuts != state.cuts {
            return;
        }
        let fewer = (state.allowed / 2).max(1);
        state.debt += state.allowed - fewer;
        state.allowed = fewer;
        state.well = 0;
        state.cuts += 1;
        tracing::warn!(
            allowed = fewer,
            "the service throttles: fewer requests at once"
        );
    }

    /// One request more at once, after a full round of answers.
    fn grow(&self) {
        let mut state = self.state();
        if state.allowed == self.most {
            return;
        }
        state.well += 1;
        if state.well >= state.allowed {
            state.well = 0;
            state.allowed += 1;
            self.give_back(&mut state);
        }
    }

    /// A permit that has come back, or is new: withheld while some are owed.
    fn give_back(&self, state: &mut State) {
        match state.debt.checked_sub(1) {
            Some(less) => state.debt = less,
            None => self.permits.add_permits(1),
        }
    }
}

impl Permit {
    /// Gives the right back and tells what came of the request: `None` when it was answered. What is
    /// neither an answer nor throttling says nothing about the rate.
    pub fn finish(self, failure: Option<FailureKind>) {
        match failure {
            None => self.limiter.grow(),
            Some(FailureKind::Throttled) => self.limiter.cut(self.cuts),
            Some(FailureKind::Transient | FailureKind::Permanent) => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.give_back(&mut self.limiter.state());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn throttling_halves_once_a_moment_and_success_speeds_up_again() {
        let limiter = ConcurrencyLimiter::new(64);
        let mut permits = vec![];
        for _ in 0..64 {
            permits.push(limiter.acquire().await);
        }
        for permit in permits {
            permit.finish(Some(FailureKind::Throttled));
        }
        assert_eq!(limiter.allowed(), 32);
        for _ in 0..6 {
            limiter.acquire().await.finish(Some(FailureKind::Throttled));
        }
        assert_eq!(limiter.allowed(), 1);
        for _ in 0..64 * 64 {
            limiter.acquire().await.finish(None);
        }
        assert_eq!(limiter.allowed(), 64);
    }

    proptest! {
        /// Whatever comes of requests, as many are in flight as allowed, once the others are back.
        #[test]
        fn permits_are_never_lost_or_made(outcomes in prop::collection::vec(0u8..4, 1..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let limiter = ConcurrencyLimiter::new(8);
                let mut held = std::collections::VecDeque::new();
                for outcome in outcomes {
                    while limiter.permits.available_permits() > 0 {
                        held.push_back(limiter.acquire().await);
                    }
                    prop_assert!(held.len() >= limiter.allowed());
                    let permit = held.pop_front().unwrap();
                    match outcome {
                        0 => permit.finish(Some(FailureKind::Throttled)),
                        1 => drop(permit),
                        2 => permit.finish(Some(FailureKind::Transient)),
                        _ => permit.finish(None),
                    }
                }
                held.clear();
                prop_assert_eq!(limiter.permits.available_permits(), limiter.allowed());
                prop_assert!((1..=8).contains(&limiter.allowed()));
                Ok(())
            })?;
        }
    }
}
