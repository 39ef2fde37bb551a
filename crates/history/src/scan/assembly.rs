//! Whole keys out of pages that end amid one. No I/O.

use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::page::Marker;
use bridge_core::listing::page::error::PageError;
use bridge_core::listing::rank::{
    Arranged, arrange, arrange_chain, depends_on_lists, rank, rank_chain,
};
use bridge_core::listing::repeats::Chain;
use bridge_core::listing::rows::Listing;

/// The key that the last page ended in: its versions wait for the rest.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// Its versions so far, as the pages have them.
    chain: Chain,
    /// The same key as it was listed before, if it is listed again.
    first_listing: Option<Chain>,
}

/// What a page came to.
pub(super) enum Assembled {
    /// Whole keys, ranked, each key's versions newest first.
    Keys(Vec<Listing>),
    /// None yet: the waiting key is to be listed once more from its first version on.
    ListAgain,
}

/// What is known of the server's order, and what came of it.
pub(super) struct Order<'a> {
    /// What pages have proven.
    pub(super) dialect: &'a mut Dialect,
    /// What is not sure.
    pub(super) arranged: &'a mut Arranged,
}

impl Assembly {
    /// Memory held by versions that wait, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.chain.bytes() + self.first_listing.as_ref().map_or(0, Chain::bytes)
    }

    /// Whether a key waits for its rest.
    pub(super) fn is_in_a_key(&self) -> bool {
        self.chain.key().is_some()
    }

    /// Whether the key has been listed before.
    pub(super) fn is_listed_again(&self) -> bool {
        self.first_listing.is_some()
    }

    /// Takes in a page's rows; `next` is where the page behind it begins, `ends` whether none of it is
    /// wanted.
    ///
    /// # Errors
    /// [`PageError`] when the page says nothing new and would be asked for again, or its order makes no
    /// sense.
    pub(super) fn take_in(
        &mut self,
        listing: Listing,
        next: Option<&Marker>,
        ends: bool,
        order: &mut Order<'_>,
    ) -> Result<Assembled, PageError> {
        let rest = self.extend_chain(listing, next)?;
        let key_ends = ends || !rest.is_empty();
        if key_ends && self.must_be_listed_again(*order.dialect) {
            self.first_listing = Some(std::mem::take(&mut self.chain));
            return Ok(Assembled::ListAgain);
        }
        let mut complete = Vec::new();
        if key_ends {
            self.complete_chain(&mut complete, order)?;
        }
        self.begin_chain(rest, &mut complete, order)?;
        if ends {
            self.complete_chain(&mut complete, order)?;
        }
        Ok(Assembled::Keys(complete))
    }

    /// Takes in what continues with the chain's key, and gives back the rest.
    fn extend_chain(
        &mut self,
        mut listing: Listing,
        next: Option<&Marker>,
    ) -> Result<Listing, PageError> {
        let begins_again = self
            .first_listing
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
        if !listing.is_empty() {
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
    fn must_be_listed_again(&self, dialect: Dialect) -> bool {
        self.chain.is_cut()
            && self.first_listing.is_none()
            && depends_on_lists(self.chain.rows(), dialect)
    }

    /// All versions of the chain's key have come.
    fn complete_chain(
        &mut self,
        complete: &mut Vec<Listing>,
        order: &mut Order<'_>,
    ) -> Result<(), PageError> {
        if !self.is_in_a_key() {
            return Ok(());
        }
        let first_listing = self.first_listing.take();
        if first_listing.is_some_and(|first| first.is_reordered(&self.chain))
            && order.dialect.markers_apart.proven.is_none()
        {
            let wrong_before = order.dialect.markers_apart.prove(true);
            order.arranged.begin_again |= wrong_before.unwrap_or_default();
        }
        let mut parts = self.chain.take();
        arrange_chain(&mut parts, order.dialect, order.arranged)?;
        rank_chain(&mut parts);
        complete.append(&mut parts);
        Ok(())
    }
}
