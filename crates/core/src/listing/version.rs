//! One entry of `ListObjectVersions`, and its place in the order of a whole bucket.

use crate::event::{Change, Event, Source};
use crate::timestamp::Timestamp;

/// Bytes of a key, a version id or an entity tag, at most. S3's keys and version ids have 1,024; a plan's
/// pages of 512 such texts stay far below what its reader allows (docs/ARCHITECTURE.md, "Plan").
/// Source: Amazon S3 User Guide, "Naming Amazon S3 objects".
pub const MOST_TEXT: usize = 8 * 1024;

/// A version or a delete marker, as the bucket lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Decoded key.
    pub key: String,
    /// Version id; `null` for objects from before versioning.
    pub version_id: String,
    /// As listed: one-second resolution on S3.
    pub last_modified: Timestamp,
    /// Whether this entry hides all others of its key.
    pub is_latest: bool,
    /// Delete markers have no size and no entity tag.
    pub is_delete_marker: bool,
    /// Bytes.
    pub size: Option<u64>,
    /// Without quotes.
    pub e_tag: Option<String>,
}

/// An [`ObjectVersion`] whose texts are elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRef<'a> {
    /// Decoded key.
    pub key: &'a str,
    /// Version id; `null` for objects from before versioning.
    pub version_id: &'a str,
    /// As listed: one-second resolution on S3.
    pub last_modified: Timestamp,
    /// Whether this entry hides all others of its key.
    pub is_latest: bool,
    /// Delete markers have no size and no entity tag.
    pub is_delete_marker: bool,
    /// Bytes.
    pub size: Option<u64>,
    /// Without quotes.
    pub e_tag: Option<&'a str>,
}

/// One row of a plan: an object version with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedVersion {
    /// `LastModified`, raised where needed so that it never goes back within a key.
    pub effective_time: Timestamp,
    /// The version's number within its key, oldest 0.
    pub rank: u64,
    /// What was listed.
    pub version: ObjectVersion,
}

/// A [`PlannedVersion`] whose texts are elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedRef<'a> {
    /// `LastModified`, raised where needed so that it never goes back within a key.
    pub effective_time: Timestamp,
    /// The version's number within its key, oldest 0.
    pub rank: u64,
    /// What was listed.
    pub version: VersionRef<'a>,
}

impl<'a> PlannedRef<'a> {
    /// The order without cloning the key.
    #[must_use]
    pub fn order_key(&self) -> (Timestamp, &'a str, u64) {
        (self.effective_time, self.version.key, self.rank)
    }

    /// Created, or removed by a delete marker.
    #[must_use]
    pub fn change(&self) -> Change {
        if self.version.is_delete_marker {
            Change::Removed
        } else {
            Change::Created
        }
    }
}

impl PlannedVersion {
    /// The same, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> PlannedRef<'_> {
        let version = &self.version;
        PlannedRef {
            effective_time: self.effective_time,
            rank: self.rank,
            version: VersionRef {
                key: &version.key,
                version_id: &version.version_id,
                last_modified: version.last_modified,
                is_latest: version.is_latest,
                is_delete_marker: version.is_delete_marker,
                size: version.size,
                e_tag: version.e_tag.as_deref(),
            },
        }
    }

    /// The order without cloning the key.
    #[must_use]
    pub fn order_key(&self) -> (Timestamp, &str, u64) {
        (self.effective_time, &self.version.key, self.rank)
    }

    /// The event that reports this version as number `sequence` of `job_id`.
    ///
    /// A listing does not say how a version came to be (put, copy, multipart upload), so every
    /// creation is called `ObjectCreated:Put`.
    #[must_use]
    pub fn into_event(self, bucket: &str, job_id: &str, sequence: u64) -> Event {
        let change = self.borrowed().change();
        let version = self.version;
        let name = if version.is_delete_marker {
            "ObjectRemoved:DeleteMarkerCreated"
        } else {
            "ObjectCreated:Put"
        };
        Event {
            size: version.size,
            e_tag: version.e_tag,
            is_latest: Some(version.is_latest),
            job_id: Some(job_id.to_owned()),
            sequence: Some(sequence),
            ..Event::new(
                Source::Reseed,
                bucket,
                version.key,
                version.version_id,
                (change, name),
                version.last_modified,
            )
        }
    }
}
