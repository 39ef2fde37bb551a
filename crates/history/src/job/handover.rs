//! How far a job is that lets live changes follow its history (docs/decisions/0029). No I/O.

use std::time::Duration;

use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::manifest::Summary;

/// What follows a job's history in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// What realtime sends, from where the history ends.
    Live,
}

/// The steps of such a job, in their order. Each is done again by whoever finds it not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The hold is to be written, the buffer's event source mapping to be disabled.
    Holding,
    /// The hold stands; what was on its way when it began is waited for.
    Waiting,
    /// `until` is set; the bucket's clock must leave it behind.
    Settling,
    /// Scan and send, as ever.
    Replaying,
    /// All is acknowledged; live is to be let go on.
    Releasing,
    /// Live goes on: from the boundary, or (cancelled) from where it was.
    Released,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handover {
    /// What is to be done next.
    pub step: Step,
    /// When the hold was written, by the clock of the segment that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
    /// For how long segments have seen the hold stand, ms, by their steady clocks.
    pub waited_ms: u64,
    /// Whether there is no event source mapping any more to be enabled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mapping_is_gone: bool,
    /// What earlier passes sent, where the job took so long that the buffer would have forgotten changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_passes: Option<Summary>,
    /// With earlier passes: what is dated back and came behind this may be in none of them
    /// ([`HistoryEnd::dated_back`](bridge_core::live::stream::HistoryEnd)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dated_back: Option<Timestamp>,
    /// Whether the hold stood for longer than the buffer keeps messages: removals for good, which no
    /// listing shows, may be lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removals_may_be_lost: bool,
}

/// Before the buffer's first message expires, so much is kept for the pass after this one.
const SPARE: Duration = Duration::from_hours(2 * 24);

/// A listing is complete up to a time once the bucket's clock has left it behind by so much.
pub(super) const SETTLED_AFTER: Duration = Duration::from_mins(1);

impl Default for Handover {
    fn default() -> Self {
        Self {
            step: Step::Holding,
            held_since: None,
            waited_ms: 0,
            mapping_is_gone: false,
            earlier_passes: None,
            dated_back: None,
            removals_may_be_lost: false,
        }
    }
}

impl Handover {
    /// Whether its hold may stand, so that somebody must end it.
    #[must_use]
    pub fn may_hold(&self) -> bool {
        self.step != Step::Released
    }
}

/// Whether the buffer may soon forget changes that came after `until`.
#[must_use]
pub(super) fn is_too_old(until: Timestamp, now: Timestamp, retention: Duration) -> bool {
    now.since(until) > retention.saturating_sub(SPARE)
}

/// The next whole second: what was written before `now` is before it.
#[must_use]
pub(super) fn next_second(now: Timestamp) -> Timestamp {
    Timestamp((now.0.div_euclid(1000) + 1) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_ends_with_a_whole_second_that_has_not_come() {
        for (now, end) in [(0, 1000), (999, 1000), (1000, 2000), (-1, 0)] {
            assert_eq!(next_second(Timestamp(now)), Timestamp(end), "{now}");
        }
    }

    #[test]
    fn another_pass_is_made_two_days_before_the_buffer_forgets() {
        let day = Duration::from_hours(24);
        let until = Timestamp(0);
        assert!(!is_too_old(until, until + 12 * day, 14 * day));
        let later = until + 12 * day + Duration::from_millis(1);
        assert!(is_too_old(until, later, 14 * day));
    }
}
