//! What goes wrong, and when. One seed gives one trace.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bridge_core::failure::FailureKind;
use tokio::time::sleep;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// It works.
    None,
    /// It fails without effect.
    Before,
    /// It takes effect, and its answer is lost.
    After,
    /// It fails, and takes effect later: a request that was delayed on its way.
    Late,
    /// The service asks for fewer calls.
    Throttled,
}

impl Strike {
    /// What a caller is told of it.
    #[must_use]
    pub fn kind(self) -> FailureKind {
        match self {
            Self::Throttled => FailureKind::Throttled,
            _ => FailureKind::Transient,
        }
    }
}

/// Faults drawn from a seed.
#[derive(Debug)]
pub struct Faults {
    random: Mutex<fastrand::Rng>,
    /// Of 1,000 calls, how many are struck.
    per_mille: u32,
}

impl Faults {
    /// Strikes `per_mille` of 1,000 calls.
    #[must_use]
    pub fn new(seed: u64, per_mille: u32) -> Self {
        Self {
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            per_mille,
        }
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .u64(0..bound.max(1))
    }

    /// Decides over an entry of a batch, which is answered with the others.
    pub fn strike_entry(&self) -> Strike {
        if self.below(1_000) >= u64::from(self.per_mille) {
            return Strike::None;
        }
        match self.below(2) {
            0 => Strike::Throttled,
            _ => Strike::Before,
        }
    }

    /// Decides over a call. Every call takes a little while; a struck one may take very long.
    pub async fn strike(&self) -> Strike {
        sleep(Duration::from_micros(100 + self.below(8_000))).await;
        if self.below(1_000) >= u64::from(self.per_mille) {
            return Strike::None;
        }
        match self.below(6) {
            0 => {
                sleep(Duration::from_mins(1)).await; // callers have stopped waiting long before
                Strike::After
            }
            1 => Strike::After,
            2 => Strike::Throttled,
            3 => Strike::Late,
            _ => Strike::Before,
        }
    }
}
