//! Why a scan cannot continue.

use bridge_core::failure::{Failure, FailureKind};
use bridge_core::listing::page::error::PageError;

use crate::plan::store::PlanError;
use bridge_core::listing::lister::ListError;

/// Why a scan cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The server's refusal.
    #[error("listing bucket {bucket} after {marker}: {error}")]
    List {
        /// The bucket.
        bucket: String,
        /// Where the page would have begun.
        marker: String,
        /// The reason.
        error: ListError,
    },
    /// A page that cannot be trusted.
    #[error("listing bucket {bucket} after {marker}: {error}")]
    Page {
        /// The bucket.
        bucket: String,
        /// Where the page began.
        marker: String,
        /// The reason.
        error: PageError,
    },
    /// Nothing proves the order of a key, and a guess was not wanted.
    #[error(
        "listing bucket {bucket}: the order of key {key:?} cannot be told, since this server lists delete \
         markers apart from versions and one of each has the same time; without --refuse-ambiguous \
         (refuseAmbiguous) it is sent in the likeliest order and counted"
    )]
    Ambiguous {
        /// The bucket.
        bucket: String,
        /// The first such key that was found.
        key: String,
    },
    /// A run or manifest that could not be written, or whose commit was refused.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Failure for ScanError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::List { error, .. } => error.kind(),
            Self::Page { error, .. } => error.kind(),
            Self::Ambiguous { .. } => FailureKind::Permanent,
            Self::Plan(error) => error.kind(),
        }
    }
}
