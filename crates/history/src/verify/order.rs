//! Whether the versions of a key came in order.

use std::io;
use std::sync::Arc;

use bridge_core::timestamp::Timestamp;

use crate::verify::record::Arrival;
use crate::verify::scratch::Scratch;
use crate::verify::sorter::Sorter;

/// Memory for the versions of one key; those of a key with more are sorted outside of it.
const MEMORY: usize = 48 * 1024 * 1024;

/// Its files are numbered from here on: the others come nowhere near.
const FIRST_FILE: u64 = 1 << 40;

/// The versions of a key that came.
pub(super) struct KeyOrder {
    sorter: Sorter,
    versions: u64,
    record: Vec<u8>,
}

/// A version whose first delivery stands behind all deliveries of a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Late<'a> {
    /// Its id, as it was given.
    pub(super) version: &'a [u8],
    /// Its first delivery.
    pub(super) first: Arrival,
    /// The newer one's last delivery.
    pub(super) newer: Arrival,
    /// Its `LastModified`.
    pub(super) time: Timestamp,
}

impl KeyOrder {
    pub(super) fn new(scratch: Arc<dyn Scratch>) -> Self {
        Self {
            sorter: Sorter::new(scratch, MEMORY, FIRST_FILE),
            versions: 0,
            record: Vec::new(),
        }
    }

    /// Takes a version: its number in the bucket's order, its `LastModified`, its first and its last delivery.
    pub(super) fn push(
        &mut self,
        rank: u64,
        time: Timestamp,
        (first, last): (Arrival, Arrival),
        version: &[u8],
    ) -> io::Result<()> {
        self.versions += 1;
        self.record.clear();
        // Newest first: what is newer is known when a version is looked at.
        for number in [!rank, first.0, last.0, time.0.cast_unsigned()] {
            self.record.extend(number.to_be_bytes());
        }
        self.record.extend_from_slice(version);
        self.sorter.push(&self.record)
    }

    /// Hands out what came late, and forgets the key.
    pub(super) fn end(
        &mut self,
        mut each: impl FnMut(Late<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut earliest: Option<Arrival> = None;
        if std::mem::take(&mut self.versions) == 0 {
            return Ok(());
        }
        self.sorter.drain(|record| {
            let (numbers, version) = record.split_at(32);
            let (numbers, _) = numbers.as_chunks::<8>();
            let number = |at: usize| u64::from_be_bytes(numbers[at]);
            let [first, last] = [1, 2].map(|at| Arrival(number(at)));
            if let Some(newer) = earliest.filter(|newer| *newer < first) {
                each(Late {
                    version,
                    first,
                    newer,
                    time: Timestamp(number(3).cast_signed()),
                })?;
            }
            earliest = Some(earliest.map_or(last, |earliest| earliest.min(last)));
            Ok(())
        })
    }
}
