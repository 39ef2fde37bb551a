//! The live table as `exact` uses it, in memory, with faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bridge_core::live::exact::store::{KeyClaim, KeyReturn, KeyState, KeyStore, OPERATOR};
use bridge_core::live::store::LiveStoreError;
use bridge_core::timestamp::Timestamp;

use crate::faults::Faults;
use crate::struck::struck;

/// An item.
#[derive(Debug, Clone, Default)]
struct Item {
    state: KeyState,
    claim: Option<(String, Timestamp)>,
    is_marked: bool,
}

#[derive(Debug, Default)]
struct Items(Mutex<BTreeMap<String, Item>>, Mutex<BTreeSet<String>>);

/// A table.
#[derive(Debug, Clone)]
pub struct SimKeys {
    items: Arc<Items>,
    faults: Arc<Faults>,
}

impl Items {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, claim: &KeyClaim, now: Timestamp) -> Result<KeyState, LiveStoreError> {
        let mut items = self.lock();
        let item = items.entry(claim.key.clone()).or_default();
        let is_held = match &item.claim {
            Some((owner, until)) => *owner != claim.owner && *until >= now,
            None => false,
        };
        if is_held || item.state.ended.contains(&claim.owner) {
            return Err(LiveStoreError::Held);
        }
        let was_left = item.claim.is_some();
        item.claim = Some((claim.owner.clone(), claim.until));
        item.is_marked = false;
        item.state.revision += 1;
        Ok(KeyState {
            was_left,
            ..item.state.clone()
        })
    }

    fn mark(&self, key: &str, request: &str, now: Timestamp) -> bool {
        let mut items = self.lock();
        let item = items.entry(key.to_owned()).or_default();
        let is_other = |(owner, until): &(String, Timestamp)| {
            *until >= now && !owner.starts_with(request) && !owner.starts_with(OPERATOR)
        };
        let is_held = item.claim.as_ref().is_some_and(is_other);
        item.is_marked |= is_held;
        is_held
    }

    fn stopped(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, done: &KeyReturn) -> Result<bool, LiveStoreError> {
        let mut items = self.lock();
        let item = items.entry(done.key.clone()).or_default();
        let owner = item.claim.as_ref().map(|(owner, _)| owner);
        if owner != Some(&done.owner) || item.state.revision != done.state.revision {
            return Err(LiveStoreError::Held);
        }
        item.state = done.state.clone();
        if done.ends {
            item.claim = None;
        }
        Ok(std::mem::take(&mut item.is_marked))
    }
}

impl SimKeys {
    /// An empty table.
    #[must_use]
    pub fn new(faults: Arc<Faults>) -> Self {
        Self {
            items: Arc::default(),
            faults,
        }
    }

    async fn call<T>(
        &self,
        write: impl Fn(&Items) -> Result<T, LiveStoreError> + Send + 'static,
    ) -> Result<T, LiveStoreError> {
        struck(&self.faults, &self.items, write).await
    }
}

#[async_trait]
impl KeyStore for SimKeys {
    async fn claim(&self, claim: &KeyClaim, now: Timestamp) -> Result<KeyState, LiveStoreError> {
        let claim = claim.clone();
        self.call(move |items| items.claim(&claim, now)).await
    }

    async fn mark(&self, key: &str, request: &str, now: Timestamp) -> Result<bool, LiveStoreError> {
        let (key, request) = (key.to_owned(), request.to_owned());
        self.call(move |items| Ok(items.mark(&key, &request, now)))
            .await
    }

    async fn give_back(&self, done: &KeyReturn) -> Result<bool, LiveStoreError> {
        let done = done.clone();
        self.call(move |items| items.give_back(&done)).await
    }

    async fn add_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        let key = key.to_owned();
        let add = move |items: &Items| {
            items.stopped().insert(key.clone());
            Ok(())
        };
        self.call(add).await
    }

    async fn remove_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        let key = key.to_owned();
        let remove = move |items: &Items| {
            items.stopped().remove(&key);
            Ok(())
        };
        self.call(remove).await
    }

    async fn stopped(&self) -> Result<Vec<String>, LiveStoreError> {
        let all = |items: &Items| Ok(items.stopped().iter().cloned().collect());
        self.call(all).await
    }
}
