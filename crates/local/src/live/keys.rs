//! Port `KeyStore`: how far each key has been sent, as `exact` keeps it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bridge_core::live::exact::store::{KeyClaim, KeyReturn, KeyState, KeyStore};
use bridge_core::live::store::LiveStoreError;
use bridge_core::timestamp::Timestamp;

use crate::live::database::{Tables, refused};
use crate::live::table::LocalLive;

/// The name of the keys that are stopped, among what all keys share.
const STOPPED: &str = "stopped";

impl LocalLive {
    async fn change_stopped<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut BTreeSet<String>) -> T + Send + 'static,
    ) -> Result<T, LiveStoreError> {
        let work = move |tables: &mut Tables<'_>| {
            let mut stopped = match tables.shared(STOPPED)? {
                Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| refused(&error))?,
                None => BTreeSet::new(),
            };
            let done = change(&mut stopped);
            let bytes = serde_json::to_vec(&stopped).map_err(|error| refused(&error))?;
            tables.put_shared(STOPPED, &bytes)?;
            Ok(done)
        };
        self.database.write(work).await
    }
}

#[async_trait]
impl KeyStore for LocalLive {
    async fn claim(&self, claim: &KeyClaim, now: Timestamp) -> Result<KeyState, LiveStoreError> {
        let (claim, process) = (claim.clone(), self.process);
        let key = claim.key.clone();
        self.change(key, move |item| item.claim_key(&claim, now, process))
            .await
    }

    async fn mark(&self, key: &str, request: &str, now: Timestamp) -> Result<bool, LiveStoreError> {
        let request = request.to_owned();
        self.change(key.to_owned(), move |item| Ok(item.mark(&request, now)))
            .await
    }

    async fn give_back(&self, done: &KeyReturn) -> Result<bool, LiveStoreError> {
        let done = done.clone();
        let key = done.key.clone();
        self.change(key, move |item| item.give_back_key(&done))
            .await
    }

    async fn add_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        let key = key.to_owned();
        let added = self.change_stopped(move |stopped| stopped.insert(key));
        added.await.map(|_| ())
    }

    async fn remove_stopped(&self, key: &str) -> Result<(), LiveStoreError> {
        let key = key.to_owned();
        let removed = self.change_stopped(move |stopped| stopped.remove(&key));
        removed.await.map(|_| ())
    }

    async fn stopped(&self) -> Result<Vec<String>, LiveStoreError> {
        self.change_stopped(|stopped| stopped.iter().cloned().collect())
            .await
    }
}
