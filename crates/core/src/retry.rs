//! Trying again what may work the next time.
//!
//! [`Retry`] makes one call until it works. Where many calls are in flight (sending, listing), each
//! failure is given to [`Attempts`], which says how long to wait, or that it is time to stop trying; how
//! many calls there may be is the limiter's business.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, FailureKind};

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

/// Failures in a row: when the next attempt may begin, and whether there is to be one.
#[derive(Debug)]
pub struct Attempts {
    failures: u32,
    /// The last success, or when throttling was seen last.
    since: Instant,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            failures: 0,
            since: Instant::now(),
        }
    }
}

impl Attempts {
    /// Failures since the last success.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Something got through: the time begins anew.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Waiting for one's turn is no failure: while nothing has failed, the time begins now.
    pub fn begin(&mut self) {
        if self.failures == 0 {
            self.since = Instant::now();
        }
    }

    /// Counts a failure. Throttling slows down, and does not use the time up.
    ///
    /// Returns how long to wait before the next attempt; `None` when it would begin later than
    /// `retry_timeout` after the last success.
    pub fn failed(
        &mut self,
        kind: FailureKind,
        retry_timeout: Duration,
        backoff: &Backoff,
        random: &mut fastrand::Rng,
    ) -> Option<Duration> {
        self.failures += 1;
        if kind == FailureKind::Throttled {
            self.since = Instant::now();
        }
        let wait = backoff.wait(self.failures, random);
        (self.since.elapsed() + wait < retry_timeout).then_some(wait)
    }
}

/// How often and for how long a call is made again.
#[derive(Debug, Clone)]
pub struct Retry {
    /// Between attempts.
    pub backoff: Backoff,
    /// No attempt begins later than this after the first, or after the last success of many.
    pub retry_timeout: Duration,
    /// Once cancelled, there are only a few seconds left.
    pub stop: CancellationToken,
}

impl Retry {
    /// Calls until it works, until an error is permanent, or until there is no time left; then the last
    /// error. Throttling uses the time up, too: who calls once waits for the answer.
    ///
    /// # Errors
    /// The call's.
    pub async fn run<T, E, F>(
        &self,
        random: &mut fastrand::Rng,
        mut call: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        E: Failure,
        F: Future<Output = Result<T, E>>,
    {
        let mut attempts = Attempts::default();
        let mut stopped = None;
        loop {
            let error = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if self.stop.is_cancelled() {
                stopped.get_or_insert_with(Instant::now);
            }
            let kind = FailureKind::Transient;
            let wait = attempts.failed(kind, self.retry_timeout, &self.backoff, random);
            let Some(wait) = wait.filter(|_| error.may_pass()) else {
                return Err(error);
            };
            if stopped.is_some_and(|stopped| stopped.elapsed() + wait > AFTER_STOP) {
                return Err(error);
            }
            let failures = attempts.failures();
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
    use FailureKind::{Permanent, Throttled, Transient};

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
            retry_timeout: Duration::from_mins(5),
            stop: stop.clone(),
        }
    }

    #[derive(Debug, PartialEq, Eq, thiserror::Error)]
    #[error("call {calls} failed")]
    struct Failed {
        calls: u32,
        kind: FailureKind,
    }

    impl Failure for Failed {
        fn kind(&self) -> FailureKind {
            self.kind
        }
    }

    /// Fails until `works_at`; tells what came of it and after how many seconds.
    async fn tried(
        retry: &Retry,
        works_at: Duration,
        kind: FailureKind,
    ) -> (Result<u32, Failed>, u64) {
        let begin = Instant::now();
        let mut calls = 0;
        let mut random = fastrand::Rng::with_seed(1);
        let came = retry.run(&mut random, || {
            calls += 1;
            let works = begin.elapsed() >= works_at;
            std::future::ready(if works {
                Ok(calls)
            } else {
                Err(Failed { calls, kind })
            })
        });
        (came.await, begin.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_waited_for_and_nothing_else() {
        let retry = retry(&CancellationToken::new());
        assert_eq!(tried(&retry, Duration::ZERO, Transient).await, (Ok(1), 0));
        assert_eq!(
            tried(&retry, Duration::MAX, Permanent).await,
            (
                Err(Failed {
                    calls: 1,
                    kind: Permanent
                }),
                0
            )
        );
        let (came, seconds) = tried(&retry, Duration::from_mins(2), Transient).await;
        assert!(
            came.is_ok() && (120..=131).contains(&seconds),
            "{seconds} s"
        );
        let (came, seconds) = tried(&retry, Duration::MAX, Transient).await;
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
        let ((came, seconds), ()) = tokio::join!(tried(&retry, Duration::MAX, Transient), asked);
        assert!(came.is_err() && (60..=65).contains(&seconds), "{seconds} s");
        let (came, seconds) = tried(&retry, Duration::from_secs(1), Transient).await;
        assert!(came.is_ok() && seconds < 5, "{seconds} s");
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_and_waiting_for_a_turn_use_no_time_up() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut attempts = Attempts::default();
        let minute = Duration::from_mins(1);
        let mut failed = |attempts: &mut Attempts, kind| {
            attempts.failed(kind, minute, &Backoff::default(), &mut random)
        };
        for _ in 0..5 {
            sleep(minute).await;
            assert!(failed(&mut attempts, Throttled).is_some());
        }
        sleep(minute / 2).await;
        assert!(failed(&mut attempts, Transient).is_some());
        attempts.begin(); // no turn: something has failed
        sleep(minute / 2).await;
        assert_eq!(failed(&mut attempts, Transient), None);
        attempts.succeeded();
        sleep(minute).await;
        attempts.begin();
        assert!(failed(&mut attempts, Transient).is_some());
    }
}
