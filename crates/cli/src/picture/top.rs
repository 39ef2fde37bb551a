//! The largest few of many, exactly.

use std::cmp::Reverse;

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

impl Top {
    /// Among others.
    fn place(&self) -> (Reverse<u64>, Timestamp, &str) {
        (Reverse(self.number), self.time, &self.key)
    }
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

    /// Tells a number of a key. Of equal ones those of the earliest times are kept, whatever the order in which they are
    /// told.
    pub(crate) fn tell(&mut self, key: &str, number: u64, time: Timestamp) {
        let is_full = self.tops.len() >= self.most;
        let told = (Reverse(number), time, key);
        if is_full && self.tops.last().is_none_or(|last| told >= last.place()) {
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
        self.tops.sort_by(|a, b| a.place().cmp(&b.place()));
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
