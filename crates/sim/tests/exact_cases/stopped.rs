//! A key that the queue has refused a version of, and an operator who lets it go on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bridge_core::event::Event;
use bridge_core::live::exact::go_on::{GoOnError, Refused};
use bridge_core::live::exact::store::KeyStore as _;
use bridge_core::timestamp::Timestamp;
use tokio::time::sleep;

use crate::stack::{BEGIN, Row, Stack, came, gone, put, upload};

/// The operator removes the version that the queue does not take, and lets the key go on: nothing is left to pass over.
#[tokio::test(start_paused = true)]
async fn skip_passes_over_the_version_that_was_refused_and_no_other() {
    let rows: Vec<Row> = (0..5).map(|n| put(&format!("v{n}"), n)).collect();
    let stack = Stack::of(rows.clone());
    stack.queue.refuse("v2");
    let stopped = stack.notify("first", &[came(&rows[4])]).await.stopped;
    assert_eq!(stopped.len(), 1);
    stack
        .bucket
        .set(rows.iter().filter(|row| row.0 != "v2").cloned());
    stack.go_on(Refused::Skip).await.unwrap();
    assert_eq!(
        stack.queue.taken(),
        ["created v0", "created v1", "created v3", "created v4"]
    );
}

/// While a key is stopped, an upload in parts ends that began earlier: it stands below the version that was refused.
#[tokio::test(start_paused = true)]
async fn skip_does_not_lose_an_upload_that_ended_while_the_key_was_stopped() {
    let rows: Vec<Row> = (0..5).map(|n| put(&format!("v{n}"), n)).collect();
    let stack = Stack::of(rows.clone());
    stack.queue.refuse("v2");
    stack.notify("first", &[came(&rows[4])]).await;
    let late = upload("u", 0);
    let mut now = rows.clone();
    now.insert(1, late.clone());
    stack.bucket.set(now);
    let told = stack.notify("second", &[came(&late)]).await;
    assert_eq!(told.leftover.len(), 1, "its notification comes again");
    let went_on = stack.go_on(Refused::Skip).await.unwrap();
    let taken = stack.queue.taken();
    assert!(taken.contains(&"created u".to_owned()), "{taken:?}");
    assert!(went_on.stopped.is_empty(), "{:?}", went_on.stopped);
}

/// `continue` for a key that is not stopped (mistyped, or asked twice) claims it for a moment. A notification of that
/// moment is not handed over to it.
#[tokio::test(start_paused = true)]
async fn continue_of_a_key_that_is_not_stopped_loses_no_change() {
    let rows = [put("v0", 0), put("v1", 1)];
    let stack = Stack::of(rows[..1].to_vec());
    stack.notify("first", &[came(&rows[0])]).await;
    stack.keys.slow_returns.store(true, Ordering::Relaxed);
    let writes = async {
        sleep(Duration::from_millis(100)).await;
        stack.bucket.set(rows.clone());
        stack.notify("second", &[came(&rows[1])]).await
    };
    let (asked, told) = tokio::join!(stack.go_on(Refused::Retry), writes);
    assert!(matches!(asked, Err(GoOnError::NotStopped)));
    assert!(
        told.leftover.is_empty(),
        "its notification is done: {told:?}"
    );
    sleep(Duration::from_mins(10)).await;
    assert_eq!(stack.queue.taken(), ["created v0", "created v1"]);
}

/// The table fails in the midst of it: the operator is told, and asks again.
#[tokio::test(start_paused = true)]
async fn continue_that_failed_half_way_can_be_asked_for_again() {
    let rows: Vec<Row> = (0..3).map(|n| put(&format!("v{n}"), n)).collect();
    let stack = Stack::of(rows.clone());
    stack.queue.refuse("v1");
    stack.notify("first", &[came(&rows[2])]).await;
    stack.keys.failing_removals.store(1_000, Ordering::Relaxed);
    let failed = stack.go_on(Refused::Skip).await;
    assert!(failed.is_err());
    stack.keys.failing_removals.store(0, Ordering::Relaxed);
    let again = stack.go_on(Refused::Skip).await;
    assert!(again.is_ok(), "{again:?}");
    assert_eq!(stack.keys.stopped().await, Ok(vec![]));
    assert_eq!(stack.queue.taken(), ["created v0", "created v2"]);
}

/// A key of which nothing was sent yet is stopped by its first version, and an operator comes back after three weeks:
/// what waits is older than an item lasts.
#[tokio::test(start_paused = true)]
async fn a_key_that_was_stopped_for_three_weeks_goes_on_where_it_stopped() {
    let rows: Vec<Row> = (0..3).map(|n| put(&format!("v{n}"), n)).collect();
    let stack = Stack::of(rows.clone());
    stack.queue.refuse("v0");
    stack.notify("first", &[came(&rows[0])]).await;
    stack
        .notify("second", &[came(&rows[1]), came(&rows[2])])
        .await;
    let weeks = Duration::from_hours(3 * 7 * 24);
    let weeks = i64::try_from(weeks.as_millis()).unwrap();
    stack.clock.1.store(weeks, Ordering::Relaxed);
    stack.queue.refuses.lock().unwrap().clear();
    stack.go_on(Refused::Retry).await.unwrap();
    assert_eq!(
        stack.queue.taken(),
        ["created v0", "created v1", "created v2"]
    );
}

/// The queue refuses a version for good, and the table does not take the key back: nobody knows that it is stopped, so
/// the notification is not done.
#[tokio::test(start_paused = true)]
async fn a_key_that_could_not_be_stopped_has_its_notification_again() {
    let rows: Vec<Row> = (0..3).map(|n| put(&format!("v{n}"), n)).collect();
    let stack = Stack::of(rows.clone());
    stack.queue.refuse("v1");
    stack.keys.failing_returns.store(1_000, Ordering::Relaxed);
    let told = stack.notify("first", &[came(&rows[2])]).await;
    stack.keys.failing_returns.store(0, Ordering::Relaxed);
    if told.leftover.is_empty() {
        sleep(Duration::from_mins(10)).await;
        let went_on = stack.go_on(Refused::Skip).await;
        assert!(went_on.is_ok(), "{went_on:?}");
        let taken = stack.queue.taken();
        assert!(taken.contains(&"created v2".to_owned()), "{taken:?}");
    }
}

/// An upload that was in the bucket at first is taken to be sent until its notification comes. If that comes while the
/// key is stopped, it waits at its source.
#[tokio::test(start_paused = true)]
async fn an_upload_that_was_reported_while_its_key_was_stopped_is_sent() {
    let rows = [upload("u", -60), put("v0", -30), put("v1", 1), put("v2", 2)];
    let stack = Stack::of(rows[..3].to_vec());
    stack.notify("first", &[came(&rows[2])]).await;
    stack.queue.refuse("v2");
    stack.bucket.set(rows.to_vec());
    stack.notify("second", &[came(&rows[3])]).await;
    let ended = Event {
        event_time: Timestamp(BEGIN + 500),
        ..came(&rows[0])
    };
    let ended = [ended];
    let told = stack.notify("third", &ended).await;
    assert_eq!(told.leftover.len(), 1, "its notification comes again");
    stack.go_on(Refused::Skip).await.unwrap();
    stack.notify("third", &ended).await;
    let taken = stack.queue.taken();
    assert!(taken.contains(&"created u".to_owned()), "{taken:?}");
}

/// A claim of `continue` is not answered, and would take effect after the key was given back.
#[tokio::test(start_paused = true)]
async fn a_late_claim_of_continue_loses_no_change() {
    let rows: Vec<Row> = (0..4).map(|n| put(&format!("v{n}"), n)).collect();
    let stack = Stack::of(rows[..3].to_vec());
    stack.queue.refuse("v1");
    stack.notify("first", &[came(&rows[2])]).await;
    *stack.keys.late_claim.lock().unwrap() = Some(Duration::from_secs(5));
    stack.go_on(Refused::Skip).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    stack.bucket.set(rows.clone());
    let told = stack.notify("second", &[came(&rows[3])]).await;
    assert!(
        told.leftover.is_empty(),
        "its notification is done: {told:?}"
    );
    sleep(Duration::from_mins(10)).await;
    assert_eq!(
        stack.queue.taken(),
        ["created v0", "created v2", "created v3"]
    );
}

/// Removals are in no listing: whoever lets the key go on could not see them.
#[tokio::test(start_paused = true)]
async fn a_removal_of_a_stopped_key_comes_again() {
    let rows = [put("v0", 0), put("v1", 1)];
    let stack = Stack::of(rows.clone());
    stack.queue.refuse("v1");
    let removal = [gone("v9", 2)];
    let both = [came(&rows[1]), removal[0].clone()];
    let told = stack.notify("first", &both).await;
    assert_eq!(told.leftover.len(), 1);
    assert_eq!(told.leftover[0].number, 1);
    let told = stack.notify("second", &removal).await;
    assert_eq!(told.leftover.len(), 1, "it was stopped before");
    stack.go_on(Refused::Skip).await.unwrap();
    stack.notify("third", &removal).await;
    assert_eq!(stack.queue.taken(), ["created v0", "deleted v9"]);
}

/// A removal that the queue refuses does not stop the versions.
#[tokio::test(start_paused = true)]
async fn a_removal_that_is_refused_stops_nothing() {
    let rows = [put("v0", 0), put("v1", 1)];
    let stack = Stack::of(rows[..1].to_vec());
    stack.queue.refuse("bad");
    let events = [came(&rows[0]), gone("bad", 2), gone("good", 2)];
    let told = stack.notify("first", &events).await;
    assert_eq!(told.leftover.len(), 1);
    assert_eq!(told.leftover[0].number, 1);
    assert!(told.leftover[0].refusal.is_of_the_message() && told.stopped.is_empty());
    stack.bucket.set(rows.clone());
    stack.notify("second", &[came(&rows[1])]).await;
    let expected = ["created v0", "deleted good", "created v1"];
    assert_eq!(stack.queue.taken(), expected);
}

/// An item outlasts every notification of its key, and one that an operator has to look at much longer.
#[tokio::test(start_paused = true)]
async fn items_are_kept_for_as_long_as_they_are_needed() {
    let rows = [put("v0", 0), put("v1", 1)];
    let stack = Stack::of(rows.clone());
    let days = |stack: &Stack| -> Vec<u64> {
        let expires = std::mem::take(&mut *stack.keys.expires.lock().unwrap());
        let days = expires
            .iter()
            .map(|at| at.since(Timestamp(BEGIN)).as_secs() / 86_400);
        days.collect()
    };
    stack.notify("first", &[came(&rows[0])]).await;
    let kept = days(&stack);
    assert!(kept.iter().all(|days| (16..20).contains(days)), "{kept:?}");
    let stack = Stack::of(rows.clone());
    stack.queue.refuse("v1");
    stack.notify("first", &[came(&rows[1])]).await;
    let kept = days(&stack);
    assert!(kept.iter().all(|days| *days >= 16), "{kept:?}");
    assert!(kept.last().is_some_and(|days| *days > 300), "{kept:?}");
}

/// The same, but nothing else waited when the key was stopped, and the operator passes over what was refused.
#[tokio::test(start_paused = true)]
async fn a_key_that_was_stopped_for_three_weeks_goes_on_behind_what_is_passed_over() {
    let rows: Vec<Row> = (0..4).map(|n| put(&format!("v{n}"), n)).collect();
    let stack = Stack::of(rows[..1].to_vec());
    stack.queue.refuse("v0");
    stack.notify("first", &[came(&rows[0])]).await;
    stack.bucket.set(rows.clone());
    let others: Vec<Event> = rows[1..].iter().map(came).collect();
    stack.notify("second", &others).await;
    let weeks = Duration::from_hours(3 * 7 * 24);
    let weeks = i64::try_from(weeks.as_millis()).unwrap();
    stack.clock.1.store(weeks, Ordering::Relaxed);
    stack.go_on(Refused::Skip).await.unwrap();
    assert_eq!(
        stack.queue.taken(),
        ["created v1", "created v2", "created v3"]
    );
}

/// Exact began in the midst of an upload; it is refused, and passed over.
#[tokio::test(start_paused = true)]
async fn an_upload_from_before_the_boundary_is_passed_over() {
    let row = upload("u", -60);
    let stack = Stack::of([row.clone()]);
    stack.queue.refuse("u");
    let ended = Event {
        event_time: Timestamp(BEGIN + 500),
        ..came(&row)
    };
    stack.notify("first", &[ended]).await;
    let went_on = stack.go_on(Refused::Skip).await.unwrap();
    assert!(
        went_on.leftover.is_empty() && went_on.stopped.is_empty(),
        "{went_on:?}"
    );
    stack.queue.refuses.lock().unwrap().clear();
    drop(stack.go_on(Refused::Skip).await);
    assert!(stack.queue.taken().is_empty(), "{:?}", stack.queue.taken());
}

/// The same, sent again: once.
#[tokio::test(start_paused = true)]
async fn an_upload_from_before_the_boundary_is_sent_once_by_retry() {
    let row = upload("u", -60);
    let stack = Stack::of([row.clone()]);
    stack.queue.refuse("u");
    let ended = Event {
        event_time: Timestamp(BEGIN + 500),
        ..came(&row)
    };
    stack.notify("first", &[ended]).await;
    stack.queue.refuses.lock().unwrap().clear();
    stack.go_on(Refused::Retry).await.unwrap();
    let next = put("v1", 5);
    stack.bucket.set([row, next.clone()]);
    stack.notify("second", &[came(&next)]).await;
    assert_eq!(stack.queue.taken(), ["created u", "created v1"]);
}

/// A key is stopped; the choice is changed and changed back. What waits has no notification any more.
#[tokio::test(start_paused = true)]
async fn what_waits_outlives_a_new_generation() {
    let rows: Vec<Row> = (0..4).map(|n| put(&format!("v{n}"), n)).collect();
    let mut stack = Stack::of(rows[..1].to_vec());
    stack.notify("first", &[came(&rows[0])]).await;
    stack.queue.refuse("v1");
    stack.bucket.set(rows.clone());
    stack
        .notify("second", &[came(&rows[1]), came(&rows[2]), came(&rows[3])])
        .await;
    stack.stream.generation = 2;
    stack.stream.boundary = Some(Timestamp(BEGIN + 100_000));
    stack.queue.refuses.lock().unwrap().clear();
    stack.go_on(Refused::Retry).await.unwrap();
    assert_eq!(
        stack.queue.taken(),
        ["created v0", "created v1", "created v2", "created v3"]
    );
}
