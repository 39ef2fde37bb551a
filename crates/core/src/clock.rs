//! Port: the wall clock. Waiting goes through `tokio::time`, which simulations pause.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::timestamp::Timestamp;

/// Tells the time of day. Leases compare it between machines, so it must be the wall clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The longest that Lambda lets a function run.
/// Source: AWS Lambda Developer Guide, "Lambda quotas".
pub const LONGEST_INVOCATION: Duration = Duration::from_mins(15);

/// What is assumed where the deadline says nothing.
const ASSUMED: Duration = Duration::from_mins(1);

/// The time from `now` to the deadline of an invocation.
///
/// Lambda's deadline is an instant at most a quarter of an hour ahead, or a little behind when an
/// invocation was long on its way. Anything else is not Lambda's: cargo-lambda 1.9.2 `watch` sends
/// the milliseconds that a function may run, which reads as an instant in 1970. Such a number is
/// taken for what it means; a deadline that means nothing, for a minute.
#[must_use]
pub fn time_left(deadline: SystemTime, now: SystemTime) -> Duration {
    let as_duration = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
    if !as_duration.is_zero() && as_duration <= LONGEST_INVOCATION {
        return as_duration;
    }
    match deadline.duration_since(now) {
        Ok(left) => left.min(LONGEST_INVOCATION),
        Err(behind) if behind.duration() <= LONGEST_INVOCATION => Duration::ZERO,
        Err(_) => ASSUMED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_makes_no_sense_is_not_taken_for_time_spent() {
        let now = UNIX_EPOCH + Duration::from_hours(490_000);
        let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
        for (deadline, left) in [
            (now + 30 * second, 30 * second),
            (now, Duration::ZERO),
            (now - 5 * second, Duration::ZERO), // an invocation that was long on its way
            (now + 900 * second, 15 * minute),
            (now + 86_400 * second, 15 * minute),
            (UNIX_EPOCH + 600 * second, 10 * minute), // cargo-lambda 1.9.2
            (UNIX_EPOCH + 3 * second, 3 * second),
            (UNIX_EPOCH, minute), // none was sent
            (UNIX_EPOCH - 600 * second, minute),
            (UNIX_EPOCH + 1_764_000 * second, minute), // seconds taken for milliseconds
            (now - 86_400 * second, minute),
        ] {
            assert_eq!(time_left(deadline, now), left, "{deadline:?}");
        }
    }
}
