//! How many runs of a plan are read at the same time, and whether that is too many.

use bridge_core::listing::version::PlannedVersion;

use crate::plan::manifest::Run;
use crate::plan::position::Position;
use crate::plan::run::{ROWS_A_GROUP, ROWS_A_PAGE};

/// Of a merge's memory, in quarters, what runs are reckoned to take; the rest is for those that take more.
const QUARTERS: usize = 3;

/// How many runs may be read at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    /// Runs: as many footers and row groups are read before a job's first event.
    pub runs: usize,
    /// Bytes that they may take together.
    pub bytes: usize,
}

impl Width {
    /// Some of the runs that are read at the same time where too many are, behind `after`: once they are one
    /// sequence, fewer are. `None` when nowhere are too many.
    #[must_use]
    pub fn exceeded_by(&self, runs: &[Run], after: Option<&Position>) -> Option<Vec<usize>> {
        let mut deepest = deepest(runs, after);
        let taken: usize = deepest.iter().map(|run| bytes_held(&runs[*run])).sum();
        let each = taken / deepest.len().max(1);
        let fit = self.bytes / 4 * QUARTERS / each.max(1);
        let fit = fit.min(self.runs).max(2);
        if deepest.len() <= fit {
            return None;
        }
        let surplus = deepest.len() - fit;
        // Those that are written again soonest.
        deepest.sort_by_key(|run| runs[*run].bytes);
        deepest.truncate(fit.min(surplus + 1));
        Some(deepest)
    }
}

/// The runs that are read at the same time where most are.
fn deepest(runs: &[Run], after: Option<&Position>) -> Vec<usize> {
    let is_behind = |run: &Run| after.is_none_or(|after| run.last > *after);
    let mut begins: Vec<_> = runs
        .iter()
        .filter(|run| is_behind(run))
        .map(|run| after.map_or(run.begin(), |after| after.max(run.begin())))
        .collect();
    let behind = runs.iter().filter(|run| is_behind(run));
    let mut ends: Vec<_> = behind.map(|run| &run.last).collect();
    begins.sort();
    ends.sort();
    let (mut ended, mut most, mut place) = (0, 0, None);
    for (begun, begin) in (1..).zip(begins) {
        while ends.get(ended).is_some_and(|end| *end < begin) {
            ended += 1;
        }
        // A manifest may say that a run ends before it begins.
        let open = usize::saturating_sub(begun, ended);
        if open > most {
            most = open;
            place = Some(begin);
        }
    }
    let Some(place) = place else {
        return Vec::new();
    };
    let is_read = |run: &Run| is_behind(run) && run.begin() <= place && *place <= run.last;
    (0..runs.len()).filter(|run| is_read(&runs[*run])).collect()
}

/// Bytes that reading a run of this program takes, about: a row group as it is stored and a quarter of the next,
/// a page of each column and a few rows unpacked, and where its row groups are.
fn bytes_held(run: &Run) -> usize {
    let rows = usize::try_from(run.rows).unwrap_or(usize::MAX).max(1);
    let row = usize::try_from(run.bytes).unwrap_or(usize::MAX) / rows;
    let stored = row.saturating_mul(ROWS_A_GROUP.min(rows) * 5 / 4);
    // Unpacked, a row is about twice as long.
    let unpacked = row.saturating_mul(2 * ROWS_A_PAGE.min(rows));
    let decoded = ROWS_A_PAGE.min(rows) / 4 * (size_of::<PlannedVersion>() + 2 * row);
    let places = rows / ROWS_A_GROUP * 256;
    stored
        .saturating_add(unpacked)
        .saturating_add(decoded)
        .saturating_add(places)
}

#[cfg(test)]
mod tests {
    use bridge_core::timestamp::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn place(time: i64) -> Position {
        Position {
            effective_time: Timestamp(time),
            key: "a".to_owned(),
            rank: 0,
        }
    }

    fn run((first, length): (i64, i64)) -> Run {
        Run {
            name: "run".to_owned(),
            rows: 250_000,
            bytes: 25_000_000,
            footer_crc32: None,
            first: place(first),
            last: place(first + length),
            after: None,
        }
    }

    /// How many are read at any one time.
    fn depth_by_trying(runs: &[Run], after: Option<i64>) -> usize {
        (after.unwrap_or(0)..100)
            .map(|time| {
                let is_read = |run: &&Run| {
                    let begin = run.begin().effective_time.0.max(after.unwrap_or(0));
                    let last = run.last.effective_time.0;
                    after.is_none_or(|after| last > after) && (begin..=last).contains(&time)
                };
                runs.iter().filter(is_read).count()
            })
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn the_deepest_place_is_found(
            runs in prop::collection::vec((0i64..50, 0i64..50), 0..20),
            after in prop::option::of(0i64..60),
            trimmed in prop::option::of(0i64..60),
        ) {
            let mut runs: Vec<_> = runs.into_iter().map(run).collect();
            if let Some(first) = runs.first_mut() {
                first.after = trimmed.map(|time| place(time.min(first.last.effective_time.0)));
            }
            let position = after.map(place);
            let found = deepest(&runs, position.as_ref());
            prop_assert_eq!(found.len(), depth_by_trying(&runs, after));
        }
    }

    #[test]
    fn runs_that_take_more_than_there_is_are_too_many() {
        let width = |runs, mebibytes: usize| Width {
            runs,
            bytes: mebibytes << 20,
        };
        let all_overlap: Vec<_> = (0..400).map(|n| run((n, 1000))).collect();
        assert_eq!(width(400, 400).exceeded_by(&all_overlap, None), None);
        let few = width(399, 400).exceeded_by(&all_overlap, None).unwrap();
        assert_eq!(few.len(), 2, "one sequence less is enough");
        let many = width(400, 32).exceeded_by(&all_overlap, None).unwrap();
        assert!((40..100).contains(&many.len()), "{} at a time", many.len());
        let one_by_one: Vec<_> = (0..400).map(|n| run((n * 10, 9))).collect();
        assert_eq!(width(2, 1).exceeded_by(&one_by_one, None), None);
        assert_eq!(
            width(2, 1).exceeded_by(&all_overlap, Some(&place(1398))),
            None,
            "all but one have ended"
        );
    }
}
