//! How fast something gets on, measured, and how long the rest takes. No I/O.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::numbers::{count, grouped, time};

/// What is older does not count: a rate tells of now.
const WINDOW: Duration = Duration::from_secs(30);

/// Less than this says nothing: checkpoints are written every few seconds.
const LEAST: Duration = Duration::from_secs(5);

/// Looks closer together than this are one.
const APART: Duration = Duration::from_millis(900);

/// Measures by looks at a count that grows.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// What is counted.
    of: String,
    looks: VecDeque<(Instant, u64)>,
}

impl Meter {
    /// Takes in a look at the count `of` something. Another something, or a count that goes back, begins anew.
    pub(crate) fn look(&mut self, at: Instant, of: &str, count: u64) {
        if self.of != of {
            of.clone_into(&mut self.of);
            self.looks.clear();
        }
        if let Some((last, before)) = self.looks.back() {
            if count < *before {
                self.looks.clear();
            } else if at.duration_since(*last) < APART {
                return;
            }
        }
        self.looks.push_back((at, count));
        // The one before the window is what it is measured from.
        while self
            .looks
            .get(1)
            .is_some_and(|(second, _)| at.duration_since(*second) >= WINDOW)
        {
            self.looks.pop_front();
        }
    }

    /// So many a second; nothing while too little was seen.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(crate) fn rate(&self) -> Option<f64> {
        let ((begin, before), (end, after)) = (self.looks.front()?, self.looks.back()?);
        let seconds = end.duration_since(*begin);
        (seconds >= LEAST).then(|| (after - before) as f64 / seconds.as_secs_f64())
    }
}

/// A rate, rounded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is neither negative nor that large"
)]
pub(crate) fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

/// `480/s`; below one, `less than 1/s`.
pub(crate) fn told(rate: f64) -> String {
    if rate > 0.0 && rate < 1.0 {
        return "less than 1/s".to_owned();
    }
    format!("{}/s", grouped(whole(rate)))
}

/// How long `left` takes at this rate; nothing if it stands still.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(crate) fn time_left(left: u64, rate: f64) -> Option<Duration> {
    (rate > 0.0).then(|| Duration::try_from_secs_f64(left as f64 / rate).ok())?
}

/// `1,200 of 50,000 events, 480/s, 1 min 41 s left`; what is not known is left out.
pub(crate) fn sending(sent: u64, planned: u64, rate: Option<f64>) -> String {
    let mut text = format!("{} of {}", grouped(sent), count(planned, "event"));
    if let Some(rate) = rate {
        text = format!("{text}, {}", told(rate));
        if let Some(left) = time_left(planned.saturating_sub(sent), rate) {
            text = format!("{text}, {} left", time(left));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_last_half_minute_and_of_nothing_before_it() {
        let (begin, mut meter) = (Instant::now(), Meter::default());
        let at = |seconds| begin + Duration::from_secs(seconds);
        // A resumed job: a million went before anybody looked.
        meter.look(begin, "listed", 7);
        meter.look(at(0), "sent", 1_000_000);
        meter.look(at(3), "sent", 1_000_300);
        assert_eq!(meter.rate(), None, "too little was seen");
        meter.look(at(10), "sent", 1_001_000);
        assert_eq!(meter.rate(), Some(100.0));
        for second in 11..60 {
            meter.look(at(second), "sent", 1_001_000);
        }
        assert_eq!(meter.rate(), Some(0.0), "it stands still");
        assert!(meter.looks.len() < 35, "{}", meter.looks.len());
        meter.look(at(61), "listed", 2_000_000);
        meter.look(at(70), "listed", 2_000_009);
        assert_eq!(meter.rate(), Some(1.0), "another count");
        meter.look(at(80), "listed", 5);
        assert_eq!(meter.rate(), None, "it went back");
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        assert_eq!(sending(5, 1, None), "5 of 1 event");
        assert_eq!(sending(0, 9, Some(0.0)), "0 of 9 events, 0/s");
        assert_eq!(
            sending(0, 9, Some(0.2)),
            "0 of 9 events, less than 1/s, 45 s left"
        );
        assert_eq!(
            sending(1_200, 50_000, Some(480.4)),
            "1,200 of 50,000 events, 480/s, 1 min 41 s left"
        );
    }
}
