//! A canary's object: put, overwritten, deleted, and removed for good.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};
use bridge_aws::request_error::RequestError;
use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::timestamp::Timestamp;
use tokio_util::sync::CancellationToken;

/// The object.
pub(super) struct Object<'a> {
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) bucket: &'a str,
    /// Of this canary alone.
    pub(super) key: &'a str,
}

/// A change that was made.
pub(super) struct Change {
    /// `put` …
    pub(super) what: &'static str,
    /// The version, or the delete marker.
    pub(super) version: String,
    pub(super) made_at: Timestamp,
}

/// The version of an object of a bucket that keeps none.
/// Source: Amazon S3 User Guide, "Working with objects in a versioning-suspended bucket".
const NO_VERSION: &str = "null";

impl Change {
    /// Whether another change of the object would have the same version, so that their events cannot be told apart.
    pub(super) fn has_no_version(&self) -> bool {
        self.version == NO_VERSION
    }
}

impl Object<'_> {
    /// Puts, overwrites and deletes it, or what of that comes before `stop`. Where the bucket keeps no versions, it is only
    /// put.
    ///
    /// # Errors
    /// When the bucket does not take one of these. It may have all the same, where no answer came.
    pub(super) async fn change(
        &self,
        changes: &mut Vec<Change>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        for what in ["put", "overwritten", "deleted"] {
            // Between them only: the version of one that is under way has to be known to be removed.
            if stop.is_cancelled() || changes.iter().any(Change::has_no_version) {
                break;
            }
            let made_at = SystemClock.now();
            let version = if what == "deleted" {
                self.delete().await
            } else {
                self.put(what).await
            };
            let version = version.with_context(|| format!("{}: to be {what}", self.key))?;
            changes.push(Change {
                what,
                version: version.unwrap_or_else(|| NO_VERSION.to_owned()),
                made_at,
            });
        }
        Ok(())
    }

    async fn put(&self, body: &'static str) -> anyhow::Result<Option<String>> {
        let put = self.s3.put_object().bucket(self.bucket).key(self.key);
        let answer = put.body(body.as_bytes().to_vec().into()).send().await;
        Ok(answer
            .map_err(|e| anyhow!("{}", RequestError::of(&e)))?
            .version_id)
    }

    async fn delete(&self) -> anyhow::Result<Option<String>> {
        let delete = self.s3.delete_object().bucket(self.bucket).key(self.key);
        let answer = delete.send().await;
        Ok(answer
            .map_err(|e| anyhow!("{}", RequestError::of(&e)))?
            .version_id)
    }

    /// Removes for good what was changed, and what else is listed of it; `is_unsure`: there may be more than is known.
    /// Answers what is left, and why.
    pub(super) async fn remove(&self, changes: &[Change], is_unsure: bool) -> Vec<String> {
        let mut left = Vec::new();
        let known = changes.iter().map(|change| change.version.clone());
        let mut versions: BTreeSet<String> = known.collect();
        match self.versions().await {
            Ok(listed) => versions.extend(listed),
            // Who may change objects need not be allowed to list them.
            Err(error) if is_unsure => left.push(format!("what came of the last request: {error}")),
            Err(_) => {}
        }
        for version in versions {
            let delete = self.s3.delete_object().bucket(self.bucket).key(self.key);
            if let Err(error) = delete.version_id(&version).send().await {
                left.push(format!("version {version}: {}", RequestError::of(&error)));
            }
        }
        left
    }

    /// All that the bucket lists of it.
    async fn versions(&self) -> Result<Vec<String>, RequestError> {
        let list = self.s3.list_object_versions().bucket(self.bucket);
        let listed = list.prefix(self.key).send().await;
        let listed = listed.map_err(|e| RequestError::of(&e))?;
        let versions = listed.versions.unwrap_or_default().into_iter();
        let markers = listed.delete_markers.unwrap_or_default().into_iter();
        let versions = versions.map(|version| version.version_id);
        let all = versions.chain(markers.map(|marker| marker.version_id));
        Ok(all.flatten().collect())
    }
}
