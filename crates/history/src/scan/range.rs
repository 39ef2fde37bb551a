//! A range of keys that is read page by page: which pages continue it, and what is still to come. No I/O.

use bridge_core::listing::page::Marker;
use bridge_core::listing::page::error::PageError;
use bridge_core::listing::rows::Listing;

use crate::plan::manifest::Range;
use crate::scan::assembly::{Assembled, Assembly, Order};
use crate::scan::split::RangeFacts;

/// A range in work.
#[derive(Debug)]
pub(super) struct OpenRange {
    /// Its number.
    pub(super) id: u64,
    /// What is still to come, all of it.
    pub(super) range: Range,
    /// Where its next page begins.
    pub(super) marker: Option<Marker>,
    /// The key that its last page ended in.
    assembly: Assembly,
    /// Whether a page of it has been asked for.
    pub(super) busy: bool,
    pages: u32,
    /// The first key of its last page that had any.
    page_began: String,
    /// The last key of that page.
    page_ended: String,
    /// That page held one key only.
    in_one_key: bool,
}

impl OpenRange {
    /// Nothing of it has been read yet.
    pub(super) fn new(id: u64, range: Range) -> Self {
        Self {
            id,
            marker: range.begin(),
            range,
            assembly: Assembly::default(),
            busy: false,
            pages: 0,
            page_began: String::new(),
            page_ended: String::new(),
            in_one_key: false,
        }
    }

    /// Memory held by versions that wait for the rest of their key, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.assembly.bytes()
    }

    /// Whether its last page ended amid a key.
    pub(super) fn is_in_a_key(&self) -> bool {
        self.assembly.is_in_a_key()
    }

    /// Whether one page of it has come.
    pub(super) fn is_at_its_first_page(&self) -> bool {
        self.pages == 1
    }

    /// Notes what a page shows of how its keys are spread.
    pub(super) fn learn(&mut self, listing: &Listing, repeats_marker_key: bool) {
        if let (Some(first), Some(last)) = (listing.first_key(), listing.last_key()) {
            self.in_one_key = first == last && !repeats_marker_key;
            first.clone_into(&mut self.page_began);
            last.clone_into(&mut self.page_ended);
        }
        self.pages += 1;
    }

    /// What the policy of cutting may know of it.
    pub(super) fn facts(&self) -> RangeFacts<'_> {
        RangeFacts {
            id: self.id,
            from: self.marker.as_ref().map(|marker| marker.key.as_str()),
            until: self.range.until.as_deref(),
            pages: self.pages,
            page_began: &self.page_began,
            page_ended: &self.page_ended,
            in_one_key: self.in_one_key,
            listed_again: self.assembly.is_listed_again(),
        }
    }

    /// Keeps the keys up to and including `at`, which lies in what it has still to read, and gives away the
    /// rest.
    pub(super) fn cut_off(&mut self, at: String) -> Range {
        Range {
            after: Some(at.clone()),
            until: self.range.until.replace(at),
        }
    }

    /// Drops what is not of this range. Tells whether the page went past its end.
    pub(super) fn trim(&self, listing: &mut Listing) -> bool {
        if let Some(after) = &self.range.after {
            // Some servers begin with the marker's own key.
            let begin = listing
                .rows()
                .partition_point(|row| listing.key_of(row) <= after.as_str());
            if begin > 0 {
                *listing = listing.split_off(begin);
            }
        }
        let Some(until) = &self.range.until else {
            return false;
        };
        let end = listing
            .rows()
            .partition_point(|row| listing.key_of(row) <= until.as_str());
        let past_the_end = end < listing.len();
        let _ = listing.split_off(end);
        past_the_end
    }

    /// Takes in a page's rows that are of this range; `past_the_end` if others stood behind them.
    ///
    /// # Errors
    /// [`PageError`] when the page does not continue from the one before, or its order makes no sense.
    pub(super) fn take_in(
        &mut self,
        listing: Listing,
        next: Option<Marker>,
        past_the_end: bool,
        order: &mut Order<'_>,
    ) -> Result<Taken, PageError> {
        let ends = match (&next, &self.range.until) {
            (None, _) => true,
            (Some(next), Some(until)) => past_the_end || next.key > *until,
            (Some(_), None) => false,
        };
        let complete = match (self.assembly).take_in(listing, next.as_ref(), ends, order)? {
            Assembled::Keys(complete) => complete,
            Assembled::ListAgain => {
                self.marker = self.range.begin();
                return Ok(Taken {
                    complete: Vec::new(),
                    ends: false,
                });
            }
        };
        if let Some(key) = complete.last().and_then(Listing::last_key) {
            self.range.after = Some(key.to_owned());
        }
        self.marker = next;
        Ok(Taken { complete, ends })
    }

    /// Whether a page that was to begin behind a key begins with the key.
    pub(super) fn is_repeated_by(&self, listing: &Listing) -> bool {
        self.marker.as_ref().is_some_and(|marker| {
            marker.version_id.is_none()
                && self.range.after.as_ref() == Some(&marker.key)
                && listing.first_key() == Some(&marker.key)
        })
    }

    /// Refuses a page that goes back behind its marker, or whose next marker is not ahead of it:
    /// such a server would be read for ever.
    pub(super) fn check_advance(
        &self,
        listing: &Listing,
        next: Option<&Marker>,
    ) -> Result<(), PageError> {
        let Some(marker) = &self.marker else {
            return Ok(());
        };
        let backwards = |after: &str| PageError::Backwards {
            before: marker.key.clone(),
            after: after.to_owned(),
        };
        if let Some(first) = listing.first_key().filter(|key| *key < marker.key.as_str()) {
            return Err(backwards(first));
        }
        match next {
            Some(next) if next.key < marker.key => Err(backwards(&next.key)),
            Some(next) if next == marker || (next.key == marker.key && listing.is_empty()) => {
                Err(PageError::NoAdvance {
                    key: next.key.clone(),
                    version_id: next.version_id.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// What a page came to.
pub(super) struct Taken {
    /// Whole keys, ranked, each key's versions newest first.
    pub(super) complete: Vec<Listing>,
    /// Nothing more is to come of the range.
    pub(super) ends: bool,
}
