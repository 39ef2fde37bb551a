//! What stands in pages behind their values is held of one page of each column at a time, and counted.

use std::sync::Arc;

use bridge_history::plan::manifest::Run;

use crate::file::{COLUMNS, Column, Sparse, place, run};
use crate::page::{Coding, Kind, PLAIN, Style, Values};
use crate::reading::{MEBIBYTE, read, turn};

/// One batch of them is decoded at a time.
pub(crate) const ROWS: usize = 40;

/// Of a page, behind its values.
pub(crate) const FILLER: usize = 7 * MEBIBYTE;

/// The columns of a plan.
pub(crate) const ALL: [usize; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

pub(crate) fn key(row: usize) -> String {
    format!("k{row}")
}

/// Of a column of a plan, by its place in the schema.
fn values(index: usize, rows: usize) -> Values {
    let all = 0..rows;
    match (COLUMNS[index].0, index) {
        ("boolean", _) => Values::Booleans(vec![false; rows]),
        ("binary", 1) => Values::Texts(all.map(|row| Some(key(row))).collect()),
        ("binary", _) => Values::Texts(all.map(|row| Some(format!("t{row}"))).collect()),
        (_, 2) => Values::Numbers(vec![Some(0); rows]),
        _ => Values::Numbers(all.map(|row| Some(i64::try_from(row).unwrap())).collect()),
    }
}

/// Without pages.
pub(crate) fn column(index: usize, rows: usize, is_packed: bool) -> Column {
    let style = Style {
        is_nullable: index > 6,
        is_packed,
    };
    Column::new(values(index, rows), style)
}

/// A run of pages of one row, of which those of `which` columns have much behind that.
pub(crate) fn filled(which: &[usize], rows: usize, is_packed: bool) -> (Arc<Sparse>, Run) {
    let columns = (0..COLUMNS.len()).map(|index| {
        let mut column = column(index, rows, is_packed);
        for row in 0..rows {
            let filler = usize::from(which.contains(&index)) * FILLER;
            column.page(row..row + 1, Kind { filler, ..PLAIN });
        }
        column
    });
    let ends = [0, rows - 1].map(|row| place(row, &key(row)));
    run(columns.collect(), ends, String::new())
}

/// Reads pages of keys that have much behind their values, and what that allocates at most.
fn read_filled(is_packed: bool) -> usize {
    let _turn = turn();
    let (file, run) = filled(&[1], ROWS, is_packed);
    assert_eq!(run.bytes > 32 << 20, !is_packed, "{}", run.bytes);
    let (read, allocated) = read(&file, &run);
    println!("packed: {is_packed}: {allocated} bytes");
    assert_eq!(read, Ok(ROWS));
    allocated
}

#[test]
fn of_a_row_group_that_is_read_in_pieces_one_page_is_held_at_a_time() {
    let allocated = read_filled(false);
    // What is stored, twice while more comes, or a page twice while another takes its place.
    assert!(allocated < 36 * MEBIBYTE, "{allocated} bytes");
}

#[test]
fn of_a_row_group_that_is_held_whole_one_page_is_unpacked_at_a_time() {
    let allocated = read_filled(true);
    // The row group is less than 16 MiB as it is stored; and a page, twice while another takes its place.
    assert!(allocated < 32 * MEBIBYTE, "{allocated} bytes");
}

#[test]
fn where_all_columns_have_it_a_run_takes_what_one_that_is_read_alone_may() {
    let _turn = turn();
    for is_packed in [false, true] {
        let (file, run) = filled(&ALL, 6, is_packed);
        let (read, allocated) = read(&file, &run);
        println!("packed: {is_packed}: {allocated} bytes, {read:?}");
        assert!(
            allocated < 272 * MEBIBYTE,
            "{allocated} bytes, packed: {is_packed}: {read:?}"
        );
    }
}

/// A run that takes more than one may that is read alone. It holds of numbers a page that is plain, one of places in a
/// dictionary and one of differences; of texts two, and a dictionary.
pub(crate) fn mixed() -> (Arc<Sparse>, Run) {
    let rows = 30;
    let columns = (0..COLUMNS.len()).map(|index| {
        let mut column = column(index, rows, true);
        let codings: &[_] = match COLUMNS[index].0 {
            "boolean" => &[Coding::Plain],
            "binary" => &[Coding::Plain, Coding::Dictionary],
            _ => &[Coding::Plain, Coding::Dictionary, Coding::Delta],
        };
        if codings.len() > 1 {
            column.dictionary(FILLER);
        }
        for row in 0..rows {
            let coding = codings[row % codings.len()];
            let kind = Kind {
                coding,
                filler: FILLER,
                ..PLAIN
            };
            column.page(row..row + 1, kind);
        }
        column
    });
    let ends = [0, rows - 1].map(|row| place(row, &key(row)));
    run(columns.collect(), ends, String::new())
}

#[test]
fn what_a_column_holds_of_each_encoding_is_counted() {
    let _turn = turn();
    let (file, run) = mixed();
    let (read, allocated) = read(&file, &run);
    println!("{allocated} bytes");
    let error = read.unwrap_err().to_string();
    assert!(error.contains("262144 KiB"), "{error}");
    assert!(allocated < 64 * MEBIBYTE, "{allocated} bytes: {error}");
}

#[test]
fn pages_without_rows_are_not_gathered_without_end() {
    let _turn = turn();
    for is_packed in [false, true] {
        let columns = (0..COLUMNS.len()).map(|index| {
            let mut column = column(index, ROWS, is_packed && index != 3);
            let filler = 2 * MEBIBYTE;
            if index == 3 {
                for _ in 0..30 {
                    column.page(0..0, Kind { filler, ..PLAIN });
                }
            }
            column.page(0..ROWS, PLAIN);
            column
        });
        let ends = [0, ROWS - 1].map(|row| place(row, &key(row)));
        let (file, run) = run(columns.collect(), ends, String::new());
        let (read, allocated) = read(&file, &run);
        let error = read.unwrap_err().to_string();
        let told = "the pages of version_id before one that has rows have";
        assert!(error.contains(told), "{error}");
        assert!(allocated < 40 * MEBIBYTE, "{allocated} bytes: {error}");
    }
}
