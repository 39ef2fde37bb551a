//! A part of a file, for readers that think in offsets of the whole.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// What is held of a file. Another part may take its place while a reader has it.
pub(super) struct Window {
    held: Mutex<Part>,
    /// Whether what is read of it is copied: else a page that is not packed holds on to a part that has been replaced.
    is_copied: bool,
    /// The length of the whole.
    file_bytes: u64,
}

struct Part {
    /// Where it begins.
    start: u64,
    bytes: Bytes,
}

impl Part {
    fn slice(&self, start: u64, end: Option<u64>) -> Option<Bytes> {
        let length = self.bytes.len() as u64;
        let from = start.checked_sub(self.start)?;
        let to = end.map_or(Some(length), |end| end.checked_sub(self.start))?;
        let range = usize::try_from(from).ok()?..usize::try_from(to).ok()?;
        (from <= to && to <= length).then(|| self.bytes.slice(range))
    }
}

impl Window {
    /// The part that begins at `start`, of a file of `file_bytes`. It stays.
    pub(super) fn new(start: u64, bytes: Bytes, file_bytes: u64) -> Self {
        Self {
            held: Mutex::new(Part { start, bytes }),
            is_copied: false,
            file_bytes,
        }
    }

    /// Nothing yet of what begins at `start`, of a file of `file_bytes`.
    pub(super) fn of_pieces(start: u64, file_bytes: u64) -> Self {
        Self {
            is_copied: true,
            ..Self::new(start, Bytes::new(), file_bytes)
        }
    }

    /// Holds another part instead.
    pub(super) fn replace(&self, start: u64, bytes: Bytes) {
        *self.held() = Part { start, bytes };
    }

    /// Bytes that are held.
    pub(super) fn stored(&self) -> usize {
        self.held().bytes.len()
    }

    /// What is held from there on.
    pub(super) fn held_from(&self, start: u64) -> Bytes {
        self.held().slice(start, None).unwrap_or_default()
    }

    /// # Errors
    /// [`ParquetError::EOF`] when not all of it is held.
    pub(super) fn slice(&self, start: u64, end: Option<u64>) -> Result<Bytes, ParquetError> {
        let slice = self.held().slice(start, end);
        slice.ok_or_else(|| ParquetError::EOF("outside the row group".to_owned()))
    }

    fn held(&self) -> MutexGuard<'_, Part> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.file_bytes
    }
}

impl ChunkReader for Window {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        self.slice(start, None).map(Buf::reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let slice = self.slice(start, start.checked_add(length as u64))?;
        if self.is_copied {
            return Ok(Bytes::copy_from_slice(&slice));
        }
        Ok(slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_does_not_hold_on_to_a_part_that_has_been_replaced() {
        let window = Window::of_pieces(4, 100);
        let part = Bytes::from(vec![7; 50]);
        window.replace(4, part.clone());
        let page = window.get_bytes(10, 20).unwrap();
        window.replace(54, Bytes::new());
        assert!(part.is_unique());
        assert_eq!(page, [7; 20][..]);
    }
}
