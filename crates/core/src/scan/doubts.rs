//! Keys whose order rests on what no page has proven yet, counted until the scan's end tells.

use serde::{Deserialize, Serialize};

use super::dialect::Dialect;
use super::ways::Doubt;
use crate::plan::manifest::Ambiguous;

/// Keys by what their order depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Doubts(Vec<(Doubt, Ambiguous)>);

impl Doubts {
    /// Counts a key in.
    pub fn add(&mut self, key: String, doubt: Doubt) {
        let Self(kinds) = self;
        if let Some((_, keys)) = kinds.iter_mut().find(|(kind, _)| *kind == doubt) {
            keys.add(key);
        } else {
            let mut keys = Ambiguous::default();
            keys.add(key);
            kinds.push((doubt, keys));
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys whose order is a guess: so far, or when all pages have come.
    #[must_use]
    pub fn ambiguous(&self, dialect: Dialect, all_is_listed: bool) -> Ambiguous {
        let mut ambiguous = Ambiguous::default();
        for (doubt, keys) in &self.0 {
            if doubt.is_a_guess(dialect, all_is_listed) {
                ambiguous.add_all(keys);
            }
        }
        ambiguous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURE: Doubt = Doubt {
        tie: false,
        lists: false,
        end: false,
    };

    #[test]
    fn what_is_proven_clears_doubts_up() {
        let mut doubts = Doubts::default();
        assert!(doubts.is_none());
        for (key, doubt) in [
            ("tie 1", Doubt { tie: true, ..SURE }),
            ("tie 2", Doubt { tie: true, ..SURE }),
            (
                "lists",
                Doubt {
                    lists: true,
                    ..SURE
                },
            ),
            ("end", Doubt { end: true, ..SURE }),
        ] {
            doubts.add(key.to_owned(), doubt);
        }
        for (apart, oldest_first, so_far, at_the_end) in [
            (None, None, (0, None), (4, Some("end"))),
            (Some(true), None, (2, Some("tie 1")), (3, Some("end"))),
            (Some(false), None, (0, None), (1, Some("end"))),
            (None, Some(true), (0, None), (3, Some("lists"))),
            (Some(false), Some(false), (0, None), (0, None)),
        ] {
            let mut dialect = Dialect::default();
            dialect.markers_apart.proven = apart;
            dialect.oldest_first.proven = oldest_first;
            for (all_is_listed, (keys, first)) in [(false, so_far), (true, at_the_end)] {
                let expected = Ambiguous {
                    keys,
                    first: first.map(str::to_owned),
                };
                assert_eq!(doubts.ambiguous(dialect, all_is_listed), expected);
            }
        }
    }
}
