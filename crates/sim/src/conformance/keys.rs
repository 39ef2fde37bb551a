//! The suite of `KeyStore`.

use bridge_core::live::exact::run::Sent;
use bridge_core::live::exact::store::{KeyClaim, KeyReturn, KeyState, KeyStore, OPERATOR, Stopped};
use bridge_core::live::exact::version::Identity;
use bridge_core::live::store::LiveStoreError;
use bridge_core::timestamp::Timestamp;

/// `store` holds nothing of `key`.
pub async fn key_store(store: &dyn KeyStore, key: &str) {
    let claim = |owner: &str, until| KeyClaim {
        key: key.to_owned(),
        owner: owner.to_owned(),
        until: Timestamp(until),
        expires: Timestamp(2_000_000_000_000),
    };
    let give_back = |owner: &str, state: &KeyState, ends| KeyReturn {
        key: key.to_owned(),
        owner: owner.to_owned(),
        state: state.clone(),
        ends,
        expires: Timestamp(2_000_000_000_000),
    };
    let held = LiveStoreError::Held;
    let now = Timestamp(1_000);

    // Nobody holds it: nothing is marked. Nobody else gets it once it is held.
    assert_eq!(store.mark(key, "r9#", now).await, Ok(false));
    let first = store.claim(&claim("r1#a", 1_500), now).await.unwrap();
    let nothing = KeyState {
        revision: 1,
        ..KeyState::default()
    };
    assert_eq!(first, nothing);
    let other = store.claim(&claim("r2#b", 1_900), Timestamp(1_500)).await;
    assert_eq!(other, Err(held.clone()));

    // Its own holder gets it again; what it sent may be there.
    let again = store.claim(&claim("r1#a", 1_500), now).await.unwrap();
    let expected = KeyState {
        revision: 2,
        was_left: true,
        ..KeyState::default()
    };
    assert_eq!(again, expected);

    // Marked by others, as long as it is held, and not by the same request.
    assert_eq!(store.mark(key, "r1#", now).await, Ok(false));
    assert_eq!(store.mark(key, "r2#", Timestamp(1_501)).await, Ok(false));
    assert_eq!(store.mark(key, "r2#", Timestamp(1_500)).await, Ok(true));

    // The state is what was given back, whole. The mark is told once; the claim stands while it says so.
    let state = whole_state();
    for late in [
        give_back("r2#b", &state, true),
        give_back("r1#a", &first, true),
    ] {
        assert_eq!(store.give_back(&late).await, Err(held.clone()), "{late:?}");
    }
    let kept = give_back("r1#a", &state, false);
    assert_eq!(store.give_back(&kept).await, Ok(true));
    assert_eq!(store.give_back(&kept).await, Ok(false));
    let other = store.claim(&claim("r2#b", 1_900), Timestamp(1_500)).await;
    assert_eq!(other, Err(held.clone()));
    let done = give_back("r1#a", &state, true);
    assert_eq!(store.give_back(&done).await, Ok(false));
    assert_eq!(store.give_back(&done).await, Err(held.clone()));

    // An owner that has ended does not come back; others find what it left.
    assert_eq!(
        store.claim(&claim("r1#a", 1_500), now).await,
        Err(held.clone())
    );
    let second = store.claim(&claim("r2#b", 1_900), now).await.unwrap();
    let expected = KeyState {
        revision: 3,
        ..state.clone()
    };
    assert_eq!(second, expected);

    // Never given back, it ends by itself, and its mark with it.
    assert_eq!(store.mark(key, "r3#", now).await, Ok(true));
    let third = store.claim(&claim("r3#c", 2_500), Timestamp(1_901)).await;
    let third = third.unwrap();
    let expected = KeyState {
        revision: 4,
        was_left: true,
        ..state
    };
    assert_eq!(third, expected);
    let end = KeyState {
        revision: 4,
        ..KeyState::default()
    };
    assert_eq!(
        store.give_back(&give_back("r3#c", &end, true)).await,
        Ok(false)
    );
    names_of_stopped_keys(store, key).await;
    operators_claims(store, key).await;
}

/// The state of a claim with revision 2, nothing of which is empty.
fn whole_state() -> KeyState {
    let identity = |text: &str| Identity(text.to_owned());
    KeyState {
        sent: Some(Sent {
            last: identity("v2"),
            last_is_null: true,
            effective_time: Timestamp(17),
            of_that_time: vec![identity("v1"), identity("v2")],
            dated_back: vec![identity("u1")],
            assumed: vec![identity("u1")],
            named_since: Timestamp(0),
            late: vec![identity("u0")],
        }),
        begun: vec![identity("u1")],
        generation: 3,
        attempt: u32::MAX,
        was_left: false,
        revision: 2,
        ended: vec!["r1#a".to_owned()],
        stopped: Some(Stopped {
            reason: "the queue refuses \"it\"".to_owned(),
            version: identity("v3"),
        }),
        skipped: vec![identity("v0")],
    }
}

/// Nothing is handed over to an operator.
async fn operators_claims(store: &dyn KeyStore, key: &str) {
    let now = Timestamp(1_000);
    let owner = format!("{OPERATOR}r4#d");
    let claim = KeyClaim {
        key: key.to_owned(),
        owner: owner.clone(),
        until: Timestamp(2_500),
        expires: Timestamp(2_000_000_000_000),
    };
    let state = store.claim(&claim, now).await.unwrap();
    assert_eq!(store.mark(key, "r5#", now).await, Ok(false));
    let done = KeyReturn {
        key: key.to_owned(),
        owner,
        state,
        ends: true,
        expires: claim.expires,
    };
    assert_eq!(store.give_back(&done).await, Ok(false));
}

/// Keys that are stopped are named, once each, until they go on.
async fn names_of_stopped_keys(store: &dyn KeyStore, key: &str) {
    assert_eq!(store.stopped().await, Ok(vec![]));
    for _ in 0..2 {
        assert_eq!(store.add_stopped(key).await, Ok(()));
        assert_eq!(store.add_stopped("ledger/other").await, Ok(()));
    }
    let mut stopped = store.stopped().await.unwrap();
    stopped.sort();
    let mut both = [key.to_owned(), "ledger/other".to_owned()];
    both.sort();
    assert_eq!(stopped, both);
    for _ in 0..2 {
        assert_eq!(store.remove_stopped(key).await, Ok(()));
    }
    assert_eq!(store.stopped().await, Ok(vec!["ledger/other".to_owned()]));
    assert_eq!(store.remove_stopped("ledger/other").await, Ok(()));
    assert_eq!(store.stopped().await, Ok(vec![]));
}
