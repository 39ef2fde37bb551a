//! The bucket's own order within a key, recovered from a page, and what follows from it.

use super::listing::{Listing, Row};
use crate::mistake::Mistake;
use crate::time::Millis;

/// A page's entries by key, each key's newest first.
///
/// Document order rules, as S3 lists a key's versions and delete markers newest first, whatever
/// their one-second timestamps say. Some servers list all markers after all versions; a page
/// proves that when a key comes back after another one began, or when a key's entry marked latest
/// is not its first. Then each key's two lists are merged by time.
pub fn put_newest_first(listing: &mut Listing) {
    if !lists_markers_apart(listing) {
        return;
    }
    let (markers, versions): (Vec<Row>, Vec<Row>) = std::mem::take(listing.rows_mut())
        .into_iter()
        .partition(|row| row.is_delete_marker);
    let mut merged = Vec::with_capacity(markers.len() + versions.len());
    let mut markers = markers.into_iter().peekable();
    let mut versions = versions.into_iter().peekable();
    loop {
        let marker_next = match (markers.peek(), versions.peek()) {
            (None, None) => break,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(marker), Some(version)) => comes_first(listing, marker, version),
        };
        merged.extend(if marker_next {
            markers.next()
        } else {
            versions.next()
        });
    }
    *listing.rows_mut() = merged;
}

/// Whether the marker stands before the version: by key; within a key the latest entry, else the
/// younger one, else the marker (a version put and deleted in one instant ends deleted).
fn comes_first(listing: &Listing, marker: &Row, version: &Row) -> bool {
    let keys = listing.key_of(marker).cmp(listing.key_of(version));
    if keys.is_ne() {
        return keys.is_lt();
    }
    if marker.is_latest || version.is_latest {
        return marker.is_latest;
    }
    marker.last_modified >= version.last_modified
}

fn lists_markers_apart(listing: &Listing) -> bool {
    listing.rows().windows(2).any(|pair| {
        if listing.same_key(&pair[0], &pair[1]) {
            pair[1].is_latest
        } else {
            listing.key_of(&pair[0]) > listing.key_of(&pair[1])
        }
    })
}

/// Counts the versions of one key, oldest first.
#[derive(Default)]
struct Ranker {
    next: u32,
    latest: Option<Millis>,
}

impl Ranker {
    fn rank(&mut self, row: &mut Row) {
        row.rank = if Mistake::TiesReversed.is_planted() {
            u32::MAX - self.next
        } else {
            self.next
        };
        row.effective_time = self
            .latest
            .map_or(row.last_modified, |latest| latest.max(row.last_modified));
        self.latest = Some(row.effective_time);
        self.next += 1;
    }
}

/// Gives rows their ranks and effective times. All versions of each key are here, newest first.
pub fn rank(listing: &mut Listing) {
    let mut ranker = Ranker::default();
    for index in (0..listing.len()).rev() {
        let rows = listing.rows();
        let key_begins = rows
            .get(index + 1)
            .is_some_and(|newer| !listing.same_key(&rows[index], newer));
        if key_begins {
            ranker = Ranker::default();
        }
        ranker.rank(&mut listing.rows_mut()[index]);
    }
}

/// The same for one key whose versions fill several listings, one behind the other.
pub fn rank_chain(parts: &mut [Listing]) {
    let mut ranker = Ranker::default();
    for part in parts.iter_mut().rev() {
        for row in part.rows_mut().iter_mut().rev() {
            ranker.rank(row);
        }
    }
}
