//! Versions that come otherwise than one behind the other.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::stack::{BUDGET, Row, Stack, came, gone, marker, put, upload};

/// Versioning is suspended: an object is deleted, written and deleted again within a second, each change told in
/// time. The second `null` marker looks as the first did.
#[tokio::test(start_paused = true)]
async fn a_null_marker_that_came_twice_in_a_second_is_sent_twice() {
    let steps = [
        put("v0", 0),
        marker("null", 5),
        put("null", 5),
        marker("null", 5),
    ];
    let stack = Stack::of([]);
    for (number, step) in steps.iter().enumerate() {
        let rows = [steps[0].clone(), step.clone()];
        stack.bucket.set(rows.into_iter().take(number + 1));
        stack.notify(&number.to_string(), &[came(step)]).await;
    }
    assert_eq!(
        stack.queue.taken().last().map(String::as_str),
        Some("removed null"),
        "{:?}",
        stack.queue.taken()
    );
}

/// Versioning is suspended: an object is written, overwritten, and written as before within a second. The third
/// looks as the first did.
#[tokio::test(start_paused = true)]
async fn a_null_version_that_was_written_as_before_ends_the_stream() {
    let of = |tag: &str| Row("null".to_owned(), false, 5, tag.to_owned());
    let stack = Stack::of([]);
    for (number, tag) in ["on", "off", "on"].into_iter().enumerate() {
        stack.bucket.set([of(tag)]);
        stack.notify(&number.to_string(), &[came(&of(tag))]).await;
    }
    let last = stack.queue.taken.lock().unwrap().last().cloned().unwrap();
    assert_eq!(last.e_tag.as_deref(), Some("on"));
}

/// Versioning is suspended: the `null` version is removed for good and written anew, and both notifications are in one
/// batch. A state that takes each message as it comes must end with the new one.
#[tokio::test(start_paused = true)]
async fn a_null_version_that_was_removed_and_written_anew_is_there_at_the_end() {
    let anew = Row("null".to_owned(), false, 7, "new".to_owned());
    let stack = Stack::of([put("null", 0)]);
    stack.notify("first", &[came(&put("null", 0))]).await;
    stack.bucket.set([anew.clone()]);
    stack
        .notify("second", &[gone("null", 6), came(&anew)])
        .await;
    assert_eq!(
        stack.queue.taken(),
        ["created null", "deleted null", "created null"]
    );
}

/// A key whose every version is an upload in parts (all above 8 MB with the AWS CLI) has had more than 200. One that
/// began before the last 200, and ends now, is known by its own notification only.
#[tokio::test(start_paused = true)]
async fn an_upload_that_its_own_notification_reports_is_sent_however_long_it_took() {
    let mut rows: Vec<Row> = (0..300).map(|n| upload(&format!("u{n}"), n)).collect();
    let stack = Stack::of(rows.clone());
    stack.notify("first", &[came(&rows[299])]).await;
    let late = upload("late", 50);
    rows.insert(51, late.clone());
    stack.bucket.set(rows);
    stack.notify("second", &[came(&late)]).await;
    let taken = stack.queue.taken();
    assert!(
        taken.contains(&"created late".to_owned()),
        "{} messages",
        taken.len()
    );
}

/// Two writers put one key at the same time. S3 puts them in an order of its own ("the request with the latest timestamp
/// wins"), which is not that of their becoming visible: a simple PUT may appear below one that was sent.
#[tokio::test(start_paused = true)]
async fn a_put_that_lost_the_race_is_sent_when_it_is_reported() {
    let (winner, loser) = (put("winner", 5), put("loser", 5));
    let stack = Stack::of([winner.clone()]);
    stack.notify("first", &[came(&winner)]).await;
    stack.bucket.set([loser.clone(), winner]);
    stack.notify("second", &[came(&loser)]).await;
    let taken = stack.queue.taken();
    assert!(taken.contains(&"created loser".to_owned()), "{taken:?}");
}

/// A key of very many pages must not take the time of the whole batch.
#[tokio::test(start_paused = true)]
async fn reading_a_long_key_ends_with_the_invocations_time() {
    let rows: Vec<Row> = (0..400).map(|n| upload(&format!("u{n}"), n)).collect();
    let mut stack = Stack::of(rows.clone());
    stack.bucket.page = (Duration::from_millis(100), 2);
    let begun = Instant::now();
    stack.notify("first", &[came(&rows[399])]).await;
    assert!(begun.elapsed() <= BUDGET, "{:?}", begun.elapsed());
}

/// More versions wait than are sent at a time: what was removed for good comes behind all of them.
#[tokio::test(start_paused = true)]
async fn a_removal_comes_behind_the_whole_of_a_long_run() {
    let rows: Vec<Row> = (0..1_200).map(|n| put(&format!("v{n}"), n)).collect();
    let stack = Stack::of(rows.clone());
    stack
        .notify("first", &[gone("gone", 1_201), came(&rows[1_199])])
        .await;
    let taken = stack.queue.taken();
    assert_eq!(taken.len(), 1_201);
    assert_eq!(taken[1_199..], ["created v1199", "deleted gone"]);
}

/// What is older than an item lasts was sent, or the item would be there.
#[tokio::test(start_paused = true)]
async fn a_key_without_an_item_begins_no_further_back_than_items_last() {
    let days = 20 * 24 * 60 * 60;
    let rows = [put("v0", 0), put("v1", days)];
    let stack = Stack::of(rows.clone());
    stack.clock.1.store(days * 1000, Ordering::Relaxed);
    stack.notify("first", &[came(&rows[1])]).await;
    assert_eq!(stack.queue.taken(), ["created v1"]);
}

/// A key of many pages: reads end with the first, and more than two hundred uploads have been sent one by one. The last is
/// removed for good, so the next one reads all of it.
#[tokio::test(start_paused = true)]
async fn an_upload_whose_name_was_dropped_unread_is_not_sent_again() {
    let rows: Vec<Row> = (0..230).map(|n| upload(&format!("u{n}"), n)).collect();
    let mut stack = Stack::of([]);
    stack.bucket.page = (Duration::ZERO, 10);
    for (number, row) in rows.iter().enumerate() {
        stack.bucket.set(rows[..=number].to_vec());
        stack.notify(&number.to_string(), &[came(row)]).await;
    }
    let next = put("next", 230);
    stack.bucket.set(rows[..229].iter().chain([&next]).cloned());
    stack.notify("again", &[came(&next)]).await;
    assert_eq!(stack.queue.taken().len(), 231);
}

/// Behind a late upload more goes again than is sent at a time, and the version that ended the first part is removed for
/// good before the second. All of these uploads have been sent before; they follow again nevertheless.
#[tokio::test(start_paused = true)]
async fn what_goes_again_in_parts_goes_on_where_the_last_part_ended_though_that_is_gone() {
    let mut rows: Vec<Row> = (0..600).map(|n| upload(&format!("u{n}"), n)).collect();
    let mut stack = Stack::of(rows.clone());
    stack.notify("first", &[came(&rows[599])]).await;
    let late = upload("late", 5);
    rows.insert(6, late.clone());
    stack.bucket.set(rows.clone());
    stack.bucket.page = (Duration::from_millis(100), 0);
    let ended = [came(&late)];
    let removes = async {
        sleep(Duration::from_millis(110)).await;
        let part_end = rows[6 + 499].0.clone();
        let left = rows.iter().filter(|row| row.0 != part_end);
        stack.bucket.set(left.cloned());
    };
    tokio::join!(stack.notify("second", &ended), removes);
    let taken = stack.queue.taken();
    assert_eq!(taken.last().map(String::as_str), Some("created u599"));
}
