//! A column of a row group that is too large to be held whole: pages are fetched a piece at a time, shortly before they
//! are decoded. No I/O.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::plan::reader::bounds::{self, Page, Unpacked};
use crate::plan::reader::window::Window;

/// What is held of a column chunk.
pub(super) struct Feed {
    name: &'static str,
    /// Rows of the row group.
    group_rows: i64,
    /// What the column's reader sees.
    window: Arc<Window>,
    /// Behind the last byte that has been fetched.
    fetched: u64,
    /// Behind the chunk's last byte.
    end: u64,
    /// Behind the last page that is whole there.
    walked: u64,
    /// Where those begin that are whole there and not decoded to their ends, and how many rows are left of each.
    pages: VecDeque<(u64, usize)>,
    /// Of the pages so far.
    unpacked: Unpacked,
}

impl Feed {
    /// Of a column chunk, of which nothing is held.
    pub(super) fn new(
        name: &'static str,
        group_rows: i64,
        chunk: Range<u64>,
        file_bytes: u64,
    ) -> Self {
        Self {
            name,
            group_rows,
            window: Arc::new(Window::new(chunk.start, Bytes::new(), file_bytes)),
            fetched: chunk.start,
            end: chunk.end,
            walked: chunk.start,
            pages: VecDeque::new(),
            unpacked: Unpacked::default(),
        }
    }

    /// What the column's reader reads.
    pub(super) fn window(&self) -> Arc<Window> {
        Arc::clone(&self.window)
    }

    /// What has to be fetched before so many more rows can be decoded, up to `piece` bytes; `None` when all is there.
    ///
    /// # Errors
    /// What is wrong with a page, for a person.
    pub(super) fn missing(
        &mut self,
        rows: usize,
        piece: u64,
    ) -> Result<Option<Range<u64>>, String> {
        while self.pages.iter().map(|(_, left)| left).sum::<usize>() < rows
            && self.walked < self.end
        {
            let held = self.window.held_from(self.walked);
            let Some(page) = bounds::next_page(self.name, self.group_rows, &held)? else {
                if self.fetched == self.end {
                    return Err(bounds::not_whole(self.name));
                }
                let end = self.fetched.saturating_add(piece).min(self.end);
                return Ok(Some(self.fetched..end));
            };
            self.take(&page);
        }
        Ok(None)
    }

    fn take(&mut self, page: &Page) {
        self.unpacked.add(page);
        // A dictionary is read together with the first page behind it.
        self.pages.push_back((self.walked, page.rows));
        self.walked += page.length as u64;
    }

    /// Takes in what was [missing](Self::missing).
    pub(super) fn add(&mut self, bytes: &Bytes) {
        let keep = self.pages.front().map_or(self.walked, |(begin, _)| *begin);
        let kept = self.window.held_from(keep);
        let mut held = BytesMut::with_capacity(kept.len() + bytes.len());
        held.extend_from_slice(&kept);
        held.extend_from_slice(bytes);
        self.fetched += bytes.len() as u64;
        self.window.replace(keep, held.freeze());
    }

    /// So many rows have been decoded.
    pub(super) fn decoded(&mut self, mut rows: usize) {
        while let Some((_, left)) = self.pages.front_mut() {
            let taken = rows.min(*left);
            *left -= taken;
            rows -= taken;
            // The front stays where its rows are not all decoded, and so do dictionaries before the first of them.
            if *left > 0 || rows == 0 {
                break;
            }
            self.pages.pop_front();
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
