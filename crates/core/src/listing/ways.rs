//! In which of the known ways a server may have listed a key's entries. No I/O, no texts.
//!
//! A key's entries are read in every way that is still possible. A way under which the entry marked
//! latest is not the newest, or oldest-first entries go back in time, is none. What all remaining
//! ways agree on is proven for the server; where they disagree, the order is an assumption that a later
//! page may overturn.

use serde::{Deserialize, Serialize};

use crate::listing::dialect::{Dialect, Question};
use crate::listing::rows::Row;
use crate::timestamp::Timestamp;

/// What matters of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// As listed.
    pub last_modified: Timestamp,
    /// As listed; `None` where it is left out.
    pub is_latest: Option<bool>,
    /// A delete marker rather than a version.
    pub is_delete_marker: bool,
}

impl Entry {
    /// Of a row that has not been arranged yet.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        Self {
            last_modified: row.last_modified,
            is_latest: row.says_is_latest.then_some(row.is_latest),
            is_delete_marker: row.is_delete_marker,
        }
    }
}

/// What a key's order depends on as long as no page has proven it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Doubt {
    /// A version and a marker of one moment: only a list of both kinds together shows their order.
    pub tie: bool,
    /// Whether markers are listed apart.
    pub lists: bool,
    /// Whether a key's oldest version is listed first.
    pub end: bool,
}

impl Doubt {
    /// Whether pages may still prove that the markers are listed otherwise than it was assumed.
    #[must_use]
    pub fn is_of_markers(self, dialect: Dialect) -> bool {
        dialect.markers_apart.proven.is_none() && (self.tie || self.lists)
    }

    /// Whether the order is a guess, as things stand: another page may prove it, unless `all_is_listed`.
    #[must_use]
    pub fn is_a_guess(self, dialect: Dialect, all_is_listed: bool) -> bool {
        let lists = dialect.markers_apart.proven;
        let untold = lists.is_none() && (self.tie || self.lists)
            || dialect.oldest_first.proven.is_none() && self.end;
        lists == Some(true) && self.tie || all_is_listed && untold
    }
}

/// A key's order, and how sure it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Places in the document, newest first.
    pub order: Vec<usize>,
    /// What it depends on.
    pub doubt: Doubt,
    /// The key proves that others were ordered wrongly before.
    pub begin_again: bool,
}

/// One way of listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    oldest_first: bool,
    markers_apart: bool,
}

/// A way, and what it makes of the entries.
struct Reading {
    way: Way,
    order: Vec<usize>,
    /// A version and a marker of one moment, whose order nothing shows.
    has_tie: bool,
}

/// The order of a key's entries, which stand as in the document.
///
/// # Errors
/// What does not fit, when no way explains the entries.
pub fn judge(entries: &[Entry], dialect: &mut Dialect) -> Result<Verdict, &'static str> {
    let says_latest = entries.iter().any(|entry| entry.is_latest == Some(true));
    let mut readings = possible(entries, *dialect, says_latest);
    let mut begin_again = false;
    if says_latest {
        // Without an entry marked latest, times alone would have to prove it.
        begin_again |= learn(&mut dialect.oldest_first, &readings, |way| way.oldest_first)?;
        begin_again |= learn(&mut dialect.markers_apart, &readings, |way| {
            way.markers_apart
        })?;
    }
    if readings.is_empty() {
        return Err(
            "the entry marked latest is neither the newest of its kind nor, with rising times, the last",
        );
    }
    let times_rise = rises_within_a_kind(entries);
    let evident = markers_seem_apart(entries) && dialect.markers_apart.proven.is_none();
    let best = (0..readings.len())
        .min_by_key(|index| {
            let way = readings[*index].way;
            // Where the entry marked latest does not decide: newest first unless times say otherwise.
            let wrong_end = way.oldest_first != times_rise;
            (wrong_end, way.markers_apart != evident)
        })
        .unwrap_or_default();
    let chosen = readings.swap_remove(best);
    let (same_end, other_end): (Vec<_>, Vec<_>) =
        (readings.iter()).partition(|other| other.way.oldest_first == chosen.way.oldest_first);
    let end_matters = other_end.iter().any(|other| other.order != chosen.order);
    let lists_matter = same_end.iter().any(|other| other.order != chosen.order);
    if end_matters {
        dialect.oldest_first.assume(chosen.way.oldest_first);
    }
    if lists_matter {
        dialect.markers_apart.assume(chosen.way.markers_apart);
    }
    let has_tie = chosen.has_tie || same_end.iter().any(|other| other.has_tie);
    let doubt = Doubt {
        tie: has_tie && dialect.markers_apart.may_be(true),
        lists: lists_matter,
        // Where nothing says which is the latest, document order rules unless times contradict it.
        end: end_matters && (says_latest || times_rise),
    };
    Ok(Verdict {
        order: chosen.order,
        doubt,
        begin_again,
    })
}

/// Answers a question when all readings agree.
fn learn(
    question: &mut Question,
    readings: &[Reading],
    of: fn(Way) -> bool,
) -> Result<bool, &'static str> {
    let Some(first) = readings.first().map(|reading| of(reading.way)) else {
        return Ok(false);
    };
    if question.proven.is_some() || readings.iter().any(|reading| of(reading.way) != first) {
        return Ok(false);
    }
    question
        .prove(first)
        .map_err(|_| "other keys are listed the other way round")
}

/// All readings that contradict neither the entries nor what is proven.
fn possible(entries: &[Entry], dialect: Dialect, says_latest: bool) -> Vec<Reading> {
    let mut readings = Vec::with_capacity(4);
    for oldest_first in [false, true] {
        for markers_apart in [false, true] {
            let may_be = dialect.oldest_first.may_be(oldest_first)
                && dialect.markers_apart.may_be(markers_apart);
            let times_fit = !oldest_first
                || dialect.oldest_first.proven == Some(true)
                || !falls_within_a_kind(entries);
            if !may_be || !times_fit {
                continue;
            }
            let way = Way {
                oldest_first,
                markers_apart,
            };
            let reading = read(entries, way);
            let newest = entries[reading.order[0]];
            if !says_latest || newest.is_latest != Some(false) {
                readings.push(reading);
            }
        }
    }
    readings
}

/// The entries newest first, if they were listed in this way.
fn read(entries: &[Entry], way: Way) -> Reading {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    if way.oldest_first {
        order.reverse();
    }
    let mut has_tie = false;
    if way.markers_apart {
        (order, has_tie) = merge(entries, &order, way.oldest_first);
    }
    Reading {
        way,
        order,
        has_tie,
    }
}

/// Versions and markers, each newest first, as one list: the entry marked latest first, else the
/// younger one. A tie stays as a page with the whole key has it, so that its order is the same before and after
/// a page has proven that markers are listed apart: all versions first, in whichever direction.
fn merge(entries: &[Entry], order: &[usize], oldest_first: bool) -> (Vec<usize>, bool) {
    let (markers, versions): (Vec<usize>, Vec<usize>) = order
        .iter()
        .partition(|index| entries[**index].is_delete_marker);
    let mut merged = Vec::with_capacity(order.len());
    let mut has_tie = false;
    let (mut markers, mut versions) = (markers.as_slice(), versions.as_slice());
    while let ([marker, more_markers @ ..], [version, more_versions @ ..]) = (markers, versions) {
        let place = |index: usize| {
            let entry = entries[index];
            (entry.is_latest == Some(true), entry.last_modified)
        };
        let (of_marker, of_version) = (place(*marker), place(*version));
        let marker_wins = if of_marker != of_version {
            of_marker > of_version
        } else if entries[*marker].is_latest == Some(true) {
            // Both say so: as they stand.
            (*marker < *version) != oldest_first
        } else {
            has_tie = true;
            oldest_first
        };
        if marker_wins {
            merged.push(*marker);
            markers = more_markers;
        } else {
            merged.push(*version);
            versions = more_versions;
        }
    }
    merged.extend(markers);
    merged.extend(versions);
    (merged, has_tie)
}

/// Whether a time within versions or within markers is later than the one before it.
fn rises_within_a_kind(entries: &[Entry]) -> bool {
    any_step(entries, |before, after| after > before)
}

fn falls_within_a_kind(entries: &[Entry]) -> bool {
    any_step(entries, |before, after| after < before)
}

fn any_step(entries: &[Entry], is_it: fn(Timestamp, Timestamp) -> bool) -> bool {
    [false, true].into_iter().any(|kind| {
        let of_kind = entries
            .iter()
            .filter(|entry| entry.is_delete_marker == kind);
        let times = of_kind.clone().map(|entry| entry.last_modified);
        times
            .clone()
            .zip(times.skip(1))
            .any(|(before, after)| is_it(before, after))
    })
}

/// A marker directly behind a version and later than it: S3's own order hardly ever looks so. It is
/// evidence, not proof. (A key's pages may each end with the markers of their part.)
fn markers_seem_apart(entries: &[Entry]) -> bool {
    entries.windows(2).any(|pair| {
        !pair[0].is_delete_marker
            && pair[1].is_delete_marker
            && pair[1].last_modified > pair[0].last_modified
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `V10` is a version of second 10, `M20` a marker; `!` marks the latest, `?` one that does not say.
    fn entries(text: &str) -> Vec<Entry> {
        text.split(' ')
            .map(|word| Entry {
                last_modified: Timestamp(word[1..].trim_end_matches(['!', '?']).parse().unwrap()),
                is_latest: (!word.ends_with('?')).then(|| word.ends_with('!')),
                is_delete_marker: word.starts_with('M'),
            })
            .collect()
    }

    fn verdict(text: &str, dialect: &mut Dialect) -> Result<String, &'static str> {
        let verdict = judge(&entries(text), dialect)?;
        let order: Vec<_> = verdict
            .order
            .iter()
            .map(|index| text.split(' ').nth(*index).unwrap())
            .collect();
        let Doubt { tie, lists, end } = verdict.doubt;
        let doubts = [(tie, " tie"), (lists, " lists"), (end, " end")];
        let doubts: String = (doubts.iter().filter(|doubt| doubt.0).map(|doubt| doubt.1)).collect();
        Ok(order.join(" ") + &doubts)
    }

    #[test]
    fn what_is_told_of_a_key_decides_its_order() {
        for (listed, newest_first) in [
            // As S3 lists, an upload in parts with an older time included.
            ("V3! M2 V1", "V3! M2 V1"),
            ("V10! V12", "V10! V12"),
            ("M5! V5", "M5! V5"),
            // Oldest first.
            ("V1 V2 V3!", "V3! V2 V1"),
            ("V4 V4!", "V4! V4"),
            ("V1 M2 V3!", "V3! M2 V1"),
            ("V1 V2 M3!", "M3! V2 V1 end"),
            // Markers apart.
            ("V3 V1 M4! M2", "M4! V3 M2 V1"),
            ("V1 M2!", "M2! V1"),
            ("V30! V10 M20", "V30! M20 V10 lists"),
            ("V3 V2 M3!", "M3! V3 V2"),
            ("V3! V2 M2", "V3! V2 M2 tie"),
            ("V1 M1 V1!", "V1! M1 V1 tie"),
            ("V9! V7 M8 V5 M6", "V9! M8 V7 M6 V5 lists"),
            ("V3! V2 M2 M1", "V3! V2 M2 M1 tie"),
            // Two claim to be the latest, or nobody does, or nothing is said.
            ("M5! V5!", "M5! V5! end"),
            ("V5 V4", "V5 V4"),
            ("V5? V4?", "V5? V4?"),
            ("V4? V5?", "V5? V4? end"),
            ("V1? V2? M3?", "M3? V2? V1? end"),
            ("M5? V5!", "M5? V5! lists end"),
            // Oldest first and markers apart.
            ("V1 V3! M2", "V3! M2 V1"),
        ] {
            let found = verdict(listed, &mut Dialect::default());
            assert_eq!(found.as_deref(), Ok(newest_first), "{listed}");
        }
    }

    #[test]
    fn what_no_way_explains_is_refused() {
        for listed in ["V2 V3! V1", "V3 V2!", "V2 V1!"] {
            assert!(
                verdict(listed, &mut Dialect::default()).is_err(),
                "{listed}"
            );
        }
    }

    #[test]
    fn what_one_key_proves_holds_for_the_others() {
        let mut dialect = Dialect::default();
        // Nothing is known: document order, in which a tie is none.
        assert_eq!(
            verdict("V3! V2 M2", &mut dialect).as_deref(),
            Ok("V3! V2 M2 tie")
        );
        let proof = judge(&entries("V3 V1 M4! M2"), &mut dialect).unwrap();
        assert!(!proof.begin_again, "a tie stays as it was");
        assert_eq!(
            verdict("V3! V2 M2", &mut dialect).as_deref(),
            Ok("V3! V2 M2 tie")
        );
        let mut dialect = Dialect::default();
        assert!(!judge(&entries("V1 V2!"), &mut dialect).unwrap().begin_again);
        assert_eq!(verdict("V1? V2?", &mut dialect).as_deref(), Ok("V2? V1?"));
        assert!(judge(&entries("V2! V1"), &mut dialect).is_err());
        // Proven to list oldest first, a clock that was put back changes nothing.
        assert_eq!(
            verdict("V2 V1 V3!", &mut dialect).as_deref(),
            Ok("V3! V1 V2")
        );
    }

    #[test]
    fn a_key_that_proves_nothing_is_no_reason_to_begin_again() {
        let mut dialect = Dialect::default();
        for listed in ["V1 M2!", "M2! V1", "V3!"] {
            judge(&entries(listed), &mut dialect).unwrap();
        }
        assert_eq!(dialect, Dialect::default());
        assert!(
            !judge(&entries("V3 V1 M4! M2"), &mut dialect)
                .unwrap()
                .begin_again
        );
    }
}
