//! What an invocation asks before it sends anything: whether the queue gets its history just now, and what
//! of the changes that waited meanwhile was in it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::name::{Meaning, meaning};
use crate::event::{Change, Event};
use crate::live::store::{LiveStoreError, in_time};
use crate::live::stream::{LiveOrder, Stream, StreamStore};
use crate::retry::{Backoff, Retry};
use crate::timestamp::Timestamp;

/// How long a table that fails is asked.
const MOST_RETRY: Duration = Duration::from_secs(3);

/// How much later than a notification says its object may be listed as changed: a change that was notified
/// in the last seconds before the history's end is sent, though it may have been in the history.
pub const MOST_AHEAD: Duration = Duration::from_secs(10);

/// Reads what holds for all keys. If nothing is held, the stream is sent as `order` from now on.
///
/// Who sends something live asks this first, in each invocation: a hold waits for no longer than the
/// invocations that were at work when it began.
///
/// # Errors
/// [`LiveStoreError::Store`], after which nothing may be sent.
pub async fn look(
    store: &dyn StreamStore,
    order: LiveOrder,
    clock: &dyn Clock,
    budget: Duration,
    random: &mut fastrand::Rng,
) -> Result<Stream, LiveStoreError> {
    let retry = Retry {
        backoff: Backoff::default(),
        retry_timeout: MOST_RETRY.min(budget / 4),
        stop: CancellationToken::new(),
    };
    let stream = retry.run(random, || in_time(store.read())).await?;
    if stream.hold.is_some() || stream.order == Some(order) {
        return Ok(stream);
    }
    // Whole seconds are what a bucket says of its versions.
    let now = clock.now();
    let second = Timestamp(now.0 - now.0.rem_euclid(1000));
    // Where nothing live was sent yet, the stream begins where its history ended.
    let history = stream.boundary.filter(|_| stream.order.is_none());
    let begin = || in_time(store.begin(order, history.unwrap_or(second)));
    retry.run(random, begin).await
}

impl Stream {
    /// Whether a reseed's plan held this change. A removal for good is in no plan.
    #[must_use]
    pub fn covers(&self, event: &Event) -> bool {
        let is_removal = matches!(
            meaning(&event.event_name),
            Meaning::Change {
                change: Change::Deleted,
                ..
            }
        );
        let covered = |until| event.event_time + MOST_AHEAD < until;
        !is_removal && self.covered.is_some_and(covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Source;
    use crate::timestamp::Timestamp;

    #[test]
    fn what_was_in_the_history_is_covered_but_for_its_last_seconds_and_for_removals() {
        let event = |name: &str, time| {
            let what = (Change::Created, name);
            Event::new(Source::Realtime, "b", "k", "v", what, Timestamp(time))
        };
        let stream = Stream {
            covered: Some(Timestamp(100_000)),
            ..Stream::default()
        };
        for (name, time, expected) in [
            ("ObjectCreated:Put", 89_999, true),
            ("ObjectCreated:Put", 90_000, false),
            ("ObjectRemoved:DeleteMarkerCreated", 0, true),
            ("LifecycleExpiration:DeleteMarkerCreated", 0, true),
            ("ObjectRemoved:Delete", 0, false),
            ("LifecycleExpiration:Delete", 0, false),
        ] {
            assert_eq!(stream.covers(&event(name, time)), expected, "{name} {time}");
            assert!(!Stream::default().covers(&event(name, time)), "no history");
        }
    }
}
