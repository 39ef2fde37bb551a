//! Records in memory, sorted there.

/// Bytes that a record's place takes.
const PLACE_BYTES: usize = size_of::<Place>();

/// Where a record is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Its first bytes behind what all records begin with: most comparisons need no more, and need not look
    /// into far memory.
    head: u64,
    offset: u32,
    length: u32,
}

/// Records in memory. Cleared, it keeps its memory for the next ones.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Chunk {
    /// Bytes of memory that it fills.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.places.len() * PLACE_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Takes a record, if there is room: places have 32 bits.
    pub(super) fn push(&mut self, record: &[u8]) -> bool {
        let (Ok(offset), Ok(length)) =
            (u32::try_from(self.bytes.len()), u32::try_from(record.len()))
        else {
            return false;
        };
        self.bytes.extend_from_slice(record);
        self.places.push(Place {
            head: 0,
            offset,
            length,
        });
        true
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    /// Sorts the records by their bytes.
    pub(super) fn sort(&mut self) {
        let shared = self.shared();
        let bytes = &self.bytes;
        for place in &mut self.places {
            place.head = head(&of(bytes, *place)[shared..]);
        }
        self.places.sort_unstable_by(|a, b| {
            a.head
                .cmp(&b.head)
                .then_with(|| of(bytes, *a)[shared..].cmp(&of(bytes, *b)[shared..]))
        });
    }

    /// The records, in the order of their places.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|place| of(&self.bytes, *place))
    }

    /// Bytes that all records begin with.
    fn shared(&self) -> usize {
        let mut records = self.records();
        let Some(first) = records.next() else {
            return 0;
        };
        records.fold(first.len(), |shared, record| {
            shared_bytes(&first[..shared], record)
        })
    }
}

fn of(bytes: &[u8], place: Place) -> &[u8] {
    let offset = place.offset as usize;
    &bytes[offset..offset + place.length as usize]
}

/// Eight bytes as a number that compares as they do; where there are fewer, zeros.
fn head(bytes: &[u8]) -> u64 {
    let mut head = [0; 8];
    let length = bytes.len().min(8);
    head[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(head)
}

/// How many bytes both begin with.
pub(super) fn shared_bytes(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_are_sorted_as_their_bytes(
            prefix in prop::collection::vec(any::<u8>(), 0..12),
            records in prop::collection::vec(prop::collection::vec(0u8..3, 0..14), 0..80)
        ) {
            let mut records: Vec<Vec<u8>> =
                records.into_iter().map(|record| [prefix.clone(), record].concat()).collect();
            let mut chunk = Chunk::default();
            for record in &records {
                prop_assert!(chunk.push(record));
            }
            chunk.sort();
            records.sort();
            let sorted: Vec<&[u8]> = chunk.records().collect();
            prop_assert_eq!(sorted, records);
        }
    }
}
