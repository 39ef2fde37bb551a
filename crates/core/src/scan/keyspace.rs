//! The keyspace cut into ranges that are listed at the same time, each with its cursor. No I/O.
//!
//! A range is cut in two while it is read: the first part keeps its lister, the rest gets another
//! ([`super::cut`] finds the place). So idle listers take over half of the busiest one's rest, and
//! nobody needs to know beforehand how keys are spread.

use serde::{Deserialize, Serialize};

use super::cut::{Alphabet, between};
use super::dialect::Dialect;
use super::listing::Listing;
use super::order::{Arranged, arrange, arrange_chain, by_key, rank, rank_chain};
use super::page::{Marker, Page, PageError};
use super::repeats::Chain;

/// A cut costs about half a page, as the first part's last page runs over its end. So a range
/// that seems to have less than so many pages left is not cut; the number was tried out with
/// `crates/sim/tests/effort.rs`, which counts requests (fewer with more) and rounds (more).
const PAGES_WORTH_A_CUT: f64 = 6.0;

/// Requests that may come back with nothing of their range, at first and then of so many pages:
/// where keys are not spread as they seem to be, listers rest rather than ask in vain.
const IN_VAIN: u64 = 64;
const IN_VAIN_OF: u64 = 8;

/// Small buckets are not cut at all.
const PAGES_BEFORE_FIRST_CUT: u32 = 2;

/// A key in so many of a page's keys is learned from. The first and the last always are.
const LEARN_EVERY: usize = 100;

/// The keys that are still to be listed: after one, up to and including another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// The last key whose versions are all in runs; `None` from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The last key of the range; `None` to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A page to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// To hand the page back with.
    pub range: u64,
    /// Where it begins; `None` at the beginning of the bucket (or prefix).
    pub marker: Option<Marker>,
}

/// A range in work.
#[derive(Debug)]
struct Open {
    id: u64,
    range: Range,
    /// Where its next page begins.
    marker: Option<Marker>,
    /// The versions so far of the key that its last page ended in, as the pages have them.
    chain: Chain,
    /// Whether a page of it has been asked for.
    busy: bool,
    /// The first key of its last page.
    page_began: String,
    pages: u32,
    /// How many characters the keys of its last page began with in common.
    depth: usize,
    /// Its last page held one key only.
    in_one_key: bool,
}

/// All ranges of a scan.
#[derive(Debug)]
pub struct Keyspace {
    open: Vec<Open>,
    next_id: u64,
    alphabet: Alphabet,
    pages: u64,
    /// Pages with nothing of their range.
    in_vain: u64,
    /// Bytes of versions that wait for the rest of their key.
    waiting_bytes: usize,
    dialect: Dialect,
    arranged: Arranged,
}

impl Keyspace {
    /// Goes on with the ranges of a checkpoint; a new scan has one range without ends. `dialect` is what
    /// the pages before have proven.
    #[must_use]
    pub fn new(ranges: Vec<Range>, dialect: Dialect) -> Self {
        let mut keyspace = Self {
            open: Vec::new(),
            next_id: 0,
            alphabet: Alphabet::default(),
            pages: 0,
            in_vain: 0,
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
        self.open.push(Open {
            id: self.next_id,
            marker: range.after.clone().map(|key| Marker {
                key,
                version_id: None,
            }),
            page_began: String::new(),
            pages: 0,
            range,
            chain: Chain::default(),
            busy: false,
            depth: 0,
            in_one_key: false,
        });
        self.next_id += 1;
    }

    /// The next page to ask for: of a range that waits, or of the rest cut off a busy one.
    pub fn next_request(&mut self) -> Option<PageRequest> {
        if self.open.iter().all(|o| o.busy) {
            self.cut_one();
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

    /// Cuts the range that seems to have the most left.
    fn cut_one(&mut self) {
        if self.in_vain > IN_VAIN + self.pages / IN_VAIN_OF {
            return;
        }
        let rests = self.open.iter_mut().map(|open| {
            let rest = open.pages_left(&self.alphabet);
            (open, rest)
        });
        let Some((open, _)) = rests
            .filter(|(_, rest)| *rest >= PAGES_WORTH_A_CUT)
            .max_by(|a, b| a.1.total_cmp(&b.1))
        else {
            return;
        };
        let cuts = open.cuts(&self.alphabet, self.dialect.repeats_marker_key);
        for cut in cuts.into_iter().rev() {
            // From the last cut to the first: each takes the end of what is left.
            let Some(open) = self.open.iter_mut().find(|o| o.busy_until(&cut)) else {
                continue;
            };
            let rest = Range {
                after: Some(cut.clone()),
                until: open.range.until.replace(cut),
            };
            self.add(rest);
        }
    }

    /// A page that could not be had will be asked for again.
    pub fn give_back(&mut self, range: u64) {
        if let Some(open) = self.open.iter_mut().find(|o| o.id == range) {
            open.busy = false;
        }
    }

    /// Takes in a page and hands out the keys it completes, ranked: whole keys, each key's versions
    /// newest first. When it then [must begin again](Self::must_begin_again), what was handed out is void.
    ///
    /// # Errors
    /// [`PageError`] when the page does not go on from its marker, or its order makes no sense.
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
        if let (Some(first), Some(last)) = (listing.first_key(), listing.last_key()) {
            open.in_one_key = first == last && !repeats_marker_key;
            open.depth = common_characters(first, last);
            first.clone_into(&mut open.page_began);
            self.alphabet.learn(last);
            for index in (0..listing.len()).step_by(LEARN_EVERY) {
                self.alphabet.learn(listing.key(index));
            }
        }
        open.pages += 1;
        self.waiting_bytes -= open.chain.bytes();
        let past_the_end = open.trim(&mut listing);
        self.pages += 1;
        self.in_vain += u64::from(listing.is_empty());
        let mut order = Order {
            dialect: &mut self.dialect,
            arranged: &mut self.arranged,
        };
        let mut complete = open.take_in(listing, next.as_ref(), &mut order)?;
        let ends = match (&next, &open.range.until) {
            (None, _) => true,
            (Some(next), Some(until)) => past_the_end || next.key > *until,
            (Some(_), None) => false,
        };
        open.marker = next;
        if ends {
            open.complete_chain(&mut complete, &mut order)?;
            self.open.swap_remove(index);
        } else {
            self.waiting_bytes += open.chain.bytes();
            if repeats_marker_key && self.open[index].chain.key().is_none() {
                self.give_to_neighbour(index);
            }
        }
        Ok(complete)
    }

    /// A range that was cut off behind a key and begins with all its versions again is left to who
    /// lists the key.
    fn give_to_neighbour(&mut self, index: usize) {
        let Range { after, until } = self.open[index].range.clone();
        let lists_key = |open: &Open| open.range.until == after && after.is_some();
        if let Some(neighbour) = self.open.iter_mut().find(|open| lists_key(open)) {
            neighbour.range.until = until;
            self.open.swap_remove(index);
        }
    }

    /// What the pages have proven so far.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Keys completed since the last call whose order the listing does not tell for sure.
    pub fn take_ambiguous(&mut self) -> Vec<String> {
        std::mem::take(&mut self.arranged.ambiguous)
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

impl Open {
    /// How many pages it seems to have left, if its keys are as dense as in its last page.
    fn pages_left(&self, alphabet: &Alphabet) -> f64 {
        let Some(Marker { key: from, .. }) = &self.marker else {
            return 0.0;
        };
        let Some(until) = &self.range.until else {
            let begun = self.pages >= PAGES_BEFORE_FIRST_CUT;
            return if begun { f64::INFINITY } else { 0.0 };
        };
        if self.pages == 0 || from >= until {
            return 0.0;
        }
        if self.in_one_key {
            return f64::INFINITY;
        }
        let skip = common_characters(&self.page_began, until);
        let place = |key: &str| alphabet.fraction(key, skip);
        let unknown = alphabet.unknown_between(from, until, skip);
        let (began, from, until) = (place(&self.page_began), place(from), place(until));
        if from > began {
            (until - from + unknown) / (from - began)
        } else {
            f64::from(self.pages)
        }
    }

    /// Where to cut it, ascending.
    fn cuts(&self, alphabet: &Alphabet, repeats_marker_key: bool) -> Vec<String> {
        let until = self.range.until.as_deref();
        let Some(from) = self.marker.as_ref().map(|m| m.key.as_str()) else {
            return between("", until).into_iter().collect();
        };
        if self.in_one_key {
            // One key can only be paged; what is behind it can be listed beside it, unless the server
            // would begin with the key again.
            let behind = !repeats_marker_key && until.is_none_or(|until| from < until);
            return behind.then(|| from.to_owned()).into_iter().collect();
        }
        let depth = self.depth;
        let known = until.and_then(|_| alphabet.cut(from, until, depth));
        if let Some(cut) = known {
            return vec![cut];
        }
        let rungs = alphabet.ladder(from, until, depth);
        if rungs.is_empty() {
            return between(from, until).into_iter().collect();
        }
        rungs
    }

    /// Whether `cut` lies in what it has still to read.
    fn busy_until(&self, cut: &str) -> bool {
        let from = self.marker.as_ref().map_or("", |m| m.key.as_str());
        from <= cut && self.range.until.as_deref().is_none_or(|until| cut < until)
    }

    /// Drops what is not of this range. Tells whether the page went past its end.
    fn trim(&self, listing: &mut Listing) -> bool {
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

    /// Takes in rows of this range and tells the keys that they complete: all but the last.
    fn take_in(
        &mut self,
        mut listing: Listing,
        next: Option<&Marker>,
        order: &mut Order<'_>,
    ) -> Result<Vec<Listing>, PageError> {
        let mut complete = Vec::new();
        if let Some(key) = self.chain.key() {
            let of_chain = listing
                .rows()
                .iter()
                .take_while(|row| listing.key_of(row) == key)
                .count();
            let rest = listing.split_off(of_chain);
            let is_new = listing.is_empty() || self.chain.push(listing);
            if rest.is_empty() {
                // A server that repeats what it has listed, and nothing else, would be read for ever.
                let stays = next.filter(|next| !is_new && self.chain.key() == Some(&next.key));
                return match stays {
                    Some(next) => Err(PageError::NoAdvance {
                        key: next.key.clone(),
                        version_id: next.version_id.clone(),
                    }),
                    None => Ok(complete),
                };
            }
            self.complete_chain(&mut complete, order)?;
            listing = rest;
        }
        let Some(last) = listing.rows().last() else {
            return Ok(complete);
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
        Ok(complete)
    }

    /// All versions of the chain's key have come.
    fn complete_chain(
        &mut self,
        complete: &mut Vec<Listing>,
        order: &mut Order<'_>,
    ) -> Result<(), PageError> {
        if let Some(key) = self.chain.key().map(str::to_owned) {
            self.range.after = Some(key);
            let mut parts = self.chain.take();
            arrange_chain(&mut parts, order.dialect, order.arranged)?;
            rank_chain(&mut parts);
            complete.append(&mut parts);
        }
        Ok(())
    }

    /// Whether a page that was to begin behind a key begins with the key.
    fn is_repeated_by(&self, listing: &Listing) -> bool {
        self.marker.as_ref().is_some_and(|marker| {
            marker.version_id.is_none()
                && self.range.after.as_ref() == Some(&marker.key)
                && listing.first_key() == Some(&marker.key)
        })
    }

    /// Refuses a page that goes back behind its marker, or whose next marker is not ahead of it:
    /// such a server would be read for ever.
    fn check_advance(&self, listing: &Listing, next: Option<&Marker>) -> Result<(), PageError> {
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

/// What is known of the server's order, and what came of it.
struct Order<'a> {
    dialect: &'a mut Dialect,
    arranged: &'a mut Arranged,
}

fn common_characters(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::listing::Builder;
    use crate::time::Millis;
    use crate::version::VersionRef;

    fn page(keys: &[&str], next: Option<(&str, Option<&str>)>) -> Page {
        let mut builder = Builder::default();
        for key in keys {
            builder.push(VersionRef {
                key,
                version_id: "v",
                last_modified: Millis(0),
                is_latest: true,
                is_delete_marker: false,
                size: Some(0),
                e_tag: None,
            });
        }
        Page {
            listing: builder.finish(),
            next: next.map(|(key, version)| Marker {
                key: key.to_owned(),
                version_id: version.map(str::to_owned),
            }),
        }
    }

    #[test]
    fn a_server_that_repeats_a_marker_is_refused() {
        let mut keyspace = Keyspace::new(vec![Range::default()], Dialect::default());
        let request = keyspace.next_request().unwrap();
        keyspace
            .accept(request.range, page(&["a", "b"], Some(("b", Some("v")))))
            .unwrap();
        let request = keyspace.next_request().unwrap();
        let error = keyspace
            .accept(request.range, page(&["b"], Some(("b", Some("v")))))
            .unwrap_err();
        assert!(matches!(error, PageError::NoAdvance { .. }), "{error}");
    }

    #[test]
    fn a_page_that_goes_back_behind_its_marker_is_refused() {
        let mut keyspace = Keyspace::new(vec![Range::default()], Dialect::default());
        let request = keyspace.next_request().unwrap();
        keyspace
            .accept(request.range, page(&["m"], Some(("m", None))))
            .unwrap();
        let request = keyspace.next_request().unwrap();
        let error = keyspace
            .accept(request.range, page(&["a"], None))
            .unwrap_err();
        assert!(error.to_string().contains("backwards"), "{error}");
    }
}
