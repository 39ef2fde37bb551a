//! A history that a test writes itself, so that it knows the truth.
//!
//! - [`life`]: what is done to one key, and what is left of it
//! - [`script`]: which keys, and what is done to them
//! - [`replayed`]: a replay's events, compared with the truth

pub mod life;
pub mod replayed;
pub mod script;

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    VersioningConfiguration,
};
use life::Step;

/// What a bucket's listing must show, by key.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The versions and delete markers that are still there, oldest first.
    pub keys: BTreeMap<String, Vec<Step>>,
    /// What was removed for good, in the order it went.
    pub gone: BTreeMap<String, Vec<Step>>,
}

impl History {
    /// Versions and delete markers that are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.values().map(Vec::len).sum()
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much was done: what came, and what was removed for good.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.len() + 2 * self.gone.values().map(Vec::len).sum::<usize>()
    }

    /// What it holds, in a few words.
    #[must_use]
    pub fn summary(&self) -> String {
        let markers = self.keys.values().flatten().filter(|s| s.marker).count();
        format!(
            "{} versions and {markers} delete markers of {} keys; {} removed for good",
            self.len() - markers,
            self.keys.len(),
            self.gone.values().map(Vec::len).sum::<usize>()
        )
    }
}

/// Makes a bucket that keeps versions.
///
/// # Errors
/// S3's.
pub async fn create_bucket(s3: &aws_sdk_s3::Client, bucket: &str) -> anyhow::Result<()> {
    let mut create = s3.create_bucket().bucket(bucket);
    // S3 wants a bucket's region said in each region but its first.
    let region = s3.config().region().map(Region::as_ref);
    if let Some(region) = region.filter(|region| *region != "us-east-1") {
        let place = BucketLocationConstraint::from(region);
        let place = CreateBucketConfiguration::builder().location_constraint(place);
        create = create.create_bucket_configuration(place.build());
    }
    let create = create.send().await;
    create.with_context(|| format!("creating bucket {bucket}"))?;
    let kept = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    let change = s3.put_bucket_versioning().bucket(bucket);
    let change = change.versioning_configuration(kept).send().await;
    change.with_context(|| format!("asking {bucket} to keep versions"))?;
    Ok(())
}
