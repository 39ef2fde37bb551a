//! The keyspace cut into ranges that are listed at the same time, each with its cursor. No I/O.
//!
//! A range is cut in two while it is read: the first part keeps its lister, the rest gets another.
//! Any text is a good place to cut, whether such a key exists or not, since a listing may begin
//! after any text; a cut that leaves nothing behind costs one request.

use serde::{Deserialize, Serialize};

use super::order::newest_first;
use super::page::{Marker, Page, PageError};
use crate::version::ObjectVersion;

/// Pages a range must have given since it was last cut: small buckets are not cut at all.
const PAGES_BEFORE_CUT: u32 = 2;

/// The keys that are still to be listed: after one, up to and including another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// A key's versions, newest first, complete.
pub type Chain = Vec<ObjectVersion>;

/// A range in work.
#[derive(Debug)]
struct Open {
    id: u64,
    range: Range,
    /// Where its next page begins.
    marker: Option<Marker>,
    /// The versions so far of the key that its last page ended in.
    chain: Chain,
    /// Whether a page of it has been asked for.
    busy: bool,
    pages_since_cut: u32,
}

/// All ranges of a scan.
#[derive(Debug)]
pub struct Keyspace {
    open: Vec<Open>,
    next_id: u64,
}

impl Keyspace {
    /// Goes on with the ranges of a checkpoint; a new scan has one range without ends.
    #[must_use]
    pub fn new(ranges: Vec<Range>) -> Self {
        let mut keyspace = Self {
            open: Vec::new(),
            next_id: 0,
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
            range,
            chain: Vec::new(),
            busy: false,
            pages_since_cut: 0,
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

    /// Cuts the range that has been read the longest without a cut.
    fn cut_one(&mut self) {
        let Some(open) = self
            .open
            .iter_mut()
            .filter(|o| o.pages_since_cut >= PAGES_BEFORE_CUT)
            .max_by_key(|o| o.pages_since_cut)
        else {
            return;
        };
        open.pages_since_cut = 0;
        let from = open.marker.as_ref().map_or("", |m| m.key.as_str());
        if let Some(cut) = between(from, open.range.until.as_deref()) {
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

    /// Takes in a page and hands out the keys it completes.
    ///
    /// # Errors
    /// [`PageError`] when the page does not go on from its marker.
    pub fn accept(&mut self, range: u64, page: Page) -> Result<Vec<Chain>, PageError> {
        let Some(index) = self.open.iter().position(|o| o.id == range) else {
            return Ok(Vec::new());
        };
        let open = &mut self.open[index];
        open.busy = false;
        open.pages_since_cut += 1;
        open.check_advance(&page)?;
        let next = page.next;
        let mut complete = Vec::new();
        let mut past_the_end = false;
        for entry in newest_first(page.entries) {
            if open.range.after.as_ref().is_some_and(|a| entry.key <= *a) {
                continue; // some servers begin with the marker's own key
            }
            if open.range.until.as_ref().is_some_and(|u| entry.key > *u) {
                past_the_end = true;
                break;
            }
            if open.chain.first().is_some_and(|c| c.key != entry.key) {
                complete.push(open.take_chain());
            }
            open.chain.push(entry);
        }
        let ends = match (&next, &open.range.until) {
            (None, _) => true,
            (Some(next), Some(until)) => past_the_end || next.key > *until,
            (Some(_), None) => false,
        };
        open.marker = next;
        if ends {
            if !open.chain.is_empty() {
                complete.push(open.take_chain());
            }
            self.open.swap_remove(index);
        }
        Ok(complete)
    }

    /// What is still to be listed, if all chains handed out so far are safe.
    #[must_use]
    pub fn remaining(&self) -> Vec<Range> {
        let mut ranges: Vec<_> = self.open.iter().map(|o| o.range.clone()).collect();
        ranges.sort_by(|a, b| a.after.cmp(&b.after));
        ranges
    }
}

impl Open {
    fn take_chain(&mut self) -> Chain {
        self.range.after = self.chain.first().map(|c| c.key.clone());
        std::mem::take(&mut self.chain)
    }

    /// Refuses a page that goes back behind its marker, or whose next marker is not ahead of it:
    /// such a server would be read for ever.
    fn check_advance(&self, page: &Page) -> Result<(), PageError> {
        let Some(marker) = &self.marker else {
            return Ok(());
        };
        let backwards = |after: &str| PageError::Backwards {
            before: marker.key.clone(),
            after: after.to_owned(),
        };
        if let Some(entry) = page.entries.iter().find(|e| e.key < marker.key) {
            return Err(backwards(&entry.key));
        }
        match &page.next {
            Some(next) if next.key < marker.key => Err(backwards(&next.key)),
            Some(next) if next == marker || (next.key == marker.key && page.entries.is_empty()) => {
                Err(PageError::NoAdvance {
                    key: next.key.clone(),
                    version_id: next.version_id.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// A text between `from` and `until` (`None`: no end), about half-way in character codes.
fn between(from: &str, until: Option<&str>) -> Option<String> {
    /// Beyond the printable characters of ASCII; keys above it end up in the last range.
    const NO_END: u32 = 0x7f;
    let mut middle = String::new();
    let mut from = from.chars();
    let mut until = until.map(str::chars);
    loop {
        let low = from.next().map_or(0x1f, u32::from);
        let high = match &mut until {
            Some(rest) => rest.next().map(u32::from)?,
            None => NO_END.max(low),
        };
        if high > low + 1
            && let Some(character) = char::from_u32(low.midpoint(high))
        {
            middle.push(character);
            return Some(middle);
        }
        if high > low {
            until = None; // every continuation of `low` is below `until`
        }
        middle.push(char::from_u32(low).filter(|_| low > 0x1f)?);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cut_lies_between_its_ends() {
        for (from, until) in [
            ("", None),
            ("a", None),
            ("~~~", None),
            ("accounts/1", Some("accounts/9")),
            ("a", Some("b")),
            ("a", Some("aa")),
            ("日本", None),
            ("", Some("a")),
        ] {
            if let Some(cut) = between(from, until) {
                assert!(cut.as_str() > from, "{cut:?} > {from:?}");
                assert!(
                    until.is_none_or(|u| cut.as_str() < u),
                    "{cut:?} < {until:?}"
                );
            }
        }
        assert_eq!(
            between("accounts/1", Some("accounts/9")).as_deref(),
            Some("accounts/5")
        );
    }

    proptest! {
        #[test]
        fn a_cut_never_leaves_its_range(a in "\\PC{0,6}", b in "\\PC{0,6}", end: bool) {
            let (from, until) = if a <= b { (a, b) } else { (b, a) };
            let until = end.then_some(until.as_str());
            if let Some(cut) = between(&from, until) {
                prop_assert!(cut > from && until.is_none_or(|u| cut.as_str() < u));
            }
        }
    }

    fn page(keys: &[&str], next: Option<(&str, Option<&str>)>) -> Page {
        Page {
            entries: keys
                .iter()
                .map(|key| ObjectVersion {
                    key: (*key).to_owned(),
                    version_id: "v".to_owned(),
                    last_modified: crate::time::Millis(0),
                    is_latest: true,
                    is_delete_marker: false,
                    size: Some(0),
                    e_tag: None,
                })
                .collect(),
            next: next.map(|(key, version)| Marker {
                key: key.to_owned(),
                version_id: version.map(str::to_owned),
            }),
        }
    }

    #[test]
    fn a_server_that_repeats_a_marker_is_refused() {
        let mut keyspace = Keyspace::new(vec![Range::default()]);
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
        let mut keyspace = Keyspace::new(vec![Range::default()]);
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
