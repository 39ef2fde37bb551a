//! A column of a row group that is held whole: how far its pages go, so that no more than one is unpacked at a time. No
//! I/O.

use bytes::{Buf as _, Bytes};

use crate::plan::reader::bounds::Of;

/// The pages of a column chunk, all of which [have been checked](Of::check_pages).
pub(super) struct Walk {
    of: Of,
    /// Behind the page that is decoded.
    rest: Bytes,
    /// How many rows are left of that.
    rows: usize,
}

impl Walk {
    /// From the first page of `chunk` on.
    pub(super) fn new(of: Of, chunk: Bytes) -> Self {
        let mut walk = Self {
            of,
            rest: chunk,
            rows: 0,
        };
        walk.go_on();
        walk
    }

    /// Rows that can be decoded of the page that comes; none when there are no more pages.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// So many rows have been decoded.
    pub(super) fn decoded(&mut self, rows: usize) {
        self.rows = self.rows.saturating_sub(rows);
        self.go_on();
    }

    fn go_on(&mut self) {
        while self.rows == 0
            && let Ok(Some(page)) = self.of.next_page(&self.rest)
        {
            self.rows = page.rows;
            self.rest.advance(page.length);
        }
    }
}
