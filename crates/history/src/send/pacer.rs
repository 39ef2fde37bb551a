//! How fast events may go: `maxRate`, evenly and not in bursts.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How much may be caught up after a delay, so that timers of 1 ms still reach high rates.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Spaces events evenly. What goes waits first: nothing is free, so a new segment, which begins with a
/// new pace, sends no more than its time is worth.
#[derive(Debug)]
pub struct Pace {
    interval: Option<Duration>,
    /// When the events that were let go last were due.
    due: Instant,
}

impl Pace {
    /// At most `max_rate` events a second; `None` as fast as can be.
    #[must_use]
    pub fn new(max_rate: Option<u64>) -> Self {
        Self {
            // A rate is at least 1; a u64 of events a second needs no more precision than f64's.
            #[expect(clippy::cast_precision_loss)]
            interval: max_rate.map(|rate| Duration::from_secs_f64(1.0 / rate as f64)),
            due: Instant::now(),
        }
    }

    /// Waits until the next `events` may go, all at once.
    pub async fn wait(&mut self, events: u32) {
        let Some(interval) = self.interval else {
            return;
        };
        let now = Instant::now();
        if now.saturating_duration_since(self.due) > CATCH_UP {
            self.due = now;
        }
        self.due += interval * events;
        if self.due > now {
            sleep_until(self.due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept_evenly_at_both_ends_of_the_scale() {
        for rate in [5, 20_000] {
            let begin = Instant::now();
            let mut pace = Pace::new(Some(rate));
            for _ in 0..rate * 2 {
                pace.wait(1).await;
            }
            let took = begin.elapsed().as_millis();
            assert!(
                (1_750..=2_050).contains(&took),
                "{rate}/s: {took} ms for 2 s of events"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_at_once_waits_as_long_as_it_would_one_by_one() {
        let begin = Instant::now();
        for _ in 0..3 {
            // As three segments do, one after the other.
            Pace::new(Some(10)).wait(10).await;
        }
        assert_eq!(begin.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_is_not_followed_by_a_burst() {
        let mut pace = Pace::new(Some(10));
        pace.wait(1).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        let begin = Instant::now();
        for _ in 0..11 {
            pace.wait(1).await;
        }
        assert!(begin.elapsed() >= Duration::from_millis(900));
    }
}
