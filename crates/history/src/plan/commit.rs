//! Port: who makes a manifest the job's own: its checkpoint.

use async_trait::async_trait;

use crate::plan::manifest::Manifest;
use crate::plan::store::PlanError;

/// Who makes a manifest the job's own. It is called whenever runs and cursors agree.
#[async_trait]
pub trait Commit: Send + Sync {
    /// Writes the manifest as its next generation and points the job at it. From then on a crash loses
    /// nothing that the manifest names.
    ///
    /// # Errors
    /// [`PlanError::Store`] when the manifest cannot be written, [`PlanError::Commit`] when the job cannot,
    /// [`PlanError::Fenced`] when another segment has taken the job over. The caller then ends.
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError>;
}
