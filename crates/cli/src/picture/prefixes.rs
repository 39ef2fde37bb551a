//! How much there is below each prefix that ends with a slash, in bounded memory.

use std::cmp::Reverse;

use crate::picture::heavy::{Additive, Heavy};

/// Levels of prefixes that are counted.
const LEVELS: usize = 4;

/// Prefixes of a level that are known at the same time.
const MOST: usize = 8_192;

/// Bytes of a prefix that is counted, at most: with the numbers above, 16 MiB in all. What is deeper
/// counts for the prefix above it.
const MOST_BYTES: usize = 512;

/// Prefixes directly below one that are named.
const MOST_PARTS: usize = 5;

/// A prefix, what it has at least, and how many events it may have more.
type Known<'a, W> = (&'a str, W, u64);

/// Counts by prefix.
#[derive(Debug)]
pub(crate) struct Prefixes<W> {
    /// Bytes that all keys have in common: levels begin behind them.
    common: usize,
    levels: Vec<Heavy<W>>,
    /// Keys without a slash behind what is common.
    without: W,
    all: W,
}

/// A line of what has been counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line<W> {
    /// Of which keys.
    pub of: Of,
    /// How many lines that it is part of stand above it.
    pub depth: usize,
    /// What they have, at least.
    pub weight: W,
    /// Events that they may have more; 0 is exact.
    pub missed: u64,
}

/// Of which keys a [`Line`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Of {
    /// Those that begin so.
    Prefix(String),
    /// Those without a slash.
    WithoutSlash,
    /// All that no other line tells of.
    Others,
}

impl<W: Additive> Prefixes<W> {
    /// All keys begin with `common`.
    pub(crate) fn new(common: &str) -> Self {
        Self {
            common: common.len(),
            levels: (0..LEVELS).map(|_| Heavy::new(MOST)).collect(),
            without: W::default(),
            all: W::default(),
        }
    }

    /// Counts in what there is of a key.
    pub(crate) fn add(&mut self, key: &str, weight: W) {
        self.all.add(weight);
        let slashes = key.bytes().enumerate().skip(self.common);
        let ends = slashes
            .filter(|(_, byte)| *byte == b'/')
            .map(|(at, _)| at + 1);
        let mut has_one = false;
        for (level, end) in self.levels.iter_mut().zip(ends) {
            if end > MOST_BYTES && has_one {
                break;
            }
            has_one = true;
            level.add(&key[..key.floor_char_boundary(end.min(MOST_BYTES))], weight);
        }
        if !has_one {
            self.without.add(weight);
        }
    }

    /// The prefixes with most events, at most so many, each behind the one it is part of; a prefix that only
    /// repeats what one below it has is left out. Then what they do not tell of.
    pub(crate) fn lines(&self, most: usize) -> Vec<Line<W>> {
        let chosen = self.choose(most);
        let mut lines = Vec::new();
        place(&chosen, None, 0, &mut lines);
        if self.without.events() > 0 {
            lines.push(Line {
                of: Of::WithoutSlash,
                depth: 0,
                weight: self.without,
                missed: 0,
            });
        }
        lines.extend(self.others(&lines));
        lines
    }

    /// First those that are part of no other, then some of each of these: else the parts of one that is large
    /// would leave no room for others.
    fn choose(&self, most: usize) -> Vec<Known<'_, W>> {
        let mut known: Vec<Known<W>> = self.levels.iter().flat_map(Heavy::iter).collect();
        // By events, then the longer first: the same events as one below it means the same keys.
        known.sort_unstable_by_key(|(text, weight, _)| {
            (Reverse((weight.events(), text.len())), *text)
        });
        let (mut chosen, mut parts) = (Vec::new(), Vec::new());
        for candidate in known {
            if above(candidate.0, &chosen).is_some() {
                parts.push(candidate);
            } else if chosen.len() < most && !is_repeated(candidate, &chosen) {
                chosen.push(candidate);
            }
        }
        for (at, candidate) in parts.iter().enumerate() {
            if chosen.len() == most {
                break;
            }
            let parent = above(candidate.0, &chosen);
            let siblings = chosen
                .iter()
                .filter(|(text, ..)| above(text, &chosen) == parent);
            if siblings.count() < MOST_PARTS && !is_repeated(*candidate, &parts[..at]) {
                chosen.push(*candidate);
            }
        }
        chosen
    }

    /// What is in no line, at most.
    fn others(&self, lines: &[Line<W>]) -> Option<Line<W>> {
        let mut others = self.all;
        for line in lines.iter().filter(|line| line.depth == 0) {
            others.take(line.weight);
        }
        (others.events() > 0).then_some(Line {
            of: Of::Others,
            depth: 0,
            weight: others,
            missed: 0,
        })
    }
}

/// Whether one of those before it, which have as many events or more, is below a prefix and has as many.
fn is_repeated<W: Additive>((text, weight, _): Known<W>, before: &[Known<W>]) -> bool {
    let same = before
        .iter()
        .rev()
        .take_while(|(_, its, _)| its.events() == weight.events());
    same.map(|(below, ..)| *below)
        .any(|below| below != text && below.starts_with(text))
}

/// The nearest of these that a prefix is part of.
fn above<'a, W>(text: &str, chosen: &[Known<'a, W>]) -> Option<&'a str> {
    let chosen = chosen.iter().map(|(other, ..)| *other);
    chosen
        .filter(|other| *other != text && text.starts_with(other))
        .max_by_key(|other| other.len())
}

/// Those directly below `parent` among the chosen, the largest first, each with what is below it.
fn place<W: Additive>(
    chosen: &[Known<W>],
    parent: Option<&str>,
    depth: usize,
    lines: &mut Vec<Line<W>>,
) {
    let below = chosen
        .iter()
        .filter(|(text, ..)| above(text, chosen) == parent);
    let mut below: Vec<_> = below.collect();
    below.sort_by_key(|(_, weight, _)| Reverse(weight.events()));
    for (text, weight, missed) in below {
        lines.push(Line {
            of: Of::Prefix((*text).to_owned()),
            depth,
            weight: *weight,
            missed: *missed,
        });
        place(chosen, Some(text), depth + 1, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::heavy::Weight;

    fn lines(common: &str, most: usize, keys: &[(&str, u64)]) -> Vec<(String, usize, u64)> {
        let mut prefixes = Prefixes::new(common);
        for (key, events) in keys {
            let weight = Weight {
                events: *events,
                removed: 1,
                bytes: 2,
            };
            prefixes.add(key, weight);
        }
        let lines = prefixes.lines(most).into_iter();
        let named = lines.map(|line| match line.of {
            Of::Prefix(text) => (text, line.depth, line.weight.events),
            Of::WithoutSlash => ("-".to_owned(), line.depth, line.weight.events),
            Of::Others => ("*".to_owned(), line.depth, line.weight.events),
        });
        named.collect()
    }

    fn line(text: &str, depth: usize, events: u64) -> (String, usize, u64) {
        (text.to_owned(), depth, events)
    }

    #[test]
    fn prefixes_stand_below_those_they_are_part_of() {
        let keys = [
            ("logs/2024/a", 50),
            ("logs/2023/b", 30),
            ("users/c", 40),
            ("top", 5),
            ("tiny/d", 1),
        ];
        let expected = [
            line("logs/", 0, 80),
            line("logs/2024/", 1, 50),
            line("users/", 0, 40),
            line("tiny/", 0, 1),
            line("-", 0, 5),
        ];
        assert_eq!(lines("", 4, &keys), expected);
        let expected = [
            line("logs/", 0, 80),
            line("users/", 0, 40),
            line("-", 0, 5),
            line("*", 0, 1),
        ];
        assert_eq!(lines("", 2, &keys), expected);
    }

    #[test]
    fn a_prefix_that_only_repeats_one_below_it_is_left_out() {
        let keys = [("a/b/c/1", 2), ("a/b/c/2", 3), ("z/y/1", 1)];
        assert_eq!(
            lines("", 10, &keys),
            [line("a/b/c/", 0, 5), line("z/y/", 0, 1)]
        );
        assert_eq!(
            lines("a/b/c/", 10, &[("a/b/c/d/1", 2), ("a/b/c/2", 3)]),
            [line("a/b/c/d/", 0, 2), line("-", 0, 3)]
        );
    }

    #[test]
    fn the_parts_of_a_large_one_leave_room_for_others() {
        let mut keys: Vec<(String, u64)> = (0..30)
            .map(|at| (format!("a/{at:02}/x"), 100 - at))
            .collect();
        keys.push(("b/1/x".to_owned(), 3));
        keys.push(("b/2/x".to_owned(), 2));
        let keys: Vec<_> = keys
            .iter()
            .map(|(key, events)| (key.as_str(), *events))
            .collect();
        let found = lines("", 20, &keys);
        let names: Vec<_> = found.iter().map(|(text, ..)| text.as_str()).collect();
        let expected = [
            "a/", "a/00/", "a/01/", "a/02/", "a/03/", "a/04/", "b/", "b/1/", "b/2/",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_prefix_may_be_as_long_as_a_key_and_of_any_text() {
        let long = format!("{}/x/y", "海".repeat(1_000));
        let found = lines("", 10, &[(&long, 7), ("//", 2)]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0.len(), found[0].2), (510, 7));
        assert_eq!(found[1], line("//", 0, 2));
    }
}
