//! Port: where sorted bytes lie until they are compared.

use std::io::{self, Read, Write};

/// Port: files by number, which nobody else reads and which need not outlive the process.
pub trait Scratch: Send + Sync {
    /// Makes a file, to be written once from its beginning to its end.
    ///
    /// # Errors
    /// The system's, with the file's name. So are those of what is written.
    fn create(&self, number: u64) -> io::Result<Box<dyn Write + Send>>;

    /// Opens a file that was written; it may be open more than once.
    ///
    /// # Errors
    /// The system's, with the file's name.
    fn open(&self, number: u64) -> io::Result<Box<dyn Read + Send>>;

    /// Removes a file, so that its room can be used again.
    ///
    /// # Errors
    /// The system's, with the file's name.
    fn remove(&self, number: u64) -> io::Result<()>;
}
