//! Many object versions in little memory: numbers, and spans of one shared text.
//!
//! A page becomes one [`Listing`]: about 56 bytes a version beside its key, version id and entity
//! tag, no allocation a version. A key's text is kept once a page, however many versions follow.

use std::sync::Arc;

use crate::listing::version::{PlannedRef, VersionRef};
use crate::timestamp::Timestamp;

/// A part of a listing's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    length: u32,
}

impl Span {
    /// In place of a text that is not there.
    const NONE: Self = Self {
        start: u32::MAX,
        length: 0,
    };

    fn of(self, text: &str) -> &str {
        let start = self.start as usize;
        &text[start..start + self.length as usize]
    }
}

/// One version or delete marker; its texts are in the listing.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts, in the space of one number"
)]
pub struct Row {
    /// `LastModified`, raised where needed so that it never goes back within a key; as listed until it is
    /// ranked.
    pub effective_time: Timestamp,
    /// As listed.
    pub last_modified: Timestamp,
    /// The version's number within its key, oldest 0; 0 until it is ranked.
    pub rank: u32,
    /// Whether this entry hides all others of its key.
    pub is_latest: bool,
    /// Whether it is a delete marker.
    pub is_delete_marker: bool,
    /// Whether the page said so at all, rather than leaving `IsLatest` out.
    pub says_is_latest: bool,
    /// Whether the page gave a version id, rather than none or an empty one.
    pub says_version_id: bool,
    /// Bytes; `u64::MAX` where there is none.
    size: u64,
    key: Span,
    version_id: Span,
    e_tag: Span,
}

/// Versions and delete markers with the text they point into.
#[derive(Debug, Clone)]
pub struct Listing {
    text: Arc<str>,
    rows: Vec<Row>,
}

impl Listing {
    /// How many versions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Memory held, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len() + self.rows.capacity() * size_of::<Row>()
    }

    /// All rows, to be reordered or ranked.
    pub(super) fn rows_mut(&mut self) -> &mut Vec<Row> {
        &mut self.rows
    }

    /// The rows as they are.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The decoded key of a row of this listing.
    #[must_use]
    pub fn key_of(&self, row: &Row) -> &str {
        row.key.of(&self.text)
    }

    /// The key of row `index`.
    #[must_use]
    pub fn key(&self, index: usize) -> &str {
        self.key_of(&self.rows[index])
    }

    /// The key of the first row.
    #[must_use]
    pub fn first_key(&self) -> Option<&str> {
        self.rows.first().map(|row| self.key_of(row))
    }

    /// The key of the last row.
    #[must_use]
    pub fn last_key(&self) -> Option<&str> {
        self.rows.last().map(|row| self.key_of(row))
    }

    /// Whether two rows of this listing are of one key.
    #[must_use]
    pub fn same_key(&self, a: &Row, b: &Row) -> bool {
        a.key == b.key || self.key_of(a) == self.key_of(b)
    }

    /// The version id of a row of this listing.
    #[must_use]
    pub fn version_id_of(&self, row: &Row) -> &str {
        row.version_id.of(&self.text)
    }

    /// One row with its texts.
    #[must_use]
    pub fn get(&self, index: usize) -> PlannedRef<'_> {
        self.planned(&self.rows[index])
    }

    /// All rows with their texts.
    pub fn iter(&self) -> impl Iterator<Item = PlannedRef<'_>> {
        self.rows.iter().map(|row| self.planned(row))
    }

    /// A row of this listing with its texts.
    #[must_use]
    pub fn planned(&self, row: &Row) -> PlannedRef<'_> {
        PlannedRef {
            effective_time: row.effective_time,
            rank: u64::from(row.rank),
            version: VersionRef {
                key: self.key_of(row),
                version_id: row.version_id.of(&self.text),
                last_modified: row.last_modified,
                is_latest: row.is_latest,
                is_delete_marker: row.is_delete_marker,
                size: (row.size != u64::MAX).then_some(row.size),
                e_tag: (row.e_tag != Span::NONE).then(|| row.e_tag.of(&self.text)),
            },
        }
    }

    /// Cuts the rows from `at` on off; both parts share the text.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        Self {
            text: Arc::clone(&self.text),
            rows: self.rows.split_off(at),
        }
    }

    /// Keeps the rows that `keep` approves. What little is left of a page does not hold on to the
    /// page's whole text.
    pub fn retain(&mut self, mut keep: impl FnMut(&PlannedRef<'_>) -> bool) {
        let rows = std::mem::take(&mut self.rows);
        let before = rows.len();
        self.rows = rows
            .into_iter()
            .filter(|row| keep(&self.planned(row)))
            .collect();
        if self.rows.len() < before / 2 {
            let mut builder = Builder::default();
            for planned in self.iter() {
                let row = builder.push(planned.version);
                row.effective_time = planned.effective_time;
                row.rank = u32::try_from(planned.rank).unwrap_or(u32::MAX);
            }
            *self = builder.finish();
        }
    }
}

/// Collects versions into a listing.
#[derive(Debug, Default)]
pub struct Builder {
    text: String,
    rows: Vec<Row>,
}

impl Builder {
    /// With room for a page: `rows` versions and `bytes` of text.
    #[must_use]
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            rows: Vec::with_capacity(rows),
        }
    }

    /// Adds a version behind all others and hands it out to be ranked.
    pub fn push(&mut self, version: VersionRef<'_>) -> &mut Row {
        let key = match self.rows.last() {
            Some(last) if last.key.of(&self.text) == version.key => last.key,
            _ => self.add(version.key),
        };
        let row = Row {
            effective_time: version.last_modified,
            last_modified: version.last_modified,
            rank: 0,
            is_latest: version.is_latest,
            is_delete_marker: version.is_delete_marker,
            says_is_latest: true,
            says_version_id: true,
            size: version.size.unwrap_or(u64::MAX),
            key,
            version_id: self.add(version.version_id),
            e_tag: version.e_tag.map_or(Span::NONE, |e_tag| self.add(e_tag)),
        };
        self.rows.push(row);
        let last = self.rows.len() - 1;
        &mut self.rows[last]
    }

    /// A page is at most a few megabytes: see the parser's limit.
    fn add(&mut self, text: &str) -> Span {
        let span = Span {
            start: u32::try_from(self.text.len()).unwrap_or(u32::MAX),
            length: u32::try_from(text.len()).unwrap_or(u32::MAX),
        };
        self.text.push_str(text);
        span
    }

    /// The listing, with no room to spare.
    #[must_use]
    pub fn finish(mut self) -> Listing {
        self.rows.shrink_to_fit();
        Listing {
            text: self.text.into(),
            rows: self.rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version<'a>(key: &'a str, e_tag: Option<&'a str>) -> VersionRef<'a> {
        VersionRef {
            key,
            version_id: "v",
            last_modified: Timestamp(5),
            is_latest: true,
            is_delete_marker: e_tag.is_none(),
            size: e_tag.map(|_| 7),
            e_tag,
        }
    }

    #[test]
    fn what_goes_in_comes_out_and_a_key_is_kept_once() {
        let mut builder = Builder::default();
        for (key, e_tag) in [("a", Some("e1")), ("a", None), ("b", Some("e2"))] {
            builder.push(version(key, e_tag));
        }
        let listing = builder.finish();
        let versions: Vec<_> = listing.iter().map(|planned| planned.version).collect();
        let expected = [
            version("a", Some("e1")),
            version("a", None),
            version("b", Some("e2")),
        ];
        assert_eq!(versions, expected);
        assert_eq!(&*listing.text, "ave1vbve2");
    }

    #[test]
    fn what_little_is_kept_of_a_page_does_not_hold_its_text() {
        let mut builder = Builder::default();
        let keys: Vec<String> = (0..100).map(|i| format!("key/{i}")).collect();
        for key in &keys {
            builder.push(version(key, Some("tag")));
        }
        let mut listing = builder.finish();
        let before = listing.bytes();
        listing.retain(|planned| planned.version.key == "key/42");
        assert_eq!((listing.len(), listing.key(0)), (1, "key/42"));
        assert!(listing.bytes() < before / 50);
    }
}
