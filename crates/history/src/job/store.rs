//! Port: where jobs are kept.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::id::JobId;
use crate::job::error::JobStoreError;
use crate::job::place::Place;
use crate::job::state::{Job, Revision};

/// Port: where jobs are kept. Every write is conditional.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Writes a job that must not exist.
    async fn create(&self, job: &Job) -> Result<(), JobStoreError>;

    /// Reads a job, never a stale one; [`JobStoreError::Unreadable`] when it is none.
    async fn load(&self, job_id: &JobId) -> Result<Option<Job>, JobStoreError>;

    /// Writes `job` if the stored one still has the epoch and revision of `expected`.
    async fn replace(&self, job: &Job, expected: Revision) -> Result<(), JobStoreError>;

    /// The ids of the jobs at work, in any order, without reading the others. It may be behind by a
    /// moment: one that just began may be missing, one that just ended be named. Who acts on a job
    /// loads it.
    async fn active(&self) -> Result<Vec<JobId>, JobStoreError>;

    /// Where jobs stand in the list behind `after`, the newest first, `most` at most, without reading
    /// what comes after those. It may be behind by a moment, as [`active`](Self::active).
    async fn newest(&self, after: Option<&Place>, most: usize)
    -> Result<Vec<Place>, JobStoreError>;
}

/// The longest that one call of the job store may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// A store that hangs must not keep a segment past its lease.
pub async fn in_time<T>(
    call: impl Future<Output = Result<T, JobStoreError>>,
) -> Result<T, JobStoreError> {
    timeout(STORE_TIMEOUT, call).await.unwrap_or_else(|_| {
        Err(JobStoreError::transient(format!(
            "no answer within {} s",
            STORE_TIMEOUT.as_secs()
        )))
    })
}
