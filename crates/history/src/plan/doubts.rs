//! Keys whose order rests on what no page has proven yet, counted until the scan ends.

use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::ways::Doubt;
use serde::{Deserialize, Serialize};

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

/// Keys whose order is a guess: the server lists delete markers apart from versions, and one of each is of
/// one moment; or it leaves out which entry is the latest, and times contradict the order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ambiguous {
    /// How many.
    pub keys: u64,
    /// The first of them by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

impl Ambiguous {
    /// Counts a key in.
    pub fn add(&mut self, key: String) {
        self.keys += 1;
        self.first = Some(
            self.first
                .take()
                .map_or(key.clone(), |first| first.min(key)),
        );
    }

    /// Counts others in.
    pub fn add_all(&mut self, others: &Self) {
        self.keys += others.keys;
        let firsts = self.first.iter().chain(&others.first);
        self.first = firsts.min().cloned();
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.keys == 0 && self.first.is_none()
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
