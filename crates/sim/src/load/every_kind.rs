//! A bucket of all that is hard: the keys and versions of [`Shape::EveryKind`](super::shape::Shape).
//!
//! Its keys come in blocks of one key of each of `KINDS`. All keys of a block begin in the same second, and so
//! do those of its neighbour, so that keys decide. In one block of `BLOCKS_A_TIE` several versions of a key
//! share a second; in the others they are a minute apart. Two hot keys stand between the blocks.

use super::kinds::What::{Huge, Marker, Parts, Put};
use super::kinds::{KINDS, LONG, LONGEST, What};
use super::numbers::{BEGIN, Entry, LENGTH, mix, spread};

/// What follows the stem of a hot key: behind all [`KINDS`].
const HOT: &str = "🤯/hot + %2B";

/// What keys begin with, each for a part of the blocks, in the order of their bytes.
const BEGINNINGS: [&str; 10] = [
    " space/",
    "\"quote\"/",
    "%25/",
    "+plus/",
    "/slash//",
    "logs/2024/",
    "tab\t/",
    "ünï/",
    "日本/",
    "😀/",
];

/// In one of so many blocks versions share seconds.
const BLOCKS_A_TIE: u64 = 32;

/// Seconds that are added a version in all other blocks.
const CALM: i64 = 61;

/// Where the versions of each kind begin in a block; behind the last: those of a block.
const STARTS: [u64; KINDS.len() + 1] = {
    let mut starts = [0; KINDS.len() + 1];
    let mut kind = 0;
    while kind < KINDS.len() {
        starts[kind + 1] = starts[kind] + KINDS[kind].1.len() as u64;
        kind += 1;
    }
    starts
};

const KEYS_A_BLOCK: u64 = KINDS.len() as u64;
const VERSIONS_A_BLOCK: u64 = STARTS[KINDS.len()];

/// A key with many versions.
#[derive(Debug, Clone, Copy)]
struct Hot {
    /// It stands behind so many blocks.
    blocks: u64,
    versions: u64,
    /// Whether three of its versions at a time share a second.
    has_ties: bool,
}

/// Where a key is.
enum Place {
    Hot(Hot),
    /// A block's number, and a kind's.
    Kind(u64, usize),
}

/// The numbers of such a bucket.
#[derive(Debug, Clone, Copy)]
pub struct EveryKind {
    versions: u64,
    hot: [Hot; 2],
}

impl EveryKind {
    /// A bucket of so many versions and delete markers: an eighth of one key, a 64th of another, the rest in
    /// blocks.
    #[must_use]
    pub fn new(versions: u64) -> Self {
        let (calm, tied) = if versions < 8 * VERSIONS_A_BLOCK {
            (0, 0)
        } else {
            (versions / 8, versions / 64)
        };
        let blocks = (versions - calm - tied) / VERSIONS_A_BLOCK;
        let hot = |blocks, versions, has_ties| Hot {
            blocks,
            versions,
            has_ties,
        };
        let hot = [
            hot(blocks / 3, tied, true),
            hot(blocks / 3 * 2, calm, false),
        ];
        Self { versions, hot }
    }

    fn in_blocks(&self) -> u64 {
        self.versions - self.hot.iter().map(|hot| hot.versions).sum::<u64>()
    }

    fn blocks(&self) -> u64 {
        self.in_blocks().div_ceil(VERSIONS_A_BLOCK)
    }

    /// The hot keys that are there, each with its number.
    fn hot_keys(&self) -> impl Iterator<Item = (u64, Hot)> {
        let there = self.hot.into_iter().filter(|hot| hot.versions > 0);
        (0..)
            .zip(there)
            .map(|(before, hot)| (hot.blocks * KEYS_A_BLOCK + before, hot))
    }

    /// How many keys there are.
    #[must_use]
    pub fn keys(&self) -> u64 {
        let (blocks, rest) = (
            self.in_blocks() / VERSIONS_A_BLOCK,
            self.in_blocks() % VERSIONS_A_BLOCK,
        );
        let last = STARTS[..KINDS.len()].iter().filter(|start| **start < rest);
        blocks * KEYS_A_BLOCK + last.count() as u64 + self.hot_keys().count() as u64
    }

    fn place(&self, key: u64) -> Place {
        let mut before = 0;
        for (number, hot) in self.hot_keys() {
            if key == number {
                return Place::Hot(hot);
            }
            before += u64::from(key > number);
        }
        let kind = usize::try_from((key - before) % KEYS_A_BLOCK).unwrap_or(0);
        Place::Kind((key - before) / KEYS_A_BLOCK, kind)
    }

    /// The number of a key's newest version in the listing.
    #[must_use]
    pub fn first_entry(&self, key: u64) -> u64 {
        let (mut keys, mut entries) = (key, 0);
        for (number, hot) in self.hot_keys() {
            if key > number {
                keys -= 1;
                entries += hot.versions;
            }
        }
        let kind = usize::try_from(keys % KEYS_A_BLOCK).unwrap_or(0);
        entries += keys / KEYS_A_BLOCK * VERSIONS_A_BLOCK + STARTS[kind];
        entries.min(self.versions)
    }

    /// Version `entry` of the listing.
    #[must_use]
    pub fn entry(&self, entry: u64) -> Entry {
        let (mut in_blocks, mut shift) = (entry, 0);
        for (number, hot) in self.hot_keys() {
            let first = self.first_entry(number);
            if entry >= first + hot.versions {
                in_blocks -= hot.versions;
                shift += 1;
            } else if entry >= first {
                return Entry {
                    key: number,
                    newer: entry - first,
                    older: hot.versions - (entry - first) - 1,
                };
            }
        }
        let at = in_blocks % VERSIONS_A_BLOCK;
        let kind = STARTS.partition_point(|start| *start <= at) - 1;
        let of_key = STARTS[kind + 1] - STARTS[kind];
        // The last block may end amid a key.
        let of_key = of_key.min(self.in_blocks() - (in_blocks - at) - STARTS[kind]);
        let newer = at - STARTS[kind];
        Entry {
            key: in_blocks / VERSIONS_A_BLOCK * KEYS_A_BLOCK + kind as u64 + shift,
            newer,
            older: of_key - newer - 1,
        }
    }

    /// A key by its number. Ascending.
    #[must_use]
    pub fn key(&self, key: u64) -> String {
        match self.place(key) {
            Place::Hot(hot) => self.stem(hot.blocks - 1) + HOT,
            Place::Kind(block, kind) => {
                let mut key = self.stem(block) + KINDS[kind].0;
                if KINDS[kind].0 == LONG {
                    key.extend(std::iter::repeat_n('l', LONGEST - key.len()));
                }
                key
            }
        }
    }

    /// What all keys of a block begin with.
    fn stem(&self, block: u64) -> String {
        let blocks = self.blocks().max(1);
        let part = u128::from(block) * BEGINNINGS.len() as u128 / u128::from(blocks);
        let beginning = BEGINNINGS[usize::try_from(part).unwrap_or(0)];
        format!("{beginning}{:016x}", spread(block, blocks))
    }

    /// `LastModified`, ms.
    #[must_use]
    pub fn last_modified(&self, entry: Entry) -> i64 {
        let older = entry.older.cast_signed();
        match self.place(entry.key) {
            Place::Hot(hot) if hot.has_ties => BEGIN + older / 3 * 5000,
            Place::Hot(_) => BEGIN + older * 2000,
            Place::Kind(block, kind) => {
                let begin = (mix(block / 2) % LENGTH.cast_unsigned()).cast_signed() / 1000 * 1000;
                let (second, _) = made(kind, entry);
                let calm = i64::from(!block.is_multiple_of(BLOCKS_A_TIE)) * CALM;
                BEGIN + begin + (second + older * calm) * 1000
            }
        }
    }

    /// What it is.
    #[must_use]
    pub fn what(&self, entry: Entry) -> What {
        match self.place(entry.key) {
            Place::Hot(_) if entry.older % 50 == 49 => Marker,
            Place::Hot(hot) if hot.has_ties && entry.older.is_multiple_of(9) => Parts(2),
            Place::Hot(_) => Put,
            // So that the sum of all sizes stays a number of 64 bits.
            Place::Kind(block, kind)
                if !block.is_multiple_of(BLOCKS_A_TIE) && made(kind, entry).1 == Huge =>
            {
                Parts(10_000)
            }
            Place::Kind(_, kind) => made(kind, entry).1,
        }
    }

    /// How many newer versions the one with the version id `null` has.
    #[must_use]
    pub fn newer_than_null(&self, key: u64) -> Option<u64> {
        let first = self.first_entry(key);
        let Place::Kind(..) = self.place(key) else {
            return None;
        };
        let versions = self.first_entry(key + 1) - first;
        (0..versions).find(|newer| self.what(self.entry(first + newer)).is_null())
    }
}

/// A version by its kind, and how many are older.
fn made(kind: usize, entry: Entry) -> (i64, What) {
    let versions = KINDS[kind].1;
    versions[usize::try_from(entry.older)
        .unwrap_or(0)
        .min(versions.len() - 1)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::load::kinds::What::{Empty, Null, NullMarker};

    /// `(key, LastModified in ms, what)`, as listed.
    fn all(bucket: &EveryKind) -> Vec<(String, i64, What)> {
        (0..bucket.versions)
            .map(|number| bucket.entry(number))
            .map(|entry| {
                (
                    bucket.key(entry.key),
                    bucket.last_modified(entry),
                    bucket.what(entry),
                )
            })
            .collect()
    }

    #[test]
    fn ties_are_few_and_of_both_sorts_and_a_hot_key_is_free_of_them() {
        let bucket = EveryKind::new(20_000);
        let all = all(&bucket);
        let (mut decided, mut undecided) = (BTreeSet::new(), BTreeSet::new());
        for versions in all.chunk_by(|a, b| a.0 == b.0) {
            for (place, tie) in versions.chunk_by(|a, b| a.1 == b.1).enumerate() {
                // Which is the latest tells the order of the newest two.
                match (tie.len(), place) {
                    (1, _) => continue,
                    (2, 0) => decided.insert(&versions[0].0),
                    _ => undecided.insert(&versions[0].0),
                };
            }
        }
        let keys = bucket.keys();
        assert!(
            (10..keys / 50).contains(&(decided.len() as u64)),
            "{decided:?}"
        );
        assert!(
            (20..keys / 50).contains(&(undecided.len() as u64)),
            "{undecided:?}"
        );
        let hot: Vec<_> = bucket
            .hot_keys()
            .map(|(number, hot)| (bucket.key(number), hot))
            .collect();
        for (key, hot) in hot {
            assert_eq!(undecided.contains(&key), hot.has_ties);
            assert_eq!(
                all.iter().filter(|version| version.0 == key).count() as u64,
                hot.versions
            );
        }
    }

    #[test]
    fn every_kind_is_there_at_any_size() {
        for versions in [0, 1, 7, 63, 64, 200, 1000, 5011] {
            let bucket = EveryKind::new(versions);
            let all = all(&bucket);
            assert!(all.is_sorted_by(|a, b| a.0 <= b.0), "{versions}");
            assert_eq!(
                all.chunk_by(|a, b| a.0 == b.0).count() as u64,
                bucket.keys(),
                "{versions}"
            );
            for number in 0..bucket.keys() {
                let nulls = (bucket.first_entry(number)..bucket.first_entry(number + 1))
                    .filter(|entry| bucket.what(bucket.entry(*entry)).is_null());
                let newer: Vec<_> = nulls
                    .map(|entry| entry - bucket.first_entry(number))
                    .collect();
                assert_eq!(
                    newer,
                    bucket
                        .newer_than_null(number)
                        .into_iter()
                        .collect::<Vec<_>>(),
                    "{number}"
                );
            }
        }
        let all = all(&EveryKind::new(5011));
        for what in [Put, Empty, Huge, Null, Marker, NullMarker] {
            assert!(all.iter().any(|version| version.2 == what), "{what:?}");
        }
        assert!(all.iter().any(|version| version.0.len() == LONGEST));
    }
}
