//! What characters keys have been seen to have at each place, and texts made of them.

use std::collections::BTreeSet;

/// Above the printable characters of ASCII.
const END: char = '\u{7f}';

/// Keys that must have had one letter or sign at a place before it is taken to be always there.
/// Digits are never taken so: numbers grow.
const KEYS_BEFORE_FIXED: u32 = 64;

/// What characters keys have been seen to have at each place.
#[derive(Debug, Default)]
pub(super) struct Alphabet {
    places: Vec<BTreeSet<char>>,
    /// How many keys have been seen.
    keys: u32,
}

impl Alphabet {
    /// Takes note of a key.
    pub(super) fn learn(&mut self, key: &str) {
        self.keys = self.keys.saturating_add(1);
        for (place, character) in key.chars().enumerate() {
            if place == self.places.len() {
                self.places.push(BTreeSet::new());
            }
            self.places[place].insert(character);
        }
    }

    /// How far `key` lies in the keyspace behind its first `skip` characters, 0 to 1, if all known
    /// characters were as frequent as each other at each place.
    #[expect(clippy::cast_precision_loss, reason = "there are fewer characters")]
    pub(super) fn fraction(&self, key: &str, skip: usize) -> f64 {
        let (mut fraction, mut scale) = (0.0, 1.0);
        let places = self.places.iter().skip(skip);
        for (character, known) in key.chars().skip(skip).zip(places) {
            let size = known.len() as f64;
            fraction += scale * known.range(..character).count() as f64 / size;
            scale /= size;
            if scale < f64::EPSILON {
                break;
            }
        }
        fraction
    }

    /// What [`Self::fraction`] leaves out between two keys: digits at place `skip` that no key has
    /// been seen to have, since nobody has looked there yet.
    #[expect(clippy::cast_precision_loss, reason = "there are fewer characters")]
    pub(super) fn unknown_between(&self, from: &str, until: &str, skip: usize) -> f64 {
        let at = |key: &str| key.chars().nth(skip).filter(char::is_ascii_hexdigit);
        let (Some(known), Some(low), Some(high)) = (self.places.get(skip), at(from), at(until))
        else {
            return 0.0;
        };
        let unknown = (next(low)..high)
            .filter(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase() && !known.contains(c))
            .count();
        unknown as f64 / known.len() as f64
    }

    /// One text for each place of `from`, at most `depth` characters in, at which keys after it
    /// could differ: asking for all of them at once shows how far the keyspace reaches at each
    /// place. Empty when no place is known to vary.
    pub(super) fn probes(&self, from: &str, until: Option<&str>, depth: usize) -> Vec<String> {
        let is_fixed = |place: usize, character: char| {
            self.keys >= KEYS_BEFORE_FIXED
                && !character.is_ascii_digit()
                && self.places.get(place).is_some_and(|known| known.len() == 1)
        };
        let mut probes: Vec<String> = from
            .char_indices()
            .enumerate()
            .take(depth + 1)
            .filter(|(place, (_, character))| !is_fixed(*place, *character))
            .flat_map(|(_, (at, character))| {
                let further = self.half_way_from(character);
                let ends = std::iter::once(next(character)).chain(further);
                ends.map(move |end| {
                    let mut probe = from[..at].to_owned();
                    probe.push(end);
                    probe
                })
            })
            .filter(|probe| {
                probe.as_str() > from && until.is_none_or(|until| probe.as_str() < until)
            })
            .collect();
        probes.sort_unstable();
        probes.dedup();
        probes
    }

    /// The middle of the digits above one, as far as keys are known to have them at any place:
    /// a key that begins with `0` may be a number or a digest, and digests reach up to `f`.
    fn half_way_from(&self, digit: char) -> Option<char> {
        let digits: BTreeSet<char> = self
            .places
            .iter()
            .flatten()
            .copied()
            .filter(|c| digit.is_ascii_hexdigit() && c.is_ascii_hexdigit() && *c > next(digit))
            .collect();
        digits.iter().nth(digits.len() / 2).copied()
    }

    /// A text after `from` and before `until` (`None`: no end) that begins as known keys do: in
    /// the middle of what is known to be possible at the first place that leaves a choice, at most
    /// `depth` characters in.
    pub(super) fn split_point(
        &self,
        from: &str,
        until: Option<&str>,
        depth: usize,
    ) -> Option<String> {
        let mut cut = String::new();
        for (place, known) in self.places.iter().enumerate().take(depth + 1) {
            let rest = bounds(from, until, &cut);
            let above = known.range(rest.low.map_or('\0', next)..);
            let between: Vec<char> = above
                .copied()
                .take_while(|c| rest.high.is_none_or(|high| *c < high))
                .collect();
            if let Some(middle) = between.get(between.len() / 2) {
                cut.push(*middle);
                return Some(cut);
            }
            cut.push(from.chars().nth(place)?);
        }
        None
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

/// How many characters two texts begin with in common.
pub(super) fn common_characters(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// The next character; surrogates are none.
fn next(character: char) -> char {
    (u32::from(character) + 1..=u32::from(char::MAX))
        .find_map(char::from_u32)
        .unwrap_or(char::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alphabet(keys: &[&str]) -> Alphabet {
        let mut alphabet = Alphabet::default();
        for key in keys {
            alphabet.learn(key);
        }
        alphabet
    }

    #[test]
    fn a_cut_begins_as_known_keys_do() {
        let days = alphabet(&["log/2024-01-31", "log/2024-12-05", "log/2025-06-19"]);
        let cut = |from, until| days.split_point(from, until, 99);
        assert_eq!(cut("log/2024-01-31", None).as_deref(), Some("log/2025"));
        let end = Some("log/2025");
        assert_eq!(cut("log/2024-01-31", end).as_deref(), Some("log/2024-1"));
        let end = Some("log/2024-1");
        assert_eq!(cut("log/2024-01-31", end).as_deref(), Some("log/2024-06"));
        assert_eq!(cut("log/2025-16-39", None), None, "nothing is known above");
    }

    #[test]
    fn there_is_a_probe_for_each_place_that_could_differ() {
        let new = Alphabet::default();
        assert_eq!(new.probes("a/1x", None, 9), ["a/1y", "a/2", "a0", "b"]);
        assert_eq!(new.probes("a/1x", None, 2), ["a/2", "a0", "b"]);
        assert_eq!(new.probes("a/1x", Some("a/9"), 9), ["a/1y", "a/2"]);
        let known = alphabet(&["x/1x"; 64]);
        assert_eq!(known.probes("x/1x", None, 9), ["x/2"], "numbers grow");
        let known = alphabet(&["x/01", "x/8f"]);
        assert_eq!(known.probes("x/0", None, 2), ["x/1", "x/f", "x0", "y"]);
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
            known in prop::collection::vec("[\\PC\u{0}-\u{30}]{0,6}", 0..5), depth in 0usize..8
        ) {
            let (from, until) = if a <= b { (a, b) } else { (b, a) };
            let until = end.then_some(until.as_str());
            let mut alphabet = Alphabet::default();
            for key in &known {
                alphabet.learn(key);
            }
            let cuts = alphabet
                .split_point(&from, until, depth)
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
