//! Port: who makes a manifest the job's own.

use async_trait::async_trait;

use crate::plan::manifest::Manifest;
use crate::plan::store::PlanError;

/// Who makes a manifest the job's own. The scan tells it whenever runs and cursors agree.
#[async_trait]
pub trait Commit: Send + Sync {
    /// Writes the manifest and points the job at it.
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError>;
}
