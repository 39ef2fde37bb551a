//! The bucket's own order within a key, recovered from a page, and what follows from it.

use crate::time::Millis;
use crate::version::{ObjectVersion, PlannedVersion};

/// A page's entries by key, each key's newest first.
///
/// Document order rules, as S3 lists a key's versions and delete markers newest first, whatever
/// their one-second timestamps say. Some servers list all markers after all versions; a page
/// proves that when a key comes back after another one began, or when a key's entry marked latest
/// is not its first. Then each key's two lists are merged by time.
#[must_use]
pub fn newest_first(entries: Vec<ObjectVersion>) -> Vec<ObjectVersion> {
    if !lists_markers_apart(&entries) {
        return entries;
    }
    let (markers, versions): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|e| e.is_delete_marker);
    let mut merged = Vec::with_capacity(markers.len() + versions.len());
    let mut markers = markers.into_iter().peekable();
    let mut versions = versions.into_iter().peekable();
    loop {
        let marker_next = match (markers.peek(), versions.peek()) {
            (None, None) => return merged,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(marker), Some(version)) => comes_first(marker, version),
        };
        merged.extend(if marker_next {
            markers.next()
        } else {
            versions.next()
        });
    }
}

/// Whether the marker stands before the version: by key; within a key the latest entry, else the
/// younger one, else the marker (a version put and deleted in one instant ends deleted).
fn comes_first(marker: &ObjectVersion, version: &ObjectVersion) -> bool {
    if marker.key != version.key {
        return marker.key < version.key;
    }
    if marker.is_latest || version.is_latest {
        return marker.is_latest;
    }
    marker.last_modified >= version.last_modified
}

fn lists_markers_apart(entries: &[ObjectVersion]) -> bool {
    entries
        .windows(2)
        .any(|pair| pair[0].key > pair[1].key || (pair[0].key == pair[1].key && pair[1].is_latest))
}

/// Ranks and effective times of all of one key's versions, given newest first; oldest first out.
#[must_use]
pub fn rank(newest_first: Vec<ObjectVersion>) -> Vec<PlannedVersion> {
    let mut effective_time = Millis(i64::MIN);
    (0..)
        .zip(newest_first.into_iter().rev())
        .map(|(rank, version)| {
            effective_time = effective_time.max(version.last_modified);
            PlannedVersion {
                effective_time,
                rank,
                version,
            }
        })
        .collect()
}
