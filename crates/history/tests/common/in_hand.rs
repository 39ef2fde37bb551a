//! A manifest that is committed nowhere: the one in hand is the checkpoint.

use async_trait::async_trait;
use bridge_history::plan::commit::Commit;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::store::PlanError;

pub(crate) struct InHand;

#[async_trait]
impl Commit for InHand {
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError> {
        manifest.generation += 1;
        // What is written down is what is read again.
        let json = serde_json::to_string(manifest).unwrap();
        *manifest = serde_json::from_str(&json).unwrap();
        Ok(())
    }
}
