//! The largest few of many, exactly.

use bridge_core::timestamp::Timestamp;

/// A key with a number, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Top {
    /// The key.
    pub key: String,
    /// Its number.
    pub number: u64,
    /// When it had that.
    pub time: Timestamp,
}

/// The keys with the largest numbers. A key's numbers may rise as they are told.
#[derive(Debug)]
pub(crate) struct TopKeys {
    tops: Vec<Top>,
    most: usize,
}

impl TopKeys {
    /// Holds at most so many keys; few, since they are looked through.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            tops: Vec::new(),
            most,
        }
    }

    /// Tells a number of a key. Of equal ones those that came first stay.
    pub(crate) fn tell(&mut self, key: &str, number: u64, time: Timestamp) {
        let is_full = self.tops.len() >= self.most;
        if is_full && self.tops.last().is_none_or(|last| number <= last.number) {
            return;
        }
        match self.tops.iter_mut().find(|top| top.key == key) {
            Some(top) if number > top.number => (top.number, top.time) = (number, time),
            Some(_) => return,
            None => {
                if is_full {
                    self.tops.pop();
                }
                let key = key.to_owned();
                self.tops.push(Top { key, number, time });
            }
        }
        // Stable: what was there stays before its equals.
        self.tops.sort_by_key(|top| std::cmp::Reverse(top.number));
    }

    /// The largest first.
    pub(crate) fn tops(&self) -> &[Top] {
        &self.tops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_keys_with_the_largest_numbers_whatever_the_order() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            // Of each key the numbers 1 to n, shuffled among those of the others as a plan's rows are.
            let lasts: Vec<u64> = (0..200).map(|_| random.u64(1..30)).collect();
            let mut next = vec![1; lasts.len()];
            let mut top = TopKeys::new(10);
            let mut left: Vec<usize> = (0..lasts.len()).collect();
            while !left.is_empty() {
                let at = random.usize(..left.len());
                let key = left[at];
                top.tell(&format!("key {key}"), next[key], Timestamp(0));
                next[key] += 1;
                if next[key] > lasts[key] {
                    left.swap_remove(at);
                }
            }
            let mut expected = lasts.clone();
            expected.sort_unstable_by(|a, b| b.cmp(a));
            let found: Vec<_> = top.tops().iter().map(|top| top.number).collect();
            assert_eq!(found, expected[..10], "seed {seed}");
            for found in top.tops() {
                let key: usize = found.key[4..].parse().unwrap();
                assert_eq!(found.number, lasts[key], "seed {seed}");
            }
        }
    }
}
