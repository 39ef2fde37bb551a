//! What an invocation asks before it sends anything: whether the queue gets its history just now, and what
//! of the changes that waited meanwhile was in it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::name::{Meaning, meaning};
use crate::event::{Change, Event};
use crate::live::exact::reported::Reported;
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
    /// Before when a reseed's plan held all changes of this one's kind.
    #[must_use]
    pub fn planned_until(&self, event: &Event) -> Option<Timestamp> {
        let reported = Reported {
            event,
            is_repeated: false,
        };
        let dated_back = self.covered_dated_back;
        let dated_back = dated_back.filter(|_| reported.is_dated_back());
        dated_back.or(self.covered)
    }

    /// Whether this change came before the history's end and may be in no plan all the same, being dated back: so it
    /// is the stream's.
    #[must_use]
    pub fn plan_may_lack(&self, event: &Event) -> bool {
        let is_before = |until: Option<Timestamp>| until.is_some_and(|t| event.event_time < t);
        is_before(self.covered) && !is_before(self.planned_until(event))
    }

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
        !is_removal && self.planned_until(event).is_some_and(covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Source;
    use crate::timestamp::Timestamp;

    fn event(name: &str, time: i64) -> Event {
        let what = (Change::Created, name);
        Event::new(Source::Realtime, "b", "k", "v", what, Timestamp(time))
    }

    #[test]
    fn what_was_in_the_history_is_covered_but_for_its_last_seconds_and_for_removals() {
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

    #[test]
    fn what_is_dated_back_is_covered_only_if_it_came_before_the_first_pass_ended() {
        let stream = Stream {
            covered: Some(Timestamp(100_000)),
            covered_dated_back: Some(Timestamp(50_000)),
            ..Stream::default()
        };
        let upload = "ObjectCreated:CompleteMultipartUpload";
        let of_rule = "LifecycleExpiration:DeleteMarkerCreated";
        for (name, time, is_covered, plan_may_lack) in [
            (upload, 39_999, true, false),
            (upload, 40_000, false, false),
            (upload, 50_000, false, true),
            (upload, 99_999, false, true),
            (upload, 100_000, false, false), // behind the history
            (of_rule, 39_999, true, false),
            (of_rule, 60_000, false, true),
            ("ObjectCreated:Put", 60_000, true, false),
            ("ObjectRemoved:Delete", 60_000, false, false),
        ] {
            let event = event(name, time);
            let found = (stream.covers(&event), stream.plan_may_lack(&event));
            assert_eq!(found, (is_covered, plan_may_lack), "{name} {time}");
            let one_pass = Stream {
                covered_dated_back: None,
                ..stream.clone()
            };
            assert!(!one_pass.plan_may_lack(&event), "{name} {time}");
        }
    }
}
