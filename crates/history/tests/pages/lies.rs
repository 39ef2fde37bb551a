//! Pages whose headers say something else of them than what counts.

use crate::file::{COLUMNS, place, run};
use crate::filler::{FILLER, ROWS, column, key};
use crate::page::{Kind, PLAIN, fields};
use crate::reading::{MEBIBYTE, read, turn};

/// The page's header tells, beside the number of its values, that of another kind of page: of version 2, which is looked
/// at last.
#[test]
fn a_page_that_tells_its_rows_as_two_kinds_of_page_is_refused() {
    let _turn = turn();
    let columns = (0..COLUMNS.len()).map(|index| {
        let mut column = column(index, ROWS, true);
        for row in 0..ROWS {
            let filler = usize::from(index == 1) * FILLER;
            column.page(row..row + 1, Kind { filler, ..PLAIN });
            if index == 1 {
                let page = &mut column.pages[row].bytes;
                // Version 1's numbers, of the page and of levels, and the ends of both structures.
                let inner = [&[2 << 4 | 0xc][..], &fields(&[1, 0, 3, 3]), &[0]].concat();
                let at = page.windows(inner.len()).position(|part| part == inner);
                let end = at.unwrap() + inner.len() - 1;
                let more = [&[3 << 4 | 0xc][..], &fields(&[40, 0, 40, 0, 0, 0])].concat();
                page.splice(end..end, more);
            }
        }
        column
    });
    let ends = [0, ROWS - 1].map(|row| place(row, &key(row)));
    let (file, run) = run(columns.collect(), ends, String::new());
    let (read, allocated) = read(&file, &run);
    let error = read.unwrap_err().to_string();
    assert!(
        error.contains("a page header of key cannot be read"),
        "{error}"
    );
    assert!(allocated < 40 * MEBIBYTE, "{allocated} bytes: {error}");
}

/// As Spark writes pages, and what parquet's feature `crc` looks at.
#[test]
fn a_page_that_is_not_of_its_checksum_is_refused() {
    for (is_right, changed) in [(true, 0), (false, 1)] {
        let _turn = turn();
        let columns = (0..COLUMNS.len()).map(|index| {
            let mut column = column(index, ROWS, false);
            column.page(0..ROWS, PLAIN);
            if index == 1 {
                let page = &mut column.pages[0].bytes;
                let rows = i64::try_from(ROWS).unwrap();
                let inner = [&[2 << 4 | 0xc][..], &fields(&[rows, 0, 3, 3]), &[0]].concat();
                let at = page.windows(inner.len()).position(|part| part == inner);
                let at = at.unwrap();
                let checksum = crc32fast::hash(&page[at + inner.len()..]) ^ changed;
                let mut told = fields(&[i64::from(checksum.cast_signed())]);
                told.pop(); // the structure goes on
                told.push(1 << 4 | 0xc);
                page.splice(at..=at, told);
            }
            column
        });
        let ends = [0, ROWS - 1].map(|row| place(row, &key(row)));
        let (file, run) = run(columns.collect(), ends, String::new());
        let (read, _) = read(&file, &run);
        assert_eq!(read.is_ok(), is_right, "{:?}", read.err());
    }
}
