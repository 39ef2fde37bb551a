//! Trying again what may work the next time, for all that a job reads and writes.
//!
//! Sending and listing have loops of their own, since there a failure also says how many requests may
//! be in flight.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Exponential backoff with full jitter: how long to wait before attempt after attempt.
///
/// Source: AWS Architecture Blog, "Exponential Backoff And Jitter": waiting a random time between
/// zero and the bound spreads out callers that failed together.
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

/// How long something is tried again after the end has been asked for: what is in memory should still
/// be written, and the next segment waits.
const AFTER_STOP: Duration = Duration::from_secs(5);

/// How often and for how long something is tried again.
#[derive(Debug, Clone)]
pub struct Retry {
    /// Between attempts.
    pub backoff: Backoff,
    /// No attempt begins later than this after the first.
    pub patience: Duration,
    /// Once cancelled, there are only a few seconds left.
    pub stop: CancellationToken,
}

impl Retry {
    /// Calls until it works, until an error is not `passing`, or until there is no time left; then
    /// the last error.
    ///
    /// # Errors
    /// The call's.
    pub async fn run<T, E, F>(
        &self,
        random: &mut fastrand::Rng,
        passing: impl Fn(&E) -> bool,
        mut call: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        E: std::fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let begin = Instant::now();
        let mut stopped = None;
        let mut failures = 0;
        loop {
            let error = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if self.stop.is_cancelled() {
                stopped.get_or_insert_with(Instant::now);
            }
            failures += 1;
            let wait = self.backoff.wait(failures, random);
            let next = Instant::now() + wait;
            let is_late = next > begin + self.patience
                || stopped.is_some_and(|stopped| next > stopped + AFTER_STOP);
            if !passing(&error) || is_late {
                return Err(error);
            }
            tracing::warn!(%error, failures, "trying again");
            tokio::select! {
                () = sleep(wait) => {}
                () = self.stop.cancelled(), if stopped.is_none() => {}
            }
        }
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

    fn retry(stop: &CancellationToken) -> Retry {
        Retry {
            backoff: Backoff::default(),
            patience: Duration::from_mins(5),
            stop: stop.clone(),
        }
    }

    /// Fails until `works_at`; tells what came of it and after how many seconds.
    async fn tried(retry: &Retry, works_at: Duration, passes: bool) -> (Result<u32, u32>, u64) {
        let begin = Instant::now();
        let mut calls = 0;
        let came = retry
            .run(
                &mut fastrand::Rng::with_seed(1),
                |_| passes,
                || {
                    calls += 1;
                    let works = begin.elapsed() >= works_at;
                    std::future::ready(if works { Ok(calls) } else { Err(calls) })
                },
            )
            .await;
        (came, begin.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_waited_for_and_nothing_else() {
        let retry = retry(&CancellationToken::new());
        assert_eq!(tried(&retry, Duration::ZERO, true).await, (Ok(1), 0));
        assert_eq!(tried(&retry, Duration::MAX, false).await, (Err(1), 0));
        let (came, seconds) = tried(&retry, Duration::from_mins(2), true).await;
        assert!(
            came.is_ok() && (120..=131).contains(&seconds),
            "{seconds} s"
        );
        let (came, seconds) = tried(&retry, Duration::MAX, true).await;
        assert!(
            came.is_err() && (285..=300).contains(&seconds),
            "{seconds} s"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn once_the_end_is_asked_for_there_are_a_few_seconds_left() {
        let stop = CancellationToken::new();
        let retry = retry(&stop);
        let asked = async {
            sleep(Duration::from_mins(1)).await;
            stop.cancel();
        };
        let ((came, seconds), ()) = tokio::join!(tried(&retry, Duration::MAX, true), asked);
        assert!(came.is_err() && (60..=65).contains(&seconds), "{seconds} s");
        let (came, seconds) = tried(&retry, Duration::from_secs(1), true).await;
        assert!(came.is_ok() && seconds < 5, "{seconds} s");
    }
}
