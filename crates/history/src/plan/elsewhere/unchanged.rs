//! A run of somebody else's plan that has to stay as it is while it is read.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::plan::store::{PlanError, PlanStore, Tag};

/// The store of a run; it refuses to read the run once that has been replaced.
pub struct Unchanged {
    store: Arc<dyn PlanStore>,
    run: String,
    tag: Option<Tag>,
}

impl Unchanged {
    /// The run as it is now, or as it was when `before` was its tag.
    ///
    /// # Errors
    /// [`PlanError`] when it cannot be read, or has been replaced since.
    pub async fn open(
        store: Arc<dyn PlanStore>,
        run: &str,
        before: Option<&Tag>,
    ) -> Result<Self, PlanError> {
        let tag = store.tag(run).await?;
        if before.is_some_and(|before| tag.as_ref() != Some(before)) {
            return Err(PlanError::replaced(run.to_owned()));
        }
        Ok(Self {
            store,
            run: run.to_owned(),
            tag,
        })
    }

    /// Which content it has.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }
}

#[async_trait]
impl PlanStore for Unchanged {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        self.store.put(name, bytes).await
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        match (range, &self.tag) {
            (Some(range), Some(tag)) if name == self.run => {
                self.store.get_tagged(name, range, tag).await
            }
            (range, _) => self.store.get(name, range).await,
        }
    }
}
