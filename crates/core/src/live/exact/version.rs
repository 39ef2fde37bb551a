//! The versions of one key, as the bucket lists them.

use serde::{Deserialize, Serialize};

use crate::event::{Change, Event, Source, digest};
use crate::listing::version::PlannedRef;
use crate::timestamp::Timestamp;

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// The id of versions without one.
pub(super) const NULL: &str = "null";

/// One version or delete marker of a key whose name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Version id.
    pub id: String,
    /// A delete marker.
    pub is_delete_marker: bool,
    /// As listed.
    pub last_modified: Timestamp,
    /// `LastModified`, raised where needed so that it never goes back within the key.
    pub effective_time: Timestamp,
    /// Without quotes.
    pub e_tag: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
}

/// What tells one version of a key from all others: a digest of id, kind, `LastModified` and eTag. The id
/// alone does not, since a `null` version is replaced in place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity(pub String);

impl Version {
    /// Of a row that has been ranked.
    #[must_use]
    pub fn of(row: &PlannedRef<'_>) -> Self {
        let version = row.version;
        Self {
            id: version.version_id.to_owned(),
            is_delete_marker: version.is_delete_marker,
            last_modified: version.last_modified,
            effective_time: row.effective_time,
            e_tag: version.e_tag.map(str::to_owned),
            size: version.size,
        }
    }

    /// What tells it from others.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let kind = if self.is_delete_marker { "m" } else { "v" };
        let tag = self.e_tag.as_deref().unwrap_or_default();
        let facts = format!("{}\n{kind}\n{}\n{tag}", self.id, self.last_modified.0);
        Identity(digest(&facts))
    }

    /// Whether it has no id of its own: it is there once, and replaced in place.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.id == NULL
    }

    /// Whether it was uploaded in parts. S3 lists such a version by the time when the upload began, so one
    /// that ends late appears below what came in between.
    /// Source: Amazon S3 User Guide, "Checking object integrity" (the eTag's dash).
    #[must_use]
    pub fn is_upload_in_parts(&self) -> bool {
        self.e_tag.as_deref().is_some_and(|tag| tag.contains('-'))
    }

    /// Whether its `LastModified` may be older than its coming: an upload in parts has the time when it
    /// began, a marker of a lifecycle rule the midnight before.
    #[must_use]
    pub fn is_dated_back(&self) -> bool {
        self.is_upload_in_parts() || (self.is_delete_marker && self.last_modified.0 % DAY == 0)
    }

    /// Whether a notification reports this version.
    #[must_use]
    pub fn is_reported_by(&self, event: &Event) -> bool {
        let is_same_content = match (&self.e_tag, &event.e_tag) {
            (Some(mine), Some(other)) => mine == other,
            _ => true,
        };
        let kind = if self.is_delete_marker {
            Change::Removed
        } else {
            Change::Created
        };
        self.id == event.version_id && event.change() == Some(kind) && is_same_content
    }

    /// The event that tells of it, where no notification does.
    #[must_use]
    pub fn event(&self, bucket: &str, key: &str) -> Event {
        let (change, name) = if self.is_delete_marker {
            (Change::Removed, "ObjectRemoved:DeleteMarkerCreated")
        } else {
            (Change::Created, "ObjectCreated:Put")
        };
        let id = self.id.as_str();
        Event {
            size: self.size,
            e_tag: self.e_tag.clone(),
            ..Event::new(
                Source::Realtime,
                bucket,
                key,
                id,
                (change, name),
                self.last_modified,
            )
        }
    }
}
