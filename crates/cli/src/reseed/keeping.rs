//! What a checkpoint says is written to a file is on the disk before the checkpoint is.

use std::io;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bridge_history::id::JobId;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::phase::Phase;
use bridge_history::job::place::Place;
use bridge_history::job::state::{Job, Revision};
use bridge_history::job::store::JobStore;
use bridge_local::output::Keeper;
use tokio_util::sync::CancellationToken;

use crate::sink::Broken;

/// A job store that keeps the file of its job first. A disk that does not take it stops the job, as one that is full does.
pub(super) struct Keeping<S> {
    /// The store.
    pub store: S,
    /// Who keeps the file.
    pub keeper: Keeper,
    /// Cancelled when it cannot be kept.
    pub stop: CancellationToken,
    /// Why it cannot.
    pub broken: Arc<OnceLock<Broken>>,
}

impl<S> Keeping<S> {
    async fn keep(&self, phase: Phase) -> Result<(), JobStoreError> {
        let keeper = self.keeper.clone();
        let keep = move || match phase {
            Phase::Done => keeper.finish(),
            _ => keeper.keep(),
        };
        let kept = tokio::task::spawn_blocking(keep).await;
        kept.unwrap_or_else(|e| Err(io::Error::other(e)))
            .map_err(|error| {
                let why = format!("writing the file to the disk: {error}");
                self.broken.get_or_init(|| Broken::Failed(why.clone()));
                self.stop.cancel();
                JobStoreError::transient(why)
            })
    }
}

#[async_trait]
impl<S: JobStore> JobStore for Keeping<S> {
    async fn create(&self, job: &Job) -> Result<(), JobStoreError> {
        self.store.create(job).await
    }

    async fn load(&self, job_id: &JobId) -> Result<Option<Job>, JobStoreError> {
        self.store.load(job_id).await
    }

    async fn replace(&self, job: &Job, expected: Revision) -> Result<(), JobStoreError> {
        self.keep(job.phase).await?;
        self.store.replace(job, expected).await
    }

    async fn active(&self) -> Result<Vec<JobId>, JobStoreError> {
        self.store.active().await
    }

    async fn newest(
        &self,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Vec<Place>, JobStoreError> {
        self.store.newest(after, most).await
    }
}
