//! Entries that a server lists twice.
//!
//! On one page: counted once, if they are the same in what matters. On the next page of a key: Ceph
//! begins again with the key when the marker has no version id, other servers when the version of the
//! marker is gone meanwhile.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::listing::page::error::PageError;
use crate::listing::rows::{Builder, Listing, Row};

/// Up to so many versions of a key on a page are compared each with each.
const FEW: usize = 8;

/// Drops entries that repeat one of their key on the same page. A key's entries stand together.
///
/// # Errors
/// [`PageError::SameVersionId`] when they differ: then the ids say nothing.
pub fn drop_repeats(listing: &mut Listing) -> Result<(), PageError> {
    let mut repeated = Vec::new();
    let mut begin = 0;
    while begin < listing.len() {
        let rows = &listing.rows()[begin..];
        let of_key = rows
            .iter()
            .take_while(|row| listing.same_key(&rows[0], row))
            .count();
        if of_key > 1 {
            find_repeats(listing, begin, of_key, &mut repeated)?;
        }
        begin += of_key;
    }
    if !repeated.is_empty() {
        let mut number = 0;
        listing.rows_mut().retain(|_| {
            number += 1;
            !repeated.contains(&(number - 1))
        });
    }
    Ok(())
}

/// The rows from `begin` on, `count` of one key, that repeat an earlier one.
fn find_repeats(
    listing: &Listing,
    begin: usize,
    count: usize,
    repeated: &mut Vec<usize>,
) -> Result<(), PageError> {
    let rows = &listing.rows()[begin..begin + count];
    let id = |row: &Row| listing.version_id_of(row);
    let mut first_with: HashMap<&str, usize> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let earlier = if count <= FEW {
            rows[..index].iter().position(|other| id(other) == id(row))
        } else {
            let first = *first_with.entry(id(row)).or_insert(index);
            (first != index).then_some(first)
        };
        let Some(earlier) = earlier else { continue };
        if !is_same(listing, &rows[earlier], listing, row) {
            return Err(PageError::SameVersionId {
                key: listing.key_of(row).to_owned(),
                version_id: id(row).to_owned(),
            });
        }
        repeated.push(begin + index);
    }
    Ok(())
}

/// Whether two entries of one key and id report one version. Whether it is the latest may change.
fn is_same(listing: &Listing, row: &Row, other_listing: &Listing, other: &Row) -> bool {
    row.is_delete_marker == other.is_delete_marker
        && row.last_modified == other.last_modified
        && listing.planned(row).version.e_tag == other_listing.planned(other).version.e_tag
}

/// The versions of one key as they come, page by page, each once and in its place.
#[derive(Debug, Default)]
pub struct Chain {
    parts: Vec<Listing>,
    /// Pages that it came in.
    pages: u32,
    /// Hashes of the version ids that have come; made when a second page has to be compared.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Chain {
    /// The key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.parts.first().and_then(Listing::first_key)
    }

    /// Memory held, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let parts: usize = self.parts.iter().map(Listing::bytes).sum();
        parts + self.seen.capacity() * size_of::<u64>()
    }

    /// Whether a page ended amid the key.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.pages > 1
    }

    /// The versions in the order of the documents.
    pub fn rows(&self) -> impl Iterator<Item = &Row> + Clone {
        self.parts.iter().flat_map(Listing::rows)
    }

    /// Whether the other has the same versions in another order. `null` may be another version after an
    /// overwrite, so with one of these nothing is said.
    #[must_use]
    pub fn is_reordered(&self, other: &Self) -> bool {
        let (mut mine, mut others) = (self.version_ids(), other.version_ids());
        if mine == others || mine.contains(&"null") {
            return false;
        }
        mine.sort_unstable();
        others.sort_unstable();
        mine == others
    }

    fn version_ids(&self) -> Vec<&str> {
        let rows = self
            .parts
            .iter()
            .flat_map(|part| part.rows().iter().map(move |row| (part, row)));
        rows.map(|(part, row)| part.version_id_of(row)).collect()
    }

    /// Takes in what the next page has of the key. Tells whether anything of it was new.
    pub fn push(&mut self, part: Listing) -> bool {
        self.pages += 1;
        if self.parts.is_empty() {
            self.parts.push(part);
            return true;
        }
        if self.seen.is_empty() {
            let first = hashes(&self.hasher, &self.parts[0]);
            self.seen.extend(first);
        }
        let hashes = hashes(&self.hasher, &part);
        // Equal hashes of different ids do no harm: they are looked at.
        let may_repeat = hashes.iter().any(|hash| self.seen.contains(hash));
        self.seen.extend(hashes);
        if may_repeat {
            return self.merge(&part);
        }
        self.parts.push(part);
        true
    }

    /// All versions, in the order of the documents.
    #[must_use]
    pub fn take(&mut self) -> Vec<Listing> {
        std::mem::take(self).parts
    }

    /// Puts what is new in `part` where it belongs: before a repeated entry that follows it, or
    /// behind all others. A `null` version that was replaced meanwhile is another version.
    fn merge(&mut self, part: &Listing) -> bool {
        let old: Vec<(&Listing, &Row)> = self
            .parts
            .iter()
            .flat_map(|listing| listing.rows().iter().map(move |row| (listing, row)))
            .collect();
        let mut places: HashMap<&str, Vec<usize>> = HashMap::with_capacity(old.len());
        for (place, (listing, row)) in old.iter().enumerate() {
            places
                .entry(listing.version_id_of(row))
                .or_default()
                .push(place);
        }
        let repeats = |row: &Row| {
            let places = places.get(part.version_id_of(row))?;
            let is_it = |place: &&usize| {
                let (listing, other) = old[**place];
                part.version_id_of(row) != "null" || is_same(listing, other, part, row)
            };
            places.iter().find(is_it).copied()
        };
        let mut merged: Vec<(&Listing, &Row)> = Vec::with_capacity(old.len() + part.len());
        let mut taken = 0;
        let mut waiting = Vec::new();
        let mut any_new = false;
        for row in part.rows() {
            let Some(place) = repeats(row) else {
                any_new = true;
                waiting.push((part, row));
                continue;
            };
            // What has been waiting stands before this entry.
            merged.extend(&old[taken.min(place)..place]);
            merged.append(&mut waiting);
            taken = taken.max(place);
        }
        merged.extend(&old[taken..]);
        merged.append(&mut waiting);
        if any_new {
            self.parts = vec![copied(merged)];
        }
        any_new
    }
}

fn hashes(hasher: &RandomState, listing: &Listing) -> Vec<u64> {
    let ids = listing.rows().iter().map(|row| listing.version_id_of(row));
    ids.map(|id| hasher.hash_one(id)).collect()
}

/// A listing of its own of rows from several.
#[must_use]
pub fn copied<'a>(rows: impl IntoIterator<Item = (&'a Listing, &'a Row)>) -> Listing {
    let mut builder = Builder::default();
    for (listing, row) in rows {
        let copy = builder.push(listing.planned(row).version);
        copy.says_is_latest = row.says_is_latest;
        copy.says_version_id = row.says_version_id;
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::version::VersionRef;
    use crate::timestamp::Timestamp;

    /// A key's versions, a page each text.
    fn chain(pages: [&[&str]; 2]) -> Chain {
        let mut chain = Chain::default();
        for page in pages {
            let mut builder = Builder::default();
            for version_id in page {
                builder.push(VersionRef {
                    key: "k",
                    version_id,
                    last_modified: Timestamp(0),
                    is_latest: false,
                    is_delete_marker: false,
                    size: None,
                    e_tag: None,
                });
            }
            chain.push(builder.finish());
        }
        chain
    }

    #[test]
    fn only_the_same_versions_in_another_order_are_reordered() {
        let first = chain([&["a", "b"], &["c", "d"]]);
        for (pages, is_reordered) in [
            ([&["a", "c"][..], &["b", "d"][..]], true),
            ([&["a"], &["b", "c", "d"]], false),
            ([&["a", "c"], &["b", "e"]], false),
            ([&["a", "c"], &["b"]], false),
        ] {
            let again = chain(pages);
            assert_eq!(first.is_reordered(&again), is_reordered, "{pages:?}");
        }
        let overwritten = chain([&["a", "null"], &["c"]]);
        assert!(!overwritten.is_reordered(&chain([&["a", "c"], &["null"]])));
    }
}
