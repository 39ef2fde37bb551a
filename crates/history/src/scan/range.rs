//! A range of keys that is read page by page: which keys a page completes, and what is still to come. No I/O.

use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::page::Marker;
use bridge_core::listing::page::error::PageError;
use bridge_core::listing::rank::{
    Arranged, arrange, arrange_chain, depends_on_lists, rank, rank_chain,
};
use bridge_core::listing::repeats::Chain;
use bridge_core::listing::rows::Listing;

use crate::plan::manifest::Range;
use crate::scan::split::RangeFacts;

/// A range in work.
#[derive(Debug)]
pub struct OpenRange {
    /// Its number.
    pub id: u64,
    /// What is still to come, all of it.
    pub range: Range,
    /// Where its next page begins.
    pub marker: Option<Marker>,
    /// The versions so far of the key that its last page ended in, as the pages have them.
    chain: Chain,
    /// The same key as it was listed before, if it is listed again.
    first_telling: Option<Chain>,
    /// Whether a page of it has been asked for.
    pub busy: bool,
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
    #[must_use]
    pub fn new(id: u64, range: Range) -> Self {
        Self {
            id,
            marker: range.begin(),
            range,
            chain: Chain::default(),
            first_telling: None,
            busy: false,
            pages: 0,
            page_began: String::new(),
            page_ended: String::new(),
            in_one_key: false,
        }
    }

    /// Memory held by versions that wait for the rest of their key, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.chain.bytes() + self.first_telling.as_ref().map_or(0, Chain::bytes)
    }

    /// Whether its last page ended amid a key.
    #[must_use]
    pub fn is_in_a_key(&self) -> bool {
        self.chain.key().is_some()
    }

    /// Notes what a page shows of how its keys are spread.
    pub fn learn(&mut self, listing: &Listing, repeats_marker_key: bool) {
        if let (Some(first), Some(last)) = (listing.first_key(), listing.last_key()) {
            self.in_one_key = first == last && !repeats_marker_key;
            first.clone_into(&mut self.page_began);
            last.clone_into(&mut self.page_ended);
        }
        self.pages += 1;
    }

    /// What the policy of cutting may know of it.
    #[must_use]
    pub fn facts(&self) -> RangeFacts<'_> {
        RangeFacts {
            id: self.id,
            from: self.marker.as_ref().map(|marker| marker.key.as_str()),
            until: self.range.until.as_deref(),
            pages: self.pages,
            page_began: &self.page_began,
            page_ended: &self.page_ended,
            in_one_key: self.in_one_key,
            listed_again: self.first_telling.is_some(),
        }
    }

    /// Keeps what is before `at`, and gives away the rest. `at` lies in what it has still to read.
    pub fn cut_off(&mut self, at: String) -> Range {
        Range {
            after: Some(at.clone()),
            until: self.range.until.replace(at),
        }
    }

    /// Drops what is not of this range. Tells whether the page went past its end.
    pub fn trim(&self, listing: &mut Listing) -> bool {
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
    pub fn take_in(
        &mut self,
        listing: Listing,
        next: Option<Marker>,
        past_the_end: bool,
        order: &mut Order<'_>,
    ) -> Result<Taken, PageError> {
        let mut taken = Taken {
            complete: Vec::new(),
            ends: match (&next, &self.range.until) {
                (None, _) => true,
                (Some(next), Some(until)) => past_the_end || next.key > *until,
                (Some(_), None) => false,
            },
        };
        let rest = self.extend_chain(listing, next.as_ref())?;
        let key_ends = taken.ends || !rest.is_empty();
        if key_ends && self.must_be_told_again(*order.dialect) {
            self.first_telling = Some(std::mem::take(&mut self.chain));
            self.marker = self.range.begin();
            taken.ends = false;
            return Ok(taken);
        }
        if key_ends {
            self.complete_chain(&mut taken.complete, order)?;
        }
        self.begin_chain(rest, &mut taken.complete, order)?;
        if taken.ends {
            self.complete_chain(&mut taken.complete, order)?;
        }
        self.marker = next;
        Ok(taken)
    }

    /// Takes in what continues with the chain's key, and gives back the rest.
    fn extend_chain(
        &mut self,
        mut listing: Listing,
        next: Option<&Marker>,
    ) -> Result<Listing, PageError> {
        let begins_again = self
            .first_telling
            .as_ref()
            .and_then(|_| listing.first_key());
        let Some(key) = self.chain.key().or(begins_again) else {
            return Ok(listing);
        };
        let of_chain = listing
            .rows()
            .iter()
            .take_while(|row| listing.key_of(row) == key)
            .count();
        let rest = listing.split_off(of_chain);
        let is_new = listing.is_empty() || self.chain.push(listing);
        // A server that repeats what it has listed, and nothing else, would be read for ever.
        let stays =
            next.filter(|next| rest.is_empty() && !is_new && self.chain.key() == Some(&next.key));
        match stays {
            Some(next) => Err(PageError::NoAdvance {
                key: next.key.clone(),
                version_id: next.version_id.clone(),
            }),
            None => Ok(rest),
        }
    }

    /// Hands out the keys that the rows complete, all but the last, which begins a chain.
    fn begin_chain(
        &mut self,
        mut listing: Listing,
        complete: &mut Vec<Listing>,
        order: &mut Order<'_>,
    ) -> Result<(), PageError> {
        let Some(last) = listing.rows().last() else {
            return Ok(());
        };
        let of_last = listing
            .rows()
            .iter()
            .rev()
            .take_while(|row| listing.same_key(row, last))
            .count();
        let begun = listing.split_off(listing.len() - of_last);
        if let Some(key) = listing.last_key() {
            self.range.after = Some(key.to_owned());
            arrange(&mut listing, order.dialect, order.arranged)?;
            rank(&mut listing);
            complete.push(listing);
        }
        self.chain.push(begun);
        Ok(())
    }

    /// Whether a key's order depends on where its pages were cut: each may list its markers apart. Listed
    /// again from its first version on, it is cut where every scan cuts it, and most keys are on one page
    /// then, which proves it. On S3 hardly any key asks for it, since one with a version, a marker and a
    /// version on a page proves that they are listed together.
    fn must_be_told_again(&self, dialect: Dialect) -> bool {
        self.chain.is_cut()
            && self.first_telling.is_none()
            && depends_on_lists(self.chain.rows(), dialect)
    }

    /// All versions of the chain's key have come.
    fn complete_chain(
        &mut self,
        complete: &mut Vec<Listing>,
        order: &mut Order<'_>,
    ) -> Result<(), PageError> {
        if let Some(key) = self.chain.key().map(str::to_owned) {
            let first_telling = self.first_telling.take();
            if first_telling.is_some_and(|first| first.is_reordered(&self.chain))
                && order.dialect.markers_apart.proven.is_none()
            {
                let wrong_before = order.dialect.markers_apart.prove(true);
                order.arranged.begin_again |= wrong_before.unwrap_or_default();
            }
            self.range.after = Some(key);
            let mut parts = self.chain.take();
            arrange_chain(&mut parts, order.dialect, order.arranged)?;
            rank_chain(&mut parts);
            complete.append(&mut parts);
        }
        Ok(())
    }

    /// Whether a page that was to begin behind a key begins with the key.
    #[must_use]
    pub fn is_repeated_by(&self, listing: &Listing) -> bool {
        self.marker.as_ref().is_some_and(|marker| {
            marker.version_id.is_none()
                && self.range.after.as_ref() == Some(&marker.key)
                && listing.first_key() == Some(&marker.key)
        })
    }

    /// Refuses a page that goes back behind its marker, or whose next marker is not ahead of it:
    /// such a server would be read for ever.
    pub fn check_advance(&self, listing: &Listing, next: Option<&Marker>) -> Result<(), PageError> {
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
pub struct Taken {
    /// Whole keys, ranked, each key's versions newest first.
    pub complete: Vec<Listing>,
    /// Nothing more is to come of the range.
    pub ends: bool,
}

/// What is known of the server's order, and what came of it.
pub struct Order<'a> {
    /// What pages have proven.
    pub dialect: &'a mut Dialect,
    /// What is not sure.
    pub arranged: &'a mut Arranged,
}
