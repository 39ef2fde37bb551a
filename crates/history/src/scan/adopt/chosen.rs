//! Rows that were chosen and are in no run yet. No I/O.

use bridge_core::listing::version::PlannedVersion;

use crate::plan::position::Position;
use crate::plan::run;

/// What an allocator adds to a text, about, bytes.
const A_TEXT: usize = 16;

/// Rows in memory.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    rows: Vec<PlannedVersion>,
    bytes: usize,
}

impl Chosen {
    pub(super) fn push(&mut self, row: PlannedVersion) {
        let version = &row.version;
        let e_tag = version
            .e_tag
            .as_ref()
            .map_or(0, |e_tag| e_tag.len() + A_TEXT);
        self.bytes += size_of::<PlannedVersion>()
            + version.key.len()
            + version.version_id.len()
            + e_tag
            + 2 * A_TEXT;
        self.rows.push(row);
    }

    /// Whether it is time for a run: `share` bytes of memory are taken.
    pub(super) fn is_full(&self, share: usize) -> bool {
        self.bytes >= share || self.rows.len() >= run::MOST_ROWS
    }

    /// In the order of a plan: as they came, unless runs overlap.
    ///
    /// # Errors
    /// The position of two rows.
    pub(super) fn sorted(self) -> Result<Vec<PlannedVersion>, Position> {
        let Self { mut rows, .. } = self;
        if !rows.is_sorted_by(|a, b| a.order_key() < b.order_key()) {
            rows.sort_unstable_by(|a, b| a.order_key().cmp(&b.order_key()));
        }
        let twice = rows
            .windows(2)
            .find(|two| two[0].order_key() == two[1].order_key());
        match twice {
            Some(two) => Err(Position::of(&two[0].borrowed())),
            None => Ok(rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::listing::version::ObjectVersion;
    use bridge_core::timestamp::Timestamp;

    use super::*;

    fn chosen(rows: &[(i64, &str, u64)]) -> Chosen {
        let mut chosen = Chosen::default();
        for (time, key, rank) in rows {
            chosen.push(PlannedVersion {
                effective_time: Timestamp(*time),
                rank: *rank,
                version: ObjectVersion {
                    key: (*key).to_owned(),
                    version_id: String::new(),
                    last_modified: Timestamp(*time),
                    is_latest: false,
                    is_delete_marker: false,
                    size: None,
                    e_tag: None,
                },
            });
        }
        chosen
    }

    fn keys(rows: &[PlannedVersion]) -> Vec<(&str, u64)> {
        rows.iter()
            .map(|row| (row.version.key.as_str(), row.rank))
            .collect()
    }

    #[test]
    fn rows_of_runs_that_overlap_are_sorted_and_one_that_is_there_twice_is_found() {
        let sorted = chosen(&[(2, "a", 0), (1, "b", 1), (1, "b", 0)])
            .sorted()
            .unwrap();
        assert_eq!(keys(&sorted), [("b", 0), ("b", 1), ("a", 0)]);
        let twice = chosen(&[(1, "a", 0), (2, "a", 1), (1, "a", 0)]).sorted();
        assert_eq!((twice.unwrap_err().effective_time), Timestamp(1));
    }

    #[test]
    fn memory_is_counted_with_texts() {
        let chosen = chosen(&[(0, &"k".repeat(1_000), 0)]);
        assert!(chosen.is_full(1_100) && !chosen.is_full(2_000));
    }
}
