//! What has been listed and is in no run yet.

use bridge_core::listing::rows::Listing;
use bridge_core::listing::version::PlannedRef;
use bridge_core::timestamp::Timestamp;

use crate::plan::run::SortedRows;

/// Listings in any order, to be handed out sorted.
#[derive(Debug, Default)]
pub struct Buffer {
    listings: Vec<Listing>,
    rows: usize,
    bytes: usize,
}

/// Where a row is: its effective time, the listing's number and the row's number in it.
type Place = (Timestamp, u32, u32);

impl Buffer {
    /// Adds ranked rows.
    pub fn push(&mut self, listing: Listing) {
        if listing.is_empty() {
            return;
        }
        self.rows += listing.len();
        self.bytes += listing.bytes() + listing.len() * size_of::<Place>();
        self.listings.push(listing);
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listings.is_empty()
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Memory held, with what sorting will take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where the rows are, in the order of a plan.
    fn places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::with_capacity(self.rows);
        for (number, listing) in (0..).zip(&self.listings) {
            let rows = (0..).zip(listing.rows());
            places.extend(rows.map(|(index, row)| (row.effective_time, number, index)));
        }
        let row = |place: &Place| self.listings[place.1 as usize].get(place.2 as usize);
        places.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0)
                .then_with(|| row(a).order_key().cmp(&row(b).order_key()))
        });
        places
    }
}

impl SortedRows for Buffer {
    fn rows(&self) -> impl Iterator<Item = PlannedRef<'_>> {
        self.places()
            .into_iter()
            .map(|place| self.listings[place.1 as usize].get(place.2 as usize))
    }
}
