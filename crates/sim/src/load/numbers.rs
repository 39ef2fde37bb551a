//! The numbers that a synthetic bucket is computed from.

/// When all histories begin: 2023-01-01.
pub(super) const BEGIN: i64 = 1_672_531_200_000;

/// How long they last: two years, ms.
pub(super) const LENGTH: i64 = 2 * 365 * 86_400_000;

/// One version by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The key's number.
    pub key: u64,
    /// How many newer versions the key has.
    pub newer: u64,
    /// How many older ones.
    pub older: u64,
}

/// Number `index` of `total`, spread over all 64-bit numbers at random and ascending.
pub(super) fn spread(index: u64, total: u64) -> u64 {
    let stride = u64::MAX / total.max(1);
    index * stride + mix(index) % stride.max(1)
}

/// A number that looks random (the finalizer of `SplitMix64`).
#[must_use]
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
