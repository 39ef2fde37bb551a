use bridge_core::timestamp::Timestamp;
use futures_util::FutureExt as _;

use super::*;
use crate::send::checkpoint::Checkpoint;

fn position() -> Position {
    Position {
        effective_time: Timestamp(0),
        key: String::new(),
        rank: 0,
    }
}

/// A window that only acknowledged events gave back would be full for ever after so many parked ones.
#[test]
fn a_parked_event_gives_its_room_in_the_window_back() {
    let mut watermark = Watermark::new(Checkpoint::default(), 0);
    for _ in 0..3 {
        watermark.hand_out(1, position(), 1);
    }
    let watermark = Arc::new(Mutex::new(watermark));
    let window = Window::new(3);
    let is_room = |events| window.take(events).now_or_never().is_some();
    assert!(is_room(3));
    let ledger = Passed {
        watermark: Arc::clone(&watermark),
        window: window.clone(),
    };
    ledger.parked(2);
    assert!(!is_room(1), "the checkpoint is before it");
    ledger.parked(1);
    assert!(is_room(2), "the checkpoint has passed two");
    ledger.acknowledged(&[3]);
    assert!(is_room(1) && !is_room(1));
    assert_eq!(lock(&watermark).parked(), 2);
}
