//! The suite of the port `LiveStore`.

use bridge_core::live::place::{Claimed, Intent, Place};
use bridge_core::live::store::{Claim, LiveStore, LiveStoreError, Return};
use bridge_core::timestamp::Timestamp;

/// `store` holds nothing of `key`.
///
/// # Panics
/// With what is wrong.
pub async fn live_store(store: &dyn LiveStore, key: &str) {
    let claim = |owner: &str, intent: &str, until| Claim {
        key: key.to_owned(),
        owner: owner.to_owned(),
        intent: Intent {
            newest: Some(intent.to_owned()),
            removals: Vec::new(),
        },
        until: Timestamp(until),
        expires: Timestamp(2_000_000_000_000),
    };
    let found = |sent: Option<&str>, intents: &[&str], is_own, revision| {
        Ok(Claimed {
            place: Place {
                sent: sent.map(str::to_owned),
                intents: intents.iter().map(|i| (*i).to_owned()).collect(),
                ..Place::default()
            },
            is_own,
            revision,
        })
    };
    let give_back = |owner: &str, revision, sent: Option<&str>, intents: &[&str]| Return {
        key: key.to_owned(),
        owner: owner.to_owned(),
        revision,
        place: Place {
            sent: sent.map(str::to_owned),
            intents: intents.iter().map(|i| (*i).to_owned()).collect(),
            ..Place::default()
        },
        expires: Timestamp(2_000_000_000_000),
    };
    let held = Err(LiveStoreError::Held);
    let now = Timestamp(1_000);

    // Nobody else gets a key that is held; its own holder does, when an answer was lost.
    let first = store.claim(&claim("a", "05", 1_500), now).await;
    assert_eq!(first, found(None, &[], false, 1));
    let other = store
        .claim(&claim("b", "07", 1_900), Timestamp(1_500))
        .await;
    assert_eq!(other, Err(LiveStoreError::Held));
    let again = store.claim(&claim("a", "05", 1_500), now).await;
    assert_eq!(again, found(None, &["05"], true, 2));

    // Only the claim that stands is ended, and once.
    for late in [give_back("b", 2, None, &[]), give_back("a", 1, None, &[])] {
        assert_eq!(store.give_back(&late).await, held, "{late:?}");
    }
    let done = give_back("a", 2, Some("05"), &[]);
    assert_eq!(store.give_back(&done).await, Ok(()));
    assert_eq!(store.give_back(&done).await, held);

    // A claim that was never given back ends by itself, and its intent stays.
    let second = store.claim(&claim("b", "07", 1_900), now).await;
    assert_eq!(second, found(Some("05"), &[], false, 3));
    let third = store
        .claim(&claim("c", "08", 2_500), Timestamp(1_901))
        .await;
    assert_eq!(third, found(Some("05"), &["07"], false, 4));
    assert_eq!(
        store.give_back(&give_back("b", 3, Some("07"), &[])).await,
        held
    );

    // The place is what was given back, whole: here no change that was sent.
    let done = give_back("c", 4, None, &["07"]);
    assert_eq!(store.give_back(&done).await, Ok(()));
    let fourth = store.claim(&claim("d", "09", 2_600), now).await;
    assert_eq!(fourth, found(None, &["07"], false, 5));
    let done = give_back("d", 5, Some("09"), &[]);
    assert_eq!(store.give_back(&done).await, Ok(()));

    // Removals are kept beside it: those that are to be sent by themselves, without a state; those that were sent
    // as they are given back.
    let removal = Claim {
        intent: Intent {
            newest: None,
            removals: vec!["v1".to_owned(), "v2".to_owned()],
        },
        ..claim("e", "", 2_700)
    };
    let fifth = store.claim(&removal, now).await;
    assert_eq!(fifth, found(Some("09"), &[], false, 6));
    let sixth = store
        .claim(&claim("f", "10", 2_800), Timestamp(2_701))
        .await
        .unwrap();
    assert_eq!(sixth.place.removing, ["v1", "v2"]);
    assert_eq!(sixth.place.removed, Vec::<String>::new());
    let place = Place {
        removed: vec!["v1".to_owned()],
        removing: vec!["v2".to_owned()],
        ..sixth.place
    };
    let done = Return {
        place: place.clone(),
        ..give_back("f", 7, None, &[])
    };
    assert_eq!(store.give_back(&done).await, Ok(()));
    let seventh = store.claim(&claim("g", "11", 2_900), now).await.unwrap();
    assert_eq!(seventh.place, place);
    let done = give_back("g", 8, Some("11"), &[]);
    assert_eq!(store.give_back(&done).await, Ok(()));
}
