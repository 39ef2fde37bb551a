//! The suite of the port `StreamStore`.

use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::{HistoryEnd, Hold, LiveOrder, Stream, StreamStore};
use bridge_core::timestamp::Timestamp;

/// `store` holds nothing.
///
/// # Panics
/// With what is wrong.
pub async fn stream_store(store: &dyn StreamStore) {
    let (early, late) = (Timestamp(1_000), Timestamp(2_000));
    let end = |until, dated_back| {
        Some(HistoryEnd {
            until: Timestamp(until),
            dated_back,
        })
    };
    let mut expected = Stream::default();
    assert_eq!(store.read().await, Ok(expected.clone()), "nothing yet");

    // `newest` begins nowhere; repeated, it changes nothing.
    expected.order = Some(LiveOrder::Newest);
    for boundary in [early, late] {
        let begun = store.begin(LiveOrder::Newest, boundary).await;
        assert_eq!(begun, Ok(expected.clone()));
    }

    // Only the owner holds, with the first time, and only the owner releases.
    store.hold("job-1", early).await.unwrap();
    store.hold("job-1", late).await.unwrap();
    assert_eq!(store.hold("job-2", late).await, Err(LiveStoreError::Held));
    expected.hold = Some(Hold {
        owner: "job-1".to_owned(),
        since: early,
    });
    store.release("job-2", end(2_000, None)).await.unwrap();
    store.release("job-2", None).await.unwrap();
    assert_eq!(store.read().await, Ok(expected.clone()), "held by job-1");

    // With a history's end a generation begins, once, and nothing is sent in any order yet.
    store.release("job-1", end(2_000, None)).await.unwrap();
    store.release("job-1", end(9_000, None)).await.unwrap();
    expected = Stream {
        hold: None,
        boundary: Some(late),
        covered: Some(late),
        generation: 1,
        order: None,
        ..expected
    };
    assert_eq!(store.read().await, Ok(expected.clone()), "released");

    // Without one, all goes on from where it was.
    store.hold("job-2", late).await.unwrap();
    store.release("job-2", None).await.unwrap();
    assert_eq!(store.read().await, Ok(expected.clone()), "given up");

    // `exact` begins at its boundary, and not again before it was left.
    (expected.order, expected.boundary, expected.generation) =
        (Some(LiveOrder::Exact), Some(Timestamp(5_000)), 2);
    for boundary in [5_000, 6_000] {
        let begun = store.begin(LiveOrder::Exact, Timestamp(boundary)).await;
        assert_eq!(begun, Ok(expected.clone()));
    }
    store.begin(LiveOrder::Newest, late).await.unwrap();
    (expected.boundary, expected.generation) = (Some(Timestamp(-1)), 3);
    let begun = store.begin(LiveOrder::Exact, Timestamp(-1)).await;
    assert_eq!(begun, Ok(expected.clone()), "anew");

    // A history whose passes left something out, one that did not, and each order begins behind it.
    for (until, dated_back) in [(9_000, Some(early)), (10_000, None)] {
        store.hold("job-3", late).await.unwrap();
        store
            .release("job-3", end(until, dated_back))
            .await
            .unwrap();
        let begun = store.begin(LiveOrder::Exact, Timestamp(until)).await;
        expected.boundary = Some(Timestamp(until));
        expected.covered = Some(Timestamp(until));
        expected.covered_dated_back = dated_back;
        expected.generation += 2;
        assert_eq!(begun, Ok(expected.clone()), "until {until}");
    }
}
