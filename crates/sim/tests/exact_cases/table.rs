//! Calls of the table that are not answered, or too late.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bridge_core::event::Event;
use bridge_core::timestamp::Timestamp;
use tokio::time::sleep;

use crate::stack::{BEGIN, Stack, came, put, upload};

/// A run is noted before it is sent, and the answer of that write is lost. It removed the mark of a notification that came
/// since the key was read; the repeated write finds none, and must not believe that there was none.
#[tokio::test(start_paused = true)]
async fn a_note_whose_answer_is_lost_does_not_lose_a_mark() {
    let rows = [upload("u", -60), put("v1", 1)];
    let stack = Stack::of(rows[..1].to_vec());
    stack.keys.lost_note.store(true, Ordering::Relaxed);
    let ended = [Event {
        event_time: Timestamp(BEGIN + 500),
        ..came(&rows[0])
    }];
    let writes = async {
        sleep(Duration::from_millis(100)).await;
        stack.bucket.set(rows.clone());
        stack.notify("second", &[came(&rows[1])]).await
    };
    let (first, second) = tokio::join!(stack.notify("first", &ended), writes);
    assert!(first.leftover.is_empty() && second.leftover.is_empty());
    sleep(Duration::from_mins(10)).await;
    assert_eq!(stack.queue.taken(), ["created u", "created v1"]);
}
