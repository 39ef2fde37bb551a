//! Port `LiveStore`: how far each key has been sent, as `newest` keeps it.

use async_trait::async_trait;
use bridge_core::live::place::Claimed;
use bridge_core::live::store::{Claim, LiveStore, LiveStoreError, Return};
use bridge_core::timestamp::Timestamp;

use crate::live::table::LocalLive;

#[async_trait]
impl LiveStore for LocalLive {
    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, LiveStoreError> {
        let (claim, process) = (claim.clone(), self.process);
        let key = claim.key.clone();
        self.change(key, move |item| item.claim(&claim, now, process))
            .await
    }

    async fn give_back(&self, done: &Return) -> Result<(), LiveStoreError> {
        let done = done.clone();
        let key = done.key.clone();
        self.change(key, move |item| item.give_back(&done)).await
    }
}
