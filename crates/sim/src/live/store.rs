//! The live table in memory, with faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bridge_core::live::place::{Claimed, Place};
use bridge_core::live::store::{Claim, LiveStore, LiveStoreError, Return};
use bridge_core::timestamp::Timestamp;

use crate::faults::Faults;
use crate::struck::struck;

/// An item.
#[derive(Debug, Clone, Default)]
struct Item {
    place: Place,
    claim: Option<(String, Timestamp)>,
    revision: u64,
}

#[derive(Debug, Default)]
struct Items(Mutex<BTreeMap<String, Item>>);

/// A table.
#[derive(Debug, Clone)]
pub struct SimLive {
    items: Arc<Items>,
    faults: Arc<Faults>,
}

impl Items {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, LiveStoreError> {
        let mut items = self.lock();
        let item = items.entry(claim.key.clone()).or_default();
        let is_own = match &item.claim {
            Some((owner, _)) if *owner == claim.owner => true,
            Some((_, until)) if *until >= now => return Err(LiveStoreError::Held),
            _ => false,
        };
        let place = item.place.clone();
        item.claim = Some((claim.owner.clone(), claim.until));
        let intent = claim.intent.clone();
        item.place.intents.extend(intent.newest);
        item.place.removing.extend(intent.removals);
        item.revision += 1;
        Ok(Claimed {
            place,
            is_own,
            revision: item.revision,
        })
    }

    fn give_back(&self, done: &Return) -> Result<(), LiveStoreError> {
        let mut items = self.lock();
        let item = items.entry(done.key.clone()).or_default();
        let owner = item.claim.as_ref().map(|(owner, _)| owner);
        if owner != Some(&done.owner) || item.revision != done.revision {
            return Err(LiveStoreError::Held);
        }
        item.place = done.place.clone();
        item.claim = None;
        Ok(())
    }
}

impl SimLive {
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
impl LiveStore for SimLive {
    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, LiveStoreError> {
        let claim = claim.clone();
        self.call(move |items| items.claim(&claim, now)).await
    }

    async fn give_back(&self, done: &Return) -> Result<(), LiveStoreError> {
        let done = done.clone();
        self.call(move |items| items.give_back(&done)).await
    }
}
