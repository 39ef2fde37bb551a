//! Texts that cut what lies between two others. No I/O.

use crate::scan::alphabet::Alphabet;

/// Above the printable characters of ASCII.
const END: char = '\u{7f}';

/// What lies between two texts that begin in common: the characters `begin..end` of those possible at `place`
/// are strictly between.
struct Inside {
    place: usize,
    begin: usize,
    end: usize,
}

impl Alphabet {
    /// Texts after `from` and before `until` (`None`: no end) that begin as known keys do and cut what lies
    /// between into `parts` of about the same size; at most `depth` characters more than none. Fewer than
    /// were asked for, or none, when not so many places are known.
    pub(super) fn split_points(
        &self,
        from: &str,
        until: Option<&str>,
        depth: usize,
        parts: usize,
    ) -> Vec<String> {
        let mut cut = String::new();
        for place in 0..=depth {
            let rest = bounds(from, until, &cut);
            let possible = self.possible(place);
            if possible.is_empty() {
                break;
            }
            let begin = rest
                .low
                .map_or(0, |low| possible.partition_point(|c| *c <= low));
            let end = (rest.high).map_or(possible.len(), |high| {
                possible.partition_point(|c| *c < high)
            });
            if begin < end {
                let inside = Inside { place, begin, end };
                return self.points_at(&cut, from, until, &inside, depth, parts);
            }
            let Some(same) = from.chars().nth(place) else {
                break;
            };
            cut.push(same);
        }
        Vec::new()
    }

    /// Places in units of a place's characters: `from` and `until` lie within one each.
    #[expect(clippy::cast_precision_loss, reason = "there are fewer characters")]
    fn points_at(
        &self,
        beginning: &str,
        from: &str,
        until: Option<&str>,
        inside: &Inside,
        depth: usize,
        parts: usize,
    ) -> Vec<String> {
        let Inside { place, begin, end } = *inside;
        let possible = self.possible(place);
        let has = |text: &str, index: usize| {
            let character = text
                .strip_prefix(beginning)
                .and_then(|rest| rest.chars().next());
            character.is_some() && character == possible.get(index).copied()
        };
        let low = match begin.checked_sub(1) {
            Some(before) if has(from, before) => before as f64 + self.fraction(from, place + 1),
            _ => begin as f64,
        };
        let high = match until {
            Some(until) if has(until, end) => end as f64 + self.fraction(until, place + 1),
            _ => end as f64,
        };
        let step = (high - low) / parts as f64;
        let mut points: Vec<String> = (1..parts)
            .map(|part| self.text_at(beginning, place, low + step * part as f64, step, depth))
            .filter(|point| {
                point.as_str() > from && until.is_none_or(|until| point.as_str() < until)
            })
            .collect();
        points.sort_unstable();
        points.dedup();
        if points.is_empty() {
            let mut middle = beginning.to_owned();
            middle.push(possible[begin.midpoint(end)]);
            points.push(middle);
        }
        points
    }

    /// A text that begins with `beginning` and goes on at `place`: `at` of the characters that are possible
    /// there are before it. Places that are not apart by more than `step` need not be told apart.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of few characters, never negative"
    )]
    fn text_at(&self, beginning: &str, place: usize, at: f64, step: f64, depth: usize) -> String {
        let mut text = beginning.to_owned();
        let (mut at, mut step) = (at.max(0.0), step);
        for place in place.. {
            let possible = self.possible(place);
            let Some(last) = possible.len().checked_sub(1) else {
                break;
            };
            let is_last = step >= 1.0 || place > depth;
            let index = if is_last { at.round() } else { at.floor() };
            let index = (index as usize).min(last);
            if is_last && index == 0 && text.len() > beginning.len() {
                // What begins so begins here.
                break;
            }
            text.push(possible[index]);
            if is_last {
                break;
            }
            let size = self.possible(place + 1).len() as f64;
            at = (at - index as f64).clamp(0.0, 1.0) * size;
            step *= size;
        }
        text
    }
}

/// A text between `from` and `until` (`None`: no end), about half-way in character codes.
pub(super) fn between(from: &str, until: Option<&str>) -> Option<String> {
    let mut cut = String::new();
    loop {
        let rest = bounds(from, until, &cut);
        let low = rest.low.unwrap_or('\u{1f}');
        let high = rest.high.unwrap_or_else(|| END.max(low));
        let middle = u32::from(low).midpoint(u32::from(high));
        if let Some(middle) = char::from_u32(middle).filter(|m| *m > low) {
            cut.push(middle);
            return Some(cut);
        }
        cut.push(rest.low?);
    }
}

/// What may stand behind a common beginning.
struct Bounds {
    /// It must be above this one; any may when there is none.
    low: Option<char>,
    /// And below this one.
    high: Option<char>,
}

/// `beginning` is how `from` begins. As long as `until` begins so too, it is a bound.
fn bounds(from: &str, until: Option<&str>, beginning: &str) -> Bounds {
    let after = |text: &str| text.strip_prefix(beginning).map(|rest| rest.chars().next());
    Bounds {
        low: after(from).flatten(),
        high: match until.map(after) {
            // `until` is `beginning` itself: nothing that continues is before it.
            Some(Some(None)) => Some('\0'),
            Some(Some(high)) => high,
            None | Some(None) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of one page.
    fn page(marker: &str, keys: &[&str]) -> Alphabet {
        let mut alphabet = Alphabet::default();
        alphabet.learn(Some(marker), keys.iter().copied());
        alphabet
    }

    #[test]
    fn a_cut_begins_as_known_keys_do() {
        let days = page(
            "log/",
            &[
                "log/2024-01-31",
                "log/2024-12-05",
                "log/2025-06-19",
                "log/3024-01-01",
            ],
        );
        let cut = |from, until| days.split_points(from, until, 99, 2);
        let end = Some("log/2026");
        assert_eq!(cut("log/2024-01-31", end), ["log/2025-"]);
        let end = Some("log/2025");
        assert_eq!(cut("log/2024-01-31", end), ["log/2024-1"]);
        let end = Some("log/2024-1");
        assert_eq!(cut("log/2024-01-31", end), ["log/2024-06"]);
        assert!(
            cut("log/2025-16-39", end).is_empty(),
            "nothing is known above"
        );
    }

    #[test]
    fn many_cuts_are_as_far_from_each_other() {
        let digests = page(
            "",
            &[
                "00", "1f", "2e", "3d", "4c", "5b", "6a", "79", "88", "91", "a2", "b3", "c4", "d5",
                "e6", "f7",
            ],
        );
        let cuts = |from, until, parts| digests.split_points(from, until, 9, parts);
        assert_eq!(cuts("0", Some("8"), 4), ["2", "4", "6"]);
        assert_eq!(
            cuts("1", Some("3"), 8),
            ["14", "18", "1c", "2", "24", "28", "2c"]
        );
        assert!(
            cuts("1f", Some("21"), 2).is_empty(),
            "nothing that is known"
        );
    }

    #[test]
    fn half_way_between_two_texts() {
        let cut = |from, until| between(from, until);
        assert_eq!(
            cut("accounts/1", Some("accounts/9")).as_deref(),
            Some("accounts/5")
        );
        assert_eq!(cut("a", Some("a\u{1}")), None);
    }

    proptest! {
        #[test]
        fn a_cut_never_leaves_its_range(
            a in "[\\PC\u{0}-\u{30}]{0,6}", b in "[\\PC\u{0}-\u{30}]{0,6}", end: bool,
            known in prop::collection::vec("[\\PC\u{0}-\u{30}]{0,6}", 0..5), depth in 0usize..8, parts in 2usize..20
        ) {
            let (from, until) = if a <= b { (a, b) } else { (b, a) };
            let until = end.then_some(until.as_str());
            let mut alphabet = Alphabet::default();
            for key in &known {
                alphabet.learn(None, std::iter::once(key.as_str()));
            }
            alphabet.learn(Some(&from), known.iter().map(String::as_str));
            let cuts = alphabet
                .split_points(&from, until, depth, parts)
                .into_iter()
                .chain(between(&from, until))
                .chain(alphabet.probes(&from, until, depth));
            for cut in cuts {
                prop_assert!(
                    cut > from && until.is_none_or(|u| cut.as_str() < u),
                    "{:?} in {:?}..{:?}", cut, from, until
                );
            }
        }
    }
}
