//! Port: a versioned bucket.

use crate::failure::{Failure, FailureKind};
use crate::listing::page::Marker;
use async_trait::async_trait;
use bytes::Bytes;

/// Port: a versioned bucket.
#[async_trait]
pub trait Lister: Send + Sync {
    /// One page of `ListObjectVersions` as the response document, with `encoding-type=url` asked for: of the
    /// keys that begin with `prefix` (not encoded; empty for all), from behind `marker` on, or from the
    /// first. One request: the scan asks again.
    ///
    /// # Errors
    /// [`ListError`], whose kind says whether to ask again, and whether to slow down first.
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError>;
}

/// Why a page was unavailable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ListError {
    /// Whether to ask again.
    pub kind: FailureKind,
    /// S3's error code.
    pub code: String,
    /// S3's message.
    pub message: String,
}

impl Failure for ListError {
    fn kind(&self) -> FailureKind {
        self.kind
    }
}
