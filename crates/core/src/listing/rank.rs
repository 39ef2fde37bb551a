//! The bucket's own order within a key, recovered from its pages, and what follows from it.
//!
//! - [`by_key`]: a page's entries, each key's together; [`super::repeats`]: each once
//! - [`arrange`], [`arrange_chain`]: each key's newest first ([`super::ways`] finds how)
//! - [`rank`], [`rank_chain`]: numbers and effective times
//!
//! The order of a whole bucket is then by effective time, key (bytes) and rank. Here `a` was overwritten when the
//! server's clock had been put back, and `c` was written and removed within a second:
//!
//! ```
//! use bridge_core::listing::dialect::Dialect;
//! use bridge_core::listing::page::parse_page;
//! use bridge_core::listing::rank::{Arranged, arrange, by_key, rank};
//!
//! let entry = |kind: &str, key: &str, id: &str, latest: bool, second: u32| {
//!     format!(
//!         "<{kind}><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
//!          <LastModified>2024-05-01T12:00:{second:02}.000Z</LastModified></{kind}>"
//!     )
//! };
//! let document = [
//!     "<ListVersionsResult><IsTruncated>false</IsTruncated>",
//!     &entry("Version", "a", "a2", true, 5),
//!     &entry("Version", "a", "a1", false, 7),
//!     &entry("Version", "b", "b1", true, 6),
//!     &entry("DeleteMarker", "c", "c2", true, 8),
//!     &entry("Version", "c", "c1", false, 8),
//!     "</ListVersionsResult>",
//! ];
//! let mut listing = parse_page(document.concat().as_bytes())?.listing;
//! let (mut dialect, mut arranged) = (Dialect::default(), Arranged::default());
//! by_key(&mut listing, &mut dialect)?;
//! arrange(&mut listing, &mut dialect, &mut arranged)?;
//! rank(&mut listing);
//!
//! let mut rows: Vec<_> = listing.iter().collect();
//! rows.sort_by(|a, b| a.order_key().cmp(&b.order_key()));
//! let order: Vec<_> = rows.iter().map(|row| (row.version.version_id, row.rank)).collect();
//! assert_eq!(order, [("b1", 0), ("a1", 0), ("a2", 1), ("c1", 0), ("c2", 1)]);
//! assert_eq!(rows[2].effective_time, rows[1].effective_time, "raised from second 5 to 7");
//! # Ok::<(), bridge_core::listing::page::error::PageError>(())
//! ```

use crate::listing::dialect::Dialect;
use crate::listing::page::error::PageError;
use crate::listing::repeats::{copied, drop_repeats};
use crate::listing::rows::{Listing, Row};
use crate::listing::ways::{Doubt, Entry, Verdict, judge};
use crate::timestamp::Timestamp;

/// Puts each key's entries together, each entry once. Tells whether the page proves that keys were
/// ordered wrongly before.
///
/// # Errors
/// [`PageError::NoOrder`] when this page proves the opposite of another;
/// [`PageError::SameVersionId`].
pub fn by_key(listing: &mut Listing, dialect: &mut Dialect) -> Result<bool, PageError> {
    let pairs = listing.rows().windows(2);
    let back = |pair: &&[Row]| listing.key_of(&pair[0]) > listing.key_of(&pair[1]);
    let comes_back = pairs
        .clone()
        .find(back)
        .map(|pair| listing.key_of(&pair[1]).to_owned());
    let proof = if let Some(key) = comes_back {
        let mut rows = std::mem::take(listing.rows_mut());
        rows.sort_by(|a, b| listing.key_of(a).cmp(listing.key_of(b))); // stable
        *listing.rows_mut() = rows;
        drop_repeats(listing)?;
        Some((true, key))
    } else {
        drop_repeats(listing)?;
        let unknown = dialect.markers_apart.proven != Some(false);
        let key = unknown
            .then(|| key_with_both_kinds_mixed(listing))
            .flatten();
        key.map(|key| (false, key))
    };
    let Some((apart, key)) = proof else {
        return Ok(false);
    };
    (dialect.markers_apart.prove(apart)).map_err(|_| PageError::NoOrder {
        key,
        reason: "some pages list delete markers apart from versions, and others do not",
    })
}

/// A key with versions before and behind a marker, or the other way round: where markers are listed apart
/// there is none.
fn key_with_both_kinds_mixed(listing: &Listing) -> Option<String> {
    let mut changes = 0;
    for pair in listing.rows().windows(2) {
        if pair[0].is_delete_marker != pair[1].is_delete_marker {
            changes += 1;
        }
        if !listing.same_key(&pair[0], &pair[1]) {
            changes = 0;
        } else if changes == 2 {
            return Some(listing.key_of(&pair[0]).to_owned());
        }
    }
    None
}

/// What came of arranging keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arranged {
    /// Keys whose order is not sure, or not yet.
    pub doubts: Vec<(String, Doubt)>,
    /// Whether keys were ordered wrongly before: the scan must begin again.
    pub begin_again: bool,
}

/// Puts each key's entries newest first. All entries of each key are here, as the documents have
/// them. A key's newest entry is its latest, whatever was said or left out.
///
/// # Errors
/// [`PageError::NoOrder`] for a key that no way of listing explains.
pub fn arrange(
    listing: &mut Listing,
    dialect: &mut Dialect,
    arranged: &mut Arranged,
) -> Result<(), PageError> {
    let mut begin = 0;
    while begin < listing.len() {
        let rows = &listing.rows()[begin..];
        let count = rows
            .iter()
            .take_while(|row| listing.same_key(&rows[0], row))
            .count();
        let rows = &rows[..count];
        if count > 1 && !stands_as_it_is(rows.iter(), *dialect) {
            let entries: Vec<Entry> = rows.iter().map(Entry::of).collect();
            let key = listing.key_of(&rows[0]);
            if let Some(order) = decide(key, &entries, dialect, arranged)? {
                let rows: Vec<Row> = order.into_iter().map(|index| rows[index]).collect();
                listing.rows_mut()[begin..begin + count].copy_from_slice(&rows);
            }
        }
        for (index, row) in listing.rows_mut()[begin..begin + count]
            .iter_mut()
            .enumerate()
        {
            row.is_latest = index == 0;
        }
        begin += count;
    }
    Ok(())
}

/// The same for one key whose entries fill several listings, one behind the other.
///
/// # Errors
/// [`PageError::NoOrder`] when no way of listing explains them.
pub fn arrange_chain(
    parts: &mut Vec<Listing>,
    dialect: &mut Dialect,
    arranged: &mut Arranged,
) -> Result<(), PageError> {
    if let [only] = parts.as_mut_slice() {
        return arrange(only, dialect, arranged);
    }
    let rows = || parts.iter().flat_map(Listing::rows);
    if !stands_as_it_is(rows(), *dialect)
        && let Some(key) = parts.first().and_then(Listing::first_key)
    {
        let entries: Vec<Entry> = rows().map(Entry::of).collect();
        if let Some(order) = decide(key, &entries, dialect, arranged)? {
            let places: Vec<(&Listing, &Row)> = parts
                .iter()
                .flat_map(|listing| listing.rows().iter().map(move |row| (listing, row)))
                .collect();
            let listing = copied(order.into_iter().map(|index| places[index]));
            *parts = vec![listing];
        }
    }
    let rows = parts
        .iter_mut()
        .flat_map(|listing| listing.rows_mut().iter_mut());
    for (index, row) in rows.enumerate() {
        row.is_latest = index == 0;
    }
    Ok(())
}

/// Whether another page may prove that the markers of a key, whose entries are all here, are listed
/// otherwise than it is assumed.
pub fn depends_on_lists<'a>(rows: impl Iterator<Item = &'a Row> + Clone, dialect: Dialect) -> bool {
    if dialect.markers_apart.proven.is_some() || !has_both_kinds(rows.clone()) {
        return false;
    }
    let entries: Vec<Entry> = rows.map(Entry::of).collect();
    let mut dialect = dialect;
    let verdict = judge(&entries, &mut dialect);
    verdict.is_ok_and(|verdict| verdict.doubt.is_of_markers(dialect))
}

/// The quick answer for what S3 lists.
fn stands_as_it_is<'a>(rows: impl Iterator<Item = &'a Row> + Clone, dialect: Dialect) -> bool {
    let newest_first = dialect.oldest_first.proven == Some(false);
    newest_first
        && (dialect.markers_apart.proven == Some(false) || !has_both_kinds(rows.clone()))
        && (rows.clone().next().is_some_and(|row| row.is_latest)
            || !rows.clone().any(|row| row.is_latest))
}

/// Whether there are versions and delete markers.
fn has_both_kinds<'a>(mut rows: impl Iterator<Item = &'a Row>) -> bool {
    let first = rows.next().map(|row| row.is_delete_marker);
    rows.any(|row| Some(row.is_delete_marker) != first)
}

/// The order of a key's entries, newest first; `None` as they stand.
fn decide(
    key: &str,
    entries: &[Entry],
    dialect: &mut Dialect,
    arranged: &mut Arranged,
) -> Result<Option<Vec<usize>>, PageError> {
    let verdict = judge(entries, dialect).map_err(|reason| PageError::NoOrder {
        key: key.to_owned(),
        reason,
    })?;
    let Verdict {
        order,
        doubt,
        begin_again,
    } = verdict;
    if doubt != Doubt::default() {
        arranged.doubts.push((key.to_owned(), doubt));
    }
    arranged.begin_again |= begin_again;
    let stands = order
        .iter()
        .enumerate()
        .all(|(place, index)| place == *index);
    Ok((!stands).then_some(order))
}

/// Counts the versions of one key, oldest first.
#[derive(Default)]
struct Ranker {
    next: u32,
    latest: Option<Timestamp>,
}

impl Ranker {
    fn rank(&mut self, row: &mut Row) {
        row.rank = self.next;
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
