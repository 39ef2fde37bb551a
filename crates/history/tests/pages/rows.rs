//! All rows come as they are, whatever pages they stand in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bridge_core::listing::version::{ObjectVersion, PlannedVersion};
use bridge_core::timestamp::Timestamp;
use bridge_history::plan::budget::Budget;
use bridge_history::plan::merge::Merge;
use bridge_history::plan::position::Position;
use bridge_history::plan::store::PlanError;
use proptest::prelude::*;

use crate::file::{Column, Sparse, place, run};
use crate::page::{Coding, Kind, PLAIN, Style, Values};
use crate::reading::{counted, turn};

const ROWS: usize = 400;

/// More than an eighth of it is not held whole.
const BUDGET: usize = 4 << 20;

/// How the pages of a column are.
#[derive(Debug, Clone)]
struct Pages {
    /// Of how many rows, over and over.
    rows: Vec<usize>,
    /// Which of them are of version 2, by bits; the others are of version 1.
    of_version_2: u64,
    /// Up to which row they are places in a dictionary.
    in_dictionary: usize,
    style: Style,
}

fn pages() -> impl Strategy<Value = Pages> {
    let rows = prop::collection::vec(prop_oneof![Just(0_usize), 1..4_usize, 1..200_usize], 1..6);
    let rows = rows.prop_map(|mut rows| {
        rows.push(50);
        rows
    });
    let in_dictionary = prop_oneof![Just(0), Just(ROWS), 1..ROWS];
    (rows, any::<u64>(), in_dictionary, any::<[bool; 2]>()).prop_map(
        |(rows, of_version_2, in_dictionary, [is_nullable, is_packed])| Pages {
            rows,
            of_version_2,
            in_dictionary,
            style: Style {
                is_nullable,
                is_packed,
            },
        },
    )
}

fn version(row: usize, long: usize) -> PlannedVersion {
    let number = u64::try_from(row).unwrap();
    let is_delete_marker = row.is_multiple_of(7);
    PlannedVersion {
        effective_time: Timestamp(number.cast_signed()),
        rank: 0,
        version: ObjectVersion {
            key: format!("{row}/{}", "k".repeat(long)),
            version_id: format!("v{row}"),
            last_modified: Timestamp(5 * number.cast_signed()),
            is_latest: row.is_multiple_of(3),
            is_delete_marker,
            size: (!is_delete_marker).then_some(number * 1000),
            e_tag: (!is_delete_marker).then(|| format!("e{row}")),
        },
    }
}

fn values(rows: &[PlannedVersion]) -> [Values; 9] {
    let numbers =
        |of: fn(&PlannedVersion) -> Option<i64>| Values::Numbers(rows.iter().map(of).collect());
    let texts = |of: fn(&ObjectVersion) -> Option<String>| {
        Values::Texts(rows.iter().map(|row| of(&row.version)).collect())
    };
    let booleans = |of: fn(&ObjectVersion) -> bool| {
        Values::Booleans(rows.iter().map(|row| of(&row.version)).collect())
    };
    [
        numbers(|row| Some(row.effective_time.0)),
        texts(|version| Some(version.key.clone())),
        numbers(|row| Some(row.rank.cast_signed())),
        texts(|version| Some(version.version_id.clone())),
        numbers(|row| Some(row.version.last_modified.0)),
        booleans(|version| version.is_delete_marker),
        booleans(|version| version.is_latest),
        numbers(|row| row.version.size.map(u64::cast_signed)),
        texts(|version| version.e_tag.clone()),
    ]
}

fn column(values: Values, mut pages: Pages, may_be_null: bool) -> Column {
    pages.style.is_nullable |= may_be_null;
    if matches!(values, Values::Booleans(_)) {
        pages.in_dictionary = 0;
    }
    let mut column = Column::new(values, pages.style);
    if pages.in_dictionary > 0 {
        column.dictionary(0);
    }
    let (mut row, mut number) = (0, 0);
    for rows in pages.rows.iter().cycle() {
        let end = ROWS.min(row + rows);
        let coding = [Coding::Plain, Coding::Dictionary][usize::from(row < pages.in_dictionary)];
        let is_version_2 = pages.of_version_2 >> (number % 64) & 1 == 1;
        let kind = Kind {
            coding,
            is_version_2,
            ..PLAIN
        };
        column.page(row..end, kind);
        (row, number) = (end, number + 1);
        if row == ROWS {
            break;
        }
    }
    column.page(ROWS..ROWS, PLAIN);
    column
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_read_as_they_are_from_any_place_on(
        pages in prop::collection::vec(pages(), 9),
        is_whole in any::<bool>(),
        after in prop::option::of(0..ROWS),
    ) {
        let _turn = turn();
        let long = if is_whole { 100 } else { 1_500 };
        let rows: Vec<_> = (0..ROWS).map(|row| version(row, long)).collect();
        let columns = values(&rows).into_iter().zip(pages).enumerate();
        let columns = columns.map(|(index, (values, pages))| column(values, pages, index > 6));
        let ends = [0, ROWS - 1].map(|row| Position::of(&rows[row].borrowed()));
        let (file, run) = run(columns.collect(), ends, String::new());
        let position = after.map(|row| place(row, &rows[row].version.key));
        let store = Arc::<Sparse>::clone(&file);
        let (read, _) = counted(async {
            let budget = Budget::new(BUDGET);
            let mut merge = Merge::open(store, &[run], position.as_ref(), budget).await?;
            let mut read = Vec::new();
            while let Some(row) = merge.next().await? {
                read.push(row);
            }
            assert_eq!(merge.budget().held(), 0, "all is given back");
            Ok::<_, PlanError>(read)
        });
        let expected = &rows[after.map_or(0, |after| after + 1)..];
        prop_assert_eq!(&read.unwrap()[..], expected);
        let is_in_pieces = file.most_asked.load(Ordering::Relaxed) <= 64 * 1024;
        prop_assert_eq!(is_in_pieces, !is_whole || expected.is_empty());
    }
}
