//! Why a document is no page, or a page cannot be trusted.

use crate::failure::{Failure, FailureKind};

/// Why a document is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not UTF-8, not XML, or cut short.
    #[error("the listing is not a whole XML document: {0}")]
    NotXml(String),
    /// More than any listing has.
    #[error("the document has {0} bytes; no listing has so many")]
    TooLong(usize),
    /// Another document, such as an error message with status 200.
    #[error("the server answered with a <{0}> document instead of a listing")]
    NotAListing(String),
    /// A missing or unreadable fact.
    #[error("{element} of entry {entry} ({key:?}): {reason}")]
    BadEntry {
        /// Which element.
        element: &'static str,
        /// Number of the entry in the page, from 1.
        entry: usize,
        /// The entry's key as far as known.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A page that is not clearly the last must say where to continue, by its entries or a marker.
    #[error(
        "the page does not say that it is the last (IsTruncated: {is_truncated}), but has no entry \
         and no NextKeyMarker to continue from"
    )]
    NoNextMarker {
        /// What it says.
        is_truncated: String,
    },
    /// Keys that the server sums up instead of listing them, though nobody asked for it.
    #[error(
        "the server hides keys behind the common prefix {prefix:?}, though no delimiter was asked for: \
         their versions cannot be listed"
    )]
    CommonPrefix {
        /// What the hidden keys begin with.
        prefix: String,
    },
    /// One version id for different versions: nothing tells them apart, nor puts them in order.
    #[error(
        "key {key:?} has two different entries with version id {version_id:?}: \
         this server's version ids do not tell versions apart"
    )]
    SameVersionId {
        /// The key.
        key: String,
        /// The id; `null` where there is none.
        version_id: String,
    },
    /// No way of listing versions explains what the server says.
    #[error("key {key:?} is listed in no order that makes sense: {reason}")]
    NoOrder {
        /// The key.
        key: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// Listing on would never end.
    #[error("the next page would begin at {key:?} (version {version_id:?}) again")]
    NoAdvance {
        /// The repeated key marker.
        key: String,
        /// The repeated version marker.
        version_id: Option<String>,
    },
    /// Keys of one kind of entry must ascend.
    #[error("keys go backwards: {after:?} comes after {before:?}")]
    Backwards {
        /// The earlier, larger key.
        before: String,
        /// The later, smaller key.
        after: String,
    },
}

impl PageError {
    pub(super) fn not_xml(error: impl ToString) -> Self {
        Self::NotXml(error.to_string())
    }
}

impl Failure for PageError {
    /// The same page may come whole the next time if it was cut short, or something else came in its
    /// place. What a whole page says does not change by asking again.
    fn kind(&self) -> FailureKind {
        match self {
            Self::NotXml(_) | Self::TooLong(_) | Self::NotAListing(_) => FailureKind::Transient,
            _ => FailureKind::Permanent,
        }
    }
}
