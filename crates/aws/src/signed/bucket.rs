//! Ports `Lister` and `Versioned`: a bucket of S3, by [`S3Client`].

use std::sync::Arc;

use async_trait::async_trait;
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::Marker;
use bridge_core::watched::{NoAnswer, Versioned, Versioning};
use bytes::Bytes;

use crate::signed::s3::S3Client;
use crate::signed::xml::texts;

/// One bucket.
#[derive(Debug, Clone)]
pub struct SignedBucket {
    client: Arc<S3Client>,
    bucket: String,
}

impl SignedBucket {
    /// The bucket of this name.
    #[must_use]
    pub fn new(client: Arc<S3Client>, bucket: String) -> Self {
        Self { client, bucket }
    }
}

#[async_trait]
impl Lister for SignedBucket {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        let version_id = marker.and_then(|marker| marker.version_id.as_deref());
        let key = marker.map(|marker| marker.key.as_str());
        let given = [
            ("key-marker", key),
            ("prefix", Some(prefix).filter(|prefix| !prefix.is_empty())),
            ("version-id-marker", version_id),
        ];
        let mut parameters = vec![("versions", ""), ("encoding-type", "url")];
        let given = given.into_iter();
        parameters.extend(given.filter_map(|(name, value)| Some((name, value?))));
        let page = self.client.get(&self.bucket, &parameters).await;
        page.map_err(|fault| ListError {
            kind: fault.kind,
            code: fault.code,
            message: fault.message,
        })
    }
}

#[async_trait]
impl Versioned for SignedBucket {
    async fn versioning(&self) -> Result<Versioning, NoAnswer> {
        let answer = self.client.get(&self.bucket, &[("versioning", "")]).await;
        let read = texts(&answer?, "VersioningConfiguration", ["Status"]);
        let [status] = read.ok_or_else(|| NoAnswer {
            is_refused: false,
            reason: "BadResponse: the answer is no VersioningConfiguration".to_owned(),
        })?;
        Ok(match status.as_deref() {
            Some("Enabled") => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
            None => Versioning::Never,
        })
    }
}
