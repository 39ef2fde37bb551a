//! Exponential backoff with full jitter.
//!
//! Source: AWS Architecture Blog, "Exponential Backoff And Jitter": waiting a random time between
//! zero and the bound spreads out callers that failed together.

use std::time::Duration;

/// How long to wait before attempt after attempt.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The bound of the first wait; it doubles with each failure.
    pub base: Duration,
    /// The highest bound.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(50),
            cap: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// A wait after `failures` failures in a row (1, 2, …).
    pub fn wait(&self, failures: u32, random: &mut fastrand::Rng) -> Duration {
        let doubled = self.base.saturating_mul(
            1u32.checked_shl(failures.saturating_sub(1))
                .unwrap_or(u32::MAX),
        );
        self.cap.min(doubled).mul_f64(random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_bound_that_doubles_up_to_the_cap() {
        let backoff = Backoff::default();
        let mut random = fastrand::Rng::with_seed(1);
        for (failures, bound_ms) in [(1, 50), (2, 100), (4, 400), (9, 10_000), (100, 10_000)] {
            let longest = (0..500)
                .map(|_| backoff.wait(failures, &mut random))
                .max()
                .unwrap();
            assert!(longest <= Duration::from_millis(bound_ms));
            assert!(
                longest > Duration::from_millis(bound_ms * 9 / 10),
                "jitter uses it all"
            );
        }
    }
}
