//! The live table's item that all keys share, in memory, with faults.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::{HistoryEnd, LiveOrder, Stream, StreamStore};
use bridge_core::timestamp::Timestamp;

use crate::faults::Faults;
use crate::struck::struck;

/// A stream.
#[derive(Debug, Clone)]
pub struct SimStream {
    stream: Arc<Mutex<Stream>>,
    faults: Arc<Faults>,
}

impl SimStream {
    /// Nothing holds yet.
    #[must_use]
    pub fn new(faults: Arc<Faults>) -> Self {
        Self {
            stream: Arc::default(),
            faults,
        }
    }

    /// What holds, past all faults.
    #[must_use]
    pub fn now(&self) -> Stream {
        lock(&self.stream).clone()
    }

    async fn call<T>(
        &self,
        write: impl Fn(&mut Stream) -> Result<T, LiveStoreError> + Send + 'static,
    ) -> Result<T, LiveStoreError> {
        let write = move |stream: &Mutex<Stream>| write(&mut lock(stream));
        struck(&self.faults, &self.stream, write).await
    }
}

fn lock(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl StreamStore for SimStream {
    async fn read(&self) -> Result<Stream, LiveStoreError> {
        self.call(|stream| Ok(stream.clone())).await
    }

    async fn begin(&self, order: LiveOrder, boundary: Timestamp) -> Result<Stream, LiveStoreError> {
        self.call(move |stream| {
            stream.begin(order, boundary);
            Ok(stream.clone())
        })
        .await
    }

    async fn hold(&self, owner: &str, since: Timestamp) -> Result<(), LiveStoreError> {
        let owner = owner.to_owned();
        self.call(move |stream| stream.hold_for(&owner, since))
            .await
    }

    async fn release(&self, owner: &str, end: Option<HistoryEnd>) -> Result<(), LiveStoreError> {
        let owner = owner.to_owned();
        self.call(move |stream| {
            stream.release(&owner, end);
            Ok(())
        })
        .await
    }
}
