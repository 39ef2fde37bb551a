//! The texts that come most often, in bounded memory.

use std::collections::HashMap;

/// What can be added up of a text.
pub(crate) trait Additive: Copy + Default {
    /// How many events there are: the more, the better a text is known.
    fn events(&self) -> u64;
    /// Adds another's.
    fn add(&mut self, other: Self);
    /// Takes away what was added.
    fn take(&mut self, part: Self);
}

/// What a plan has of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Events.
    pub events: u64,
    /// Of these, delete markers.
    pub removed: u64,
    /// The object versions' sizes, bytes.
    pub bytes: u64,
}

impl Additive for Weight {
    fn events(&self) -> u64 {
        self.events
    }

    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.removed += other.removed;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn take(&mut self, part: Self) {
        self.events -= part.events;
        self.removed -= part.removed;
        self.bytes = self.bytes.saturating_sub(part.bytes);
    }
}

/// Counts of texts: exact until there are more than a bound, then those of the frequent ones, at least.
///
/// When there are too many, the half with the fewest events is forgotten. Whoever comes later may have
/// been among them, and so may have missed as many as the largest of these; what comes often comes
/// through. No text misses more than twice the sum of all divided by the bound.
/// Source of the idea: Misra and Gries, "Finding repeated elements", 1982.
#[derive(Debug)]
pub(crate) struct Heavy<W> {
    known: HashMap<Box<str>, Known<W>>,
    most: usize,
    /// Events that a forgotten text may have had.
    forgotten: u64,
}

#[derive(Debug, Clone, Copy)]
struct Known<W> {
    weight: W,
    /// Events that it may have had before.
    missed: u64,
}

impl<W: Additive> Known<W> {
    fn at_most(&self) -> u64 {
        self.weight.events() + self.missed
    }
}

impl<W: Additive> Heavy<W> {
    /// Holds at most so many texts.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            known: HashMap::new(),
            most,
            forgotten: 0,
        }
    }

    /// Counts one in.
    pub(crate) fn add(&mut self, text: &str, weight: W) {
        if let Some(known) = self.known.get_mut(text) {
            known.weight.add(weight);
            return;
        }
        if self.known.len() >= self.most {
            self.forget_half();
        }
        let missed = self.forgotten;
        self.known.insert(text.into(), Known { weight, missed });
    }

    fn forget_half(&mut self) {
        let mut events: Vec<_> = self.known.values().map(Known::at_most).collect();
        let middle = events.len() / 2;
        let (_, largest, _) = events.select_nth_unstable(middle);
        self.forgotten = *largest;
        let forgotten = self.forgotten;
        self.known.retain(|_, known| known.at_most() > forgotten);
    }

    /// The texts that are known, in no order: what each has at least, and how many events it may have
    /// more.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, W, u64)> {
        let known = self.known.iter();
        known.map(|(text, known)| (&**text, known.weight, known.missed))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const ONE: Weight = Weight {
        events: 1,
        removed: 0,
        bytes: 10,
    };

    #[test]
    fn few_texts_are_counted_exactly() {
        let mut heavy = Heavy::new(3);
        for text in ["a", "b", "a", "c", "a"] {
            heavy.add(text, ONE);
        }
        let mut counts: Vec<_> = heavy
            .iter()
            .map(|(text, w, m)| (text, w.events, m))
            .collect();
        counts.sort_unstable();
        assert_eq!(counts, [("a", 3, 0), ("b", 1, 0), ("c", 1, 0)]);
    }

    #[test]
    fn of_many_the_frequent_are_known_and_each_has_what_it_is_said_to_have() {
        const EVENTS: u64 = 20_000;
        const MOST: usize = 64;
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut heavy, mut truth) = (Heavy::new(MOST), BTreeMap::<String, u64>::new());
            for _ in 0..EVENTS {
                // Five texts are half of all, the others are of a thousand.
                let text = if random.bool() {
                    format!("often {}", random.u32(0..5))
                } else {
                    format!("seldom {}", random.u32(0..1_000))
                };
                heavy.add(&text, ONE);
                *truth.entry(text).or_default() += 1;
            }
            let told: BTreeMap<_, _> = heavy.iter().map(|(text, w, m)| (text, (w, m))).collect();
            assert!(told.len() <= MOST, "seed {seed}");
            for often in 0..5 {
                assert!(told.contains_key(&*format!("often {often}")), "seed {seed}");
            }
            for (text, (weight, missed)) in told {
                let real = truth[text];
                let within = weight.events..=weight.events + missed;
                assert!(
                    within.contains(&real),
                    "seed {seed}: {text} {real} {within:?}"
                );
                assert_eq!(weight.bytes, weight.events * 10, "seed {seed}");
                assert!(missed <= 2 * EVENTS / MOST as u64, "seed {seed}");
            }
        }
    }
}
