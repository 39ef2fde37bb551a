//! What characters keys have been seen to have at each place, and which others they may have. No I/O.

/// Parts of the keyspace that are smaller than this are not told apart.
const LEAST_SCALE: f64 = 1e-9;

/// Pages whose keys must have had one letter or sign at a place before it is taken to be always there.
/// Digits are never taken so: numbers grow.
const PAGES_BEFORE_FIXED: u32 = 6;

/// What characters keys have been seen to have at each place.
#[derive(Debug, Default)]
pub(super) struct Alphabet {
    places: Vec<Place>,
    /// How many pages have been seen.
    pages: u32,
}

#[derive(Debug, Default)]
struct Place {
    /// What keys have been seen to have here, ascending.
    seen: Vec<char>,
    /// The same, and what they may have: the digits of the number or digest that goes on here.
    possible: Vec<char>,
    /// Keys have been seen to go past its last character. Before, nobody knows how far it goes.
    is_known: bool,
}

impl Alphabet {
    /// Takes note of keys that follow each other in a page, not all of them; the page was asked for behind
    /// `marker`, which need not be a key.
    pub(super) fn learn<'a>(
        &mut self,
        marker: Option<&'a str>,
        keys: impl Iterator<Item = &'a str>,
    ) {
        let mut is_new = false;
        let mut before = marker;
        self.pages = self.pages.saturating_add(1);
        for key in keys {
            for (place, character) in key.chars().enumerate() {
                if place == self.places.len() {
                    self.places.push(Place::default());
                }
                let seen = &mut self.places[place].seen;
                if let Err(at) = seen.binary_search(&character) {
                    seen.insert(at, character);
                    is_new = true;
                }
            }
            if let Some(before) = before.replace(key) {
                let length = before.chars().count().min(self.places.len());
                let behind = (common_characters(before, key) + 1).min(length);
                for place in &mut self.places[behind..length] {
                    is_new |= !place.is_known;
                    place.is_known = true;
                }
            }
        }
        if is_new {
            self.find_possible();
        }
    }

    /// A place of which not all has been seen may have what the next one has, if that includes most of what it
    /// has been seen to have: both are digits of one number or digest. A number's digits are all possible.
    fn find_possible(&mut self) {
        let mut behind: Vec<char> = Vec::new();
        for place in self.places.iter_mut().rev() {
            let is_unknown = !place.is_known;
            let others: Vec<char> = (place.seen.iter().copied())
                .filter(|c| behind.binary_search(c).is_err())
                .collect();
            let seems_same = behind.len() > place.seen.len() && others.len() * 2 < place.seen.len();
            place.possible = if is_unknown && seems_same {
                let mut both = [&behind[..], &others[..]].concat();
                both.sort_unstable();
                both
            } else if is_unknown && place.seen.iter().all(char::is_ascii_digit) {
                ('0'..='9').collect()
            } else {
                place.seen.clone()
            };
            behind.clone_from(&place.possible);
        }
    }

    /// What keys may have at a place.
    pub(super) fn possible(&self, place: usize) -> &[char] {
        self.places.get(place).map_or(&[], |place| &place.possible)
    }

    /// How far `key` lies in the keyspace behind its first `skip` characters, 0 to 1, if all possible
    /// characters were as frequent as each other at each place.
    #[expect(clippy::cast_precision_loss, reason = "there are fewer characters")]
    pub(super) fn fraction(&self, key: &str, skip: usize) -> f64 {
        let (mut fraction, mut scale) = (0.0, 1.0);
        let places = self.places.iter().skip(skip);
        for (character, place) in key.chars().skip(skip).zip(places) {
            let size = place.possible.len() as f64;
            let before = place.possible.partition_point(|c| *c < character);
            fraction += scale * before as f64 / size;
            scale /= size;
            if scale < LEAST_SCALE {
                break;
            }
        }
        fraction
    }

    /// One text for each place of `from`, at most `depth` characters in, at which keys after it
    /// could differ: asking for all of them at once shows how far the keyspace reaches at each
    /// place. Empty when no place is known to vary.
    pub(super) fn probes(&self, from: &str, until: Option<&str>, depth: usize) -> Vec<String> {
        let is_fixed = |place: usize, character: char| {
            self.pages >= PAGES_BEFORE_FIXED
                && !character.is_ascii_digit()
                && self.possible(place).len() == 1
        };
        let mut probes: Vec<String> = from
            .char_indices()
            .enumerate()
            .take(depth + 1)
            .filter(|(place, (_, character))| !is_fixed(*place, *character))
            .flat_map(|(place, (at, character))| {
                let further = self.half_way_from(place, character);
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

    /// The middle of what is possible at a place above a character: a key that begins with `0` may be a number
    /// or a digest, and digests reach up to `f`.
    fn half_way_from(&self, place: usize, character: char) -> Option<char> {
        let possible = self.possible(place);
        let above = &possible[possible.partition_point(|c| *c <= next(character))..];
        above.get(above.len() / 2).copied()
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
    use super::*;

    /// Of pages of one key each.
    fn alphabet(keys: &[&str]) -> Alphabet {
        let mut alphabet = Alphabet::default();
        for key in keys {
            alphabet.learn(None, std::iter::once(*key));
        }
        alphabet
    }

    /// Of one page.
    fn page(marker: &str, keys: &[&str]) -> Alphabet {
        let mut alphabet = Alphabet::default();
        alphabet.learn(Some(marker), keys.iter().copied());
        alphabet
    }

    #[test]
    fn a_place_that_nobody_has_looked_at_may_have_what_the_next_one_has() {
        let digest = page("", &["0ä", "0f", "0z"]);
        assert_eq!(
            digest.possible(0),
            ('0'..='9').collect::<Vec<_>>(),
            "a number may grow"
        );
        let mut digest = page("", &["aab", "abä", "aca", "bda"]);
        assert_eq!(digest.possible(0), ['a', 'b', 'c', 'd']);
        digest.learn(Some("c"), std::iter::empty());
        assert_eq!(digest.possible(0), ['a', 'b', 'c', 'd']);
        // Behind "c/x" something begins with "d": no key goes on with more than "c/x".
        let seen = page("c/x", &["d/a", "d/bz"]);
        assert!(seen.places[2].is_known && !seen.places[0].is_known);
    }

    #[test]
    fn there_is_a_probe_for_each_place_that_could_differ() {
        let new = Alphabet::default();
        assert_eq!(new.probes("a/1x", None, 9), ["a/1y", "a/2", "a0", "b"]);
        assert_eq!(new.probes("a/1x", None, 2), ["a/2", "a0", "b"]);
        assert_eq!(new.probes("a/1x", Some("a/9"), 9), ["a/1y", "a/2"]);
        let known = alphabet(&["x/1x"; 6]);
        assert_eq!(
            known.probes("x/1x", None, 9),
            ["x/2", "x/6"],
            "numbers grow"
        );
        let known = page("", &["x/01", "x/08", "x/0f", "x/1a"]);
        assert_eq!(known.probes("x/0", None, 2), ["x/1", "x/6", "x0", "y"]);
    }
}
