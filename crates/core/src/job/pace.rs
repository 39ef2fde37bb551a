//! How fast events may go: `maxRate`, evenly and not in bursts.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How much may be caught up after a delay, so that timers of 1 ms still reach high rates.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Spaces events evenly.
#[derive(Debug)]
pub struct Pace {
    interval: Option<Duration>,
    next: Instant,
}

impl Pace {
    /// At most `max_rate` events a second; `None` as fast as can be.
    #[must_use]
    pub fn new(max_rate: Option<u64>) -> Self {
        Self {
            // A rate is at least 1; a u64 of events a second needs no more precision than f64's.
            #[expect(clippy::cast_precision_loss)]
            interval: max_rate.map(|rate| Duration::from_secs_f64(1.0 / rate as f64)),
            next: Instant::now(),
        }
    }

    /// Waits until the next `events` may go.
    pub async fn wait(&mut self, events: u32) {
        let Some(interval) = self.interval else {
            return;
        };
        let now = Instant::now();
        if self.next > now {
            sleep_until(self.next).await;
        } else if now - self.next > CATCH_UP {
            self.next = now;
        }
        self.next += interval * events;
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
