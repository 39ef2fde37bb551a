//! Any number of records, sorted in any memory.

use std::sync::Arc;

use bridge_history::verify::sorter::Sorter;
use proptest::prelude::*;

use crate::memory::Files;

proptest! {
    #[test]
    fn records_come_out_sorted_and_whole_whatever_the_memory(
        records in prop::collection::vec(prop::collection::vec(0u8..4, 0..9), 0..700),
        memory in 32usize..5_000
    ) {
        let files = Arc::new(Files::default());
        let mut sorter = Sorter::new(files.clone(), memory, 0);
        for (number, record) in records.iter().enumerate() {
            sorter.push(record).unwrap();
            if number == 300 {
                sorter.rest().unwrap();
            }
        }
        let sorted = sorter.finish().unwrap();
        prop_assert_eq!(sorted.len(), records.len() as u64);
        let mut expected = records;
        expected.sort();
        for _ in 0..2 {
            let mut merge = sorted.merge().unwrap();
            for record in &expected {
                prop_assert_eq!(merge.next_record().unwrap(), Some(&record[..]));
            }
            prop_assert_eq!(merge.next_record().unwrap(), None);
        }
    }

    #[test]
    fn a_sorter_that_was_drained_is_as_new(
        rounds in prop::collection::vec(prop::collection::vec(any::<[u8; 3]>(), 0..50), 1..6),
        memory in 32usize..2_000
    ) {
        let files = Arc::new(Files::default());
        let mut sorter = Sorter::new(files.clone(), memory, 0);
        for mut records in rounds {
            for record in &records {
                sorter.push(record).unwrap();
            }
            let mut drained = vec![];
            sorter.drain(|record| { drained.push(<[u8; 3]>::try_from(record).unwrap()); Ok(()) }).unwrap();
            records.sort_unstable();
            prop_assert_eq!(drained, records);
            prop_assert_eq!(files.count(), 0);
        }
    }
}
