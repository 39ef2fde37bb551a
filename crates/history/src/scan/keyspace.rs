//! The keyspace cut into ranges that are listed at the same time, each with its cursor. No I/O.
//!
//! A range is cut in two while it is read: the first part keeps its lister, the rest gets another
//! ([`super::split`] decides which, and where). So idle listers take over half of the busiest one's rest, and
//! nobody needs to know beforehand how keys are spread.

use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::page::error::PageError;
use bridge_core::listing::page::{Marker, Page};
use bridge_core::listing::rank::{Arranged, by_key};
use bridge_core::listing::rows::Listing;
use bridge_core::listing::ways::Doubt;

use crate::plan::manifest::Range;
use crate::scan::assembly::Order;
use crate::scan::range::{OpenRange, Taken};
use crate::scan::split::SplitPolicy;

/// A page to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// To hand the page back with.
    pub range: u64,
    /// Where it begins; `None` at the beginning of the bucket (or prefix).
    pub marker: Option<Marker>,
}

/// All ranges of a scan.
#[derive(Debug)]
pub struct Keyspace {
    /// Those of which something is still to be listed.
    open: Vec<OpenRange>,
    next_id: u64,
    policy: SplitPolicy,
    /// Bytes of versions that wait for the rest of their key.
    waiting_bytes: usize,
    dialect: Dialect,
    arranged: Arranged,
}

impl Keyspace {
    /// Continues with the ranges of a checkpoint; a new scan has one range without ends. `dialect` is what
    /// the pages before have proven.
    #[must_use]
    pub fn new(ranges: Vec<Range>, dialect: Dialect) -> Self {
        let mut keyspace = Self {
            open: Vec::new(),
            next_id: 0,
            policy: SplitPolicy::default(),
            waiting_bytes: 0,
            dialect,
            arranged: Arranged::default(),
        };
        for range in ranges {
            keyspace.add(range);
        }
        keyspace
    }

    fn add(&mut self, range: Range) {
        self.open.push(OpenRange::new(self.next_id, range));
        self.next_id += 1;
    }

    /// The next page to ask for: of a range that waits, or of the rest cut off a busy one. `idle` listers have
    /// nothing to do, the one who asks among them: a range is cut for all of them at once.
    pub fn next_request(&mut self, idle: usize) -> Option<PageRequest> {
        if self.open.iter().all(|o| o.busy) {
            self.cut_one(idle);
        }
        let open = self.open.iter_mut().find(|o| !o.busy)?;
        open.busy = true;
        Some(PageRequest {
            range: open.id,
            marker: open.marker.clone(),
        })
    }

    /// Bytes of versions that are held until the rest of their key has come.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Cuts a range as the policy says, if it does.
    fn cut_one(&mut self, idle: usize) {
        let ranges = self.open.iter().map(OpenRange::facts);
        let repeats_marker_key = self.dialect.repeats_marker_key;
        let Some(split) = (self.policy).choose(ranges, idle, repeats_marker_key) else {
            return;
        };
        // From the last place to the first: each takes the end of what is left.
        for at in split.points.into_iter().rev() {
            if let Some(open) = self.open.iter_mut().find(|o| o.id == split.range) {
                let rest = open.cut_off(at);
                self.add(rest);
            }
        }
    }

    /// A page that was unavailable will be asked for again.
    pub fn give_back(&mut self, range: u64) {
        if let Some(open) = self.open.iter_mut().find(|o| o.id == range) {
            open.busy = false;
        }
    }

    /// Takes in a page and hands out the keys it completes, ranked: whole keys, each key's versions
    /// newest first. When it then [must begin again](Self::must_begin_again), what was handed out is void.
    ///
    /// # Errors
    /// [`PageError`] when the page does not continue from its marker, or its order makes no sense.
    pub fn accept(&mut self, range: u64, page: Page) -> Result<Vec<Listing>, PageError> {
        let Some(index) = self.open.iter().position(|o| o.id == range) else {
            return Ok(Vec::new());
        };
        let open = &mut self.open[index];
        let Page { mut listing, next } = page;
        self.arranged.begin_again |= by_key(&mut listing, &mut self.dialect)?;
        open.check_advance(&listing, next.as_ref())?;
        open.busy = false;
        let repeats_marker_key = open.is_repeated_by(&listing);
        self.dialect.repeats_marker_key |= repeats_marker_key;
        let marker = open.marker.as_ref().map(|marker| marker.key.as_str());
        self.policy.learn(marker, &listing);
        open.learn(&listing, repeats_marker_key);
        self.waiting_bytes -= open.bytes();
        let past_the_end = open.trim(&mut listing);
        self.policy
            .count(listing.is_empty(), open.is_at_its_first_page());
        let mut order = Order {
            dialect: &mut self.dialect,
            arranged: &mut self.arranged,
        };
        let Taken { complete, ends } = open.take_in(listing, next, past_the_end, &mut order)?;
        self.waiting_bytes += open.bytes();
        if ends {
            self.open.swap_remove(index);
        } else if repeats_marker_key && !open.is_in_a_key() {
            self.give_to_neighbour(index);
        }
        Ok(complete)
    }

    /// A range that was cut off behind a key and begins with all its versions again is left to who
    /// lists the key.
    fn give_to_neighbour(&mut self, index: usize) {
        let Range { after, until } = self.open[index].range.clone();
        let lists_key = |open: &OpenRange| open.range.until == after && after.is_some();
        if let Some(neighbour) = self.open.iter_mut().find(|open| lists_key(open)) {
            neighbour.range.until = until;
            self.open.swap_remove(index);
        }
    }

    /// Whether all is listed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// What the pages have proven so far.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Keys completed since the last call whose order is not sure, or not yet.
    pub fn take_doubts(&mut self) -> Vec<(String, Doubt)> {
        std::mem::take(&mut self.arranged.doubts)
    }

    /// Whether a page has proven that keys handed out before were ordered wrongly.
    #[must_use]
    pub fn must_begin_again(&self) -> bool {
        self.arranged.begin_again
    }

    /// Begins again with these ranges; only what was proven is kept. Pages on their way are ignored when
    /// they come.
    pub fn begin_again(&mut self, ranges: Vec<Range>) {
        self.arranged = Arranged::default();
        self.dialect.begin_again();
        self.open.clear();
        self.waiting_bytes = 0;
        for range in ranges {
            self.add(range);
        }
    }

    /// What is still to be listed, if all listings handed out so far are safe.
    #[must_use]
    pub fn remaining(&self) -> Vec<Range> {
        let mut ranges: Vec<_> = self.open.iter().map(|o| o.range.clone()).collect();
        ranges.sort_by(|a, b| a.after.cmp(&b.after));
        ranges
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::listing::rows::Builder;
    use bridge_core::listing::version::VersionRef;
    use bridge_core::timestamp::Timestamp;

    use super::*;

    fn page(keys: &[&str], next: (&str, &str)) -> Page {
        let mut builder = Builder::default();
        for key in keys {
            builder.push(VersionRef {
                key,
                version_id: "v",
                last_modified: Timestamp(0),
                is_latest: true,
                is_delete_marker: false,
                size: Some(0),
                e_tag: None,
            });
        }
        Page {
            listing: builder.finish(),
            next: Some(Marker {
                key: next.0.to_owned(),
                version_id: Some(next.1.to_owned()),
            }),
        }
    }

    /// Each would be read for ever: pages hold something new at first, and lead nowhere.
    #[test]
    fn a_server_whose_next_marker_is_not_ahead_is_refused() {
        for (keys, next) in [
            (&["m", "n"][..], ("m", "v")),
            (&["n"], ("m", "v")),
            (&["m", "n"], ("a", "v")),
            (&[], ("a", "v")),
            (&[], ("m", "w")),
        ] {
            let mut keyspace = Keyspace::new(vec![Range::default()], Dialect::default());
            let first = keyspace.next_request(1).unwrap();
            keyspace
                .accept(first.range, page(&["a", "m"], ("m", "v")))
                .unwrap();
            let second = keyspace.next_request(1).unwrap();
            let refused = keyspace.accept(second.range, page(keys, next));
            assert!(refused.is_err(), "{keys:?} {next:?}");
        }
    }
}
