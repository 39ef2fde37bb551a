//! A column of a row group that is too large to be held whole: pages are fetched a piece at a time, shortly before they
//! are decoded. No I/O.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::plan::reader::bounds::{Of, Page, Unpacked};
use crate::plan::reader::window::Window;

/// What is held of a column chunk.
pub(super) struct Feed {
    of: Of,
    /// What the column's reader sees.
    window: Arc<Window>,
    /// Behind the last byte that has been fetched.
    fetched: u64,
    /// Behind the chunk's last byte.
    end: u64,
    /// Where those pages begin whose rows are not all decoded.
    begin: u64,
    /// Behind the last page that is whole there and was walked over.
    walked: u64,
    /// How many rows are left of that page.
    rows: usize,
    /// Of the pages so far.
    unpacked: Unpacked,
}

impl Feed {
    /// Of a column chunk, of which nothing is held.
    pub(super) fn new(of: Of, chunk: Range<u64>, file_bytes: u64) -> Self {
        Self {
            of,
            window: Arc::new(Window::of_pieces(chunk.start, file_bytes)),
            fetched: chunk.start,
            end: chunk.end,
            begin: chunk.start,
            walked: chunk.start,
            rows: 0,
            unpacked: Unpacked::default(),
        }
    }

    /// What the column's reader reads.
    pub(super) fn window(&self) -> Arc<Window> {
        Arc::clone(&self.window)
    }

    /// What has to be fetched before the next row can be decoded, up to `piece` bytes; `None` when all is there.
    ///
    /// # Errors
    /// What is wrong with a page, for a person.
    pub(super) fn missing(&mut self, piece: u64) -> Result<Option<Range<u64>>, String> {
        while self.rows == 0 && self.walked < self.end {
            let held = self.window.held_from(self.walked);
            let Some(page) = self.of.next_page(&held)? else {
                if self.fetched == self.end {
                    return Err(self.of.not_whole());
                }
                let end = self.fetched.saturating_add(piece).min(self.end);
                return Ok(Some(self.fetched..end));
            };
            self.take(&page)?;
        }
        Ok(None)
    }

    /// Rows that can be decoded of the page that comes; none when there are no more pages.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// A dictionary, and a page of no rows, is read together with the first page of rows behind it, and held until then.
    fn take(&mut self, page: &Page) -> Result<(), String> {
        self.unpacked.add(page);
        self.walked += page.length as u64;
        self.rows = page.rows;
        if page.rows > 0 {
            return Ok(());
        }
        self.of.check_without_rows(self.walked - self.begin)
    }

    /// Takes in what was [missing](Self::missing).
    pub(super) fn add(&mut self, bytes: &Bytes) {
        let kept = self.window.held_from(self.begin);
        let mut held = BytesMut::with_capacity(kept.len() + bytes.len());
        held.extend_from_slice(&kept);
        held.extend_from_slice(bytes);
        self.fetched += bytes.len() as u64;
        self.window.replace(self.begin, held.freeze());
    }

    /// So many rows have been decoded.
    pub(super) fn decoded(&mut self, rows: usize) {
        self.rows = self.rows.saturating_sub(rows);
        if self.rows == 0 {
            self.begin = self.walked;
        }
    }

    /// Bytes that are held, as they are stored.
    pub(super) fn stored(&self) -> usize {
        self.window.stored()
    }

    /// Bytes that its pages take unpacked.
    pub(super) fn unpacked(&self) -> usize {
        self.unpacked.bytes()
    }
}
