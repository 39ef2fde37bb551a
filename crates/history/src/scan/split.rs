//! Which range of keys is cut in two, and where, so that an idle lister gets half of the busiest one's
//! rest. No I/O.
//!
//! Any text is a *correct* place to cut, since a listing may begin after any text: whatever is decided
//! here, no key is lost or listed twice. A *good* place has keys on both sides, and keys repeat
//! themselves: what characters they have at each place is learned from the pages that have come.

use bridge_core::listing::rows::Listing;

use crate::scan::alphabet::{Alphabet, common_characters};
use crate::scan::cut::between;

/// A cut costs about half a page, as the first part's last page runs over its end. So a range
/// that seems to have less than so many pages left is not cut; the number was tried out with
/// `crates/sim/tests/effort.rs`, which counts requests (fewer with more) and rounds (more).
const PAGES_WORTH_A_CUT: f64 = 6.0;

/// Pages of a range without an end before it is cut: small buckets are not cut at all.
const PAGES_BEFORE_FIRST_CUT: u32 = 2;

/// Requests that may come back with nothing of their range, at first and then of so many pages:
/// where keys are not spread as they seem to be, listers rest rather than send requests for nothing.
const EMPTY_PAGES: u64 = 64;
const PAGES_AN_EMPTY_PAGE: u64 = 8;

/// Unless so many listers rest for each that does not: then few are left to wait for, and for long.
const MOSTLY_IDLE: usize = 7;

/// Half as many are risked by cutting into more than two parts.
const LESS_RISK: u64 = 2;

/// A key in so many of a page's keys is learned from; of the first pages more. The first and the last always are.
const LEARN_EVERY: usize = 100;
const LEARN_EVERY_EARLY: usize = 10;
const EARLY_PAGES: u64 = 16;

/// What is known of a range in work.
#[derive(Debug, Clone, Copy)]
pub struct RangeFacts<'a> {
    /// Its number.
    pub id: u64,
    /// The key that its next page begins at or behind; `None` at the beginning of the bucket.
    pub from: Option<&'a str>,
    /// Its last key; `None` to the end of the bucket.
    pub until: Option<&'a str>,
    /// Pages of it that have come.
    pub pages: u32,
    /// The first key of its last page that had any; empty before.
    pub page_began: &'a str,
    /// The last key of that page.
    pub page_ended: &'a str,
    /// That page held versions of one key only.
    pub in_one_key: bool,
    /// It has gone back to the beginning of a key.
    pub listed_again: bool,
}

/// A range, and where to cut it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Its number.
    pub range: u64,
    /// Texts, ascending: each is the last key that the part before it may have.
    pub points: Vec<String>,
}

/// Decides about cuts by what all pages of a scan have shown.
///
/// A new scan has one range, which has no end. After its second page nobody knows how far keys reach. So all
/// the places at which a key could be larger than those that have come are tried at once, up to the place where
/// the last page's keys began to differ:
///
/// ```
/// # use bridge_core::listing::rows::{Builder, Listing};
/// # use bridge_core::listing::version::VersionRef;
/// # use bridge_core::timestamp::Timestamp;
/// # fn page(keys: &[&str]) -> Listing {
/// #     let mut page = Builder::default();
/// #     for key in keys {
/// #         page.push(VersionRef {
/// #             key,
/// #             version_id: "v",
/// #             last_modified: Timestamp(0),
/// #             is_latest: true,
/// #             is_delete_marker: false,
/// #             size: None,
/// #             e_tag: None,
/// #         });
/// #     }
/// #     page.finish()
/// # }
/// use bridge_history::scan::split::{RangeFacts, SplitPolicy};
///
/// let mut policy = SplitPolicy::default();
/// policy.learn(None, &page(&["log/04", "log/17"]));
/// let whole = RangeFacts {
///     id: 0,
///     from: Some("log/17"),
///     until: None,
///     pages: 2,
///     page_began: "log/04",
///     page_ended: "log/17",
///     in_one_key: false,
///     listed_again: false,
/// };
/// let split = policy.choose([whole].into_iter(), 1, false).expect("it has no end");
/// assert_eq!(split.points, ["log/2", "log/6", "log0", "loh", "lp", "m"]);
///
/// // By now pages behind "log/2" and "log/6" have come.
/// for keys in [["log/50", "log/64"], ["log/73", "log/98"]] {
///     policy.learn(None, &page(&keys));
/// }
/// // A page from 50 to 54, so about ten more up to 98: the middle is at 76, and 8 is the nearest digit.
/// let busy = RangeFacts {
///     id: 5,
///     from: Some("log/54"),
///     until: Some("log/98"),
///     page_began: "log/50",
///     page_ended: "log/54",
///     ..whole
/// };
/// let split = policy.choose([busy].into_iter(), 1, false).expect("it has much left");
/// assert_eq!((split.range, split.points), (5, vec!["log/8".to_owned()]));
/// let split = policy.choose([busy].into_iter(), 2, false).expect("it has much left");
/// assert_eq!(split.points, ["log/8"], "but not into parts of less than six pages");
///
/// // Two pages more up to 64 are not worth a cut.
/// let almost_done = RangeFacts { until: Some("log/64"), ..busy };
/// assert_eq!(policy.choose([almost_done].into_iter(), 1, false), None);
///
/// // A page of one key only: the key can only be paged, and what is behind it can be listed beside it.
/// let one_key = RangeFacts { page_began: "log/54", in_one_key: true, ..busy };
/// let split = policy.choose([busy, one_key].into_iter(), 1, false).expect("it may be long");
/// assert_eq!(split.points, ["log/54"]);
/// ```
#[derive(Debug, Default)]
pub struct SplitPolicy {
    alphabet: Alphabet,
    pages: u64,
    /// Pages with nothing of their range.
    empty_pages: u64,
    /// First pages of ranges.
    first_pages: u64,
}

impl SplitPolicy {
    /// Learns from the keys of a page behind `marker`, also from those that are not of its range.
    pub fn learn(&mut self, marker: Option<&str>, listing: &Listing) {
        let is_early = self.pages < EARLY_PAGES;
        let some = (0..listing.len()).step_by(if is_early {
            LEARN_EVERY_EARLY
        } else {
            LEARN_EVERY
        });
        let keys = some.map(|index| listing.key(index));
        self.alphabet.learn(marker, keys.chain(listing.last_key()));
    }

    /// Counts a page. `is_empty` if it had nothing of its range, `is_first` if it is the range's first.
    pub fn count(&mut self, is_empty: bool, is_first: bool) {
        self.pages += 1;
        self.empty_pages += u64::from(is_empty);
        self.first_pages += u64::from(is_first);
    }

    /// Cuts the range that seems to have the most left, for `idle` listers without work: into as many parts
    /// as are its share if all listers are to have as much. `None` when no cut is worth a request.
    /// `repeats_marker_key` of servers that begin a listing behind a key with this key.
    #[must_use]
    pub fn choose<'a>(
        &self,
        ranges: impl Iterator<Item = RangeFacts<'a>>,
        idle: usize,
        repeats_marker_key: bool,
    ) -> Option<Split> {
        let (mut listers, mut of_all, mut asked) = (idle, 0.0, 0);
        let mut most: Option<(RangeFacts<'a>, f64)> = None;
        for range in ranges {
            let left = self.pages_left(range);
            listers += 1;
            asked += usize::from(range.pages == 0);
            of_all += if left.is_finite() { left } else { 0.0 };
            if most.is_none_or(|(_, most)| left >= most) {
                most = Some((range, left));
            }
        }
        let are_many_in_vain = self.empty_pages > EMPTY_PAGES + self.pages / PAGES_AN_EMPTY_PAGE;
        if are_many_in_vain && idle < MOSTLY_IDLE * (listers - idle) {
            return None;
        }
        let (range, left) = most.filter(|(_, left)| *left >= PAGES_WORTH_A_CUT)?;
        let parts = parts(left, of_all, listers).min(idle + 1);
        let parts = parts.min(self.guesses().saturating_sub(asked) + 1).max(2);
        Some(Split {
            range: range.id,
            points: self.points(range.from?, range, parts, repeats_marker_key),
        })
    }

    /// First pages that may be on their way if those with nothing are not to be too many: by how many have been.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few, and never negative"
    )]
    fn guesses(&self) -> usize {
        let allowed = (EMPTY_PAGES + self.pages / PAGES_AN_EMPTY_PAGE) / LESS_RISK;
        let left = allowed.saturating_sub(self.empty_pages) as f64;
        let in_vain = (self.empty_pages + 1) as f64 / (self.first_pages + 2) as f64;
        (left / in_vain) as usize
    }

    /// How many pages a range seems to have left, if its keys are as dense as in its last page.
    fn pages_left(&self, range: RangeFacts<'_>) -> f64 {
        let Some(from) = range.from else {
            return 0.0;
        };
        if range.listed_again {
            // The rest can wait until it is where it was.
            return 0.0;
        }
        let Some(until) = range.until else {
            let begun = range.pages >= PAGES_BEFORE_FIRST_CUT;
            return if begun { f64::INFINITY } else { 0.0 };
        };
        if range.pages == 0 || from >= until {
            return 0.0;
        }
        if range.in_one_key {
            return f64::INFINITY;
        }
        let skip = common_characters(range.page_began, until);
        let place = |key: &str| self.alphabet.fraction(key, skip);
        let (began, from, until) = (place(range.page_began), place(from), place(until));
        if from > began {
            (until - from) / (from - began)
        } else {
            f64::from(range.pages)
        }
    }

    /// Where to cut a range of which all up to `from` is read: at one place, or at several at once where
    /// nobody knows how far keys reach.
    fn points(
        &self,
        from: &str,
        range: RangeFacts<'_>,
        parts: usize,
        repeats_marker_key: bool,
    ) -> Vec<String> {
        let until = range.until;
        if range.in_one_key {
            // One key can only be paged; what is behind it can be listed beside it, unless the server
            // would begin with the key again.
            let behind = !repeats_marker_key && until.is_none_or(|until| from < until);
            return behind.then(|| from.to_owned()).into_iter().collect();
        }
        // Where the last page's keys began to differ, others may.
        let depth = common_characters(range.page_began, range.page_ended);
        let known = until.map(|_| self.alphabet.split_points(from, until, depth, parts));
        if let Some(points) = known.filter(|points| !points.is_empty()) {
            return points;
        }
        let probes = self.alphabet.probes(from, until, depth);
        if probes.is_empty() {
            return between(from, until).into_iter().collect();
        }
        probes
    }
}

/// Into how many parts a range with so many pages `left` is cut if `listers` are to share those `of_all`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "few, and never negative"
)]
fn parts(left: f64, of_all: f64, listers: usize) -> usize {
    let share = (of_all / listers as f64).max(PAGES_WORTH_A_CUT);
    ((left / share).round() as usize).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A range that has much left.
    const BUSY: RangeFacts<'_> = RangeFacts {
        id: 0,
        from: Some("b"),
        until: Some("z"),
        pages: 3,
        page_began: "b",
        page_ended: "b",
        in_one_key: true,
        listed_again: false,
    };

    fn choose(policy: &SplitPolicy, range: RangeFacts<'_>) -> Option<Split> {
        policy.choose([range].into_iter(), 1, false)
    }

    #[test]
    fn what_has_not_begun_or_goes_back_is_left_whole() {
        let policy = SplitPolicy::default();
        assert!(choose(&policy, BUSY).is_some());
        let no_end = RangeFacts {
            until: None,
            ..BUSY
        };
        assert!(choose(&policy, no_end).is_some());
        for whole in [
            RangeFacts { from: None, ..BUSY },
            RangeFacts { pages: 0, ..BUSY },
            RangeFacts { pages: 1, ..no_end },
            RangeFacts {
                listed_again: true,
                ..BUSY
            },
            RangeFacts {
                from: Some("z"),
                ..BUSY
            },
        ] {
            assert_eq!(choose(&policy, whole), None, "{whole:?}");
        }
    }

    #[test]
    fn too_many_pages_with_nothing_end_the_cutting_until_others_have_come() {
        let mut policy = SplitPolicy::default();
        for _ in 0..EMPTY_PAGES * 2 {
            policy.count(true, true);
        }
        assert_eq!(choose(&policy, BUSY), None);
        for _ in 0..EMPTY_PAGES * 7 {
            policy.count(false, true);
        }
        assert!(choose(&policy, BUSY).is_some());
    }

    #[test]
    fn nothing_is_cut_behind_a_key_that_the_server_would_begin_with_again() {
        let split = SplitPolicy::default().choose([BUSY].into_iter(), 1, true);
        assert_eq!(split.map(|split| split.points), Some(vec![]));
    }
}
