//! The live table in memory, with faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::live::place::{Claimed, Place};
use bridge_core::live::store::{Claim, LiveStore, LiveStoreError, Return};
use bridge_core::timestamp::Timestamp;
use tokio::time::sleep;

use crate::faults::{Faults, Strike};

/// The longest that a delayed write is on its way.
const MOST_DELAY_MS: u64 = 20_000;

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
        item.place.intents.push(claim.intent.clone());
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

/// One call of a table, which may fail before or after its effect, or take effect later.
pub(crate) async fn struck<I: Send + Sync + 'static, T>(
    faults: &Faults,
    items: &Arc<I>,
    write: impl Fn(&I) -> Result<T, LiveStoreError> + Send + 'static,
) -> Result<T, LiveStoreError> {
    let strike = faults.strike().await;
    match strike {
        Strike::None => return write(items),
        Strike::Before | Strike::Throttled => {}
        Strike::After => drop(write(items)),
        Strike::Late => {
            let items = Arc::clone(items);
            let delay = Duration::from_millis(faults.below(MOST_DELAY_MS));
            tokio::spawn(async move {
                sleep(delay).await;
                drop(write(&items));
            });
        }
    }
    Err(LiveStoreError::Store {
        reason: format!("{strike:?}"),
        kind: strike.kind(),
    })
}
