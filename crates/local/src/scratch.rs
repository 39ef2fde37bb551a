//! Port `Scratch`: files of a folder.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use bridge_history::verify::scratch::Scratch;

use crate::{new_file, open_own};

/// Files of a folder, which is this process's alone.
#[derive(Debug, Clone)]
pub struct LocalScratch {
    folder: PathBuf,
}

impl LocalScratch {
    /// Files in `folder`, which is there.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("sorted-{number}"))
    }

    fn named(&self, number: u64, doing: &'static str, error: &io::Error) -> io::Error {
        let path = self.path(number);
        io::Error::new(error.kind(), format!("{doing} {}: {error}", path.display()))
    }
}

impl Scratch for LocalScratch {
    fn create(&self, number: u64) -> io::Result<Box<dyn Write + Send>> {
        let file = new_file(&self.path(number));
        let inner = file.map_err(|e| self.named(number, "making", &e))?;
        Ok(Box::new(Named {
            inner,
            of: self.clone(),
            number,
        }))
    }

    fn open(&self, number: u64) -> io::Result<Box<dyn Read + Send>> {
        let file = open_own(&self.path(number), OpenOptions::new().read(true));
        let inner = file.map_err(|e| self.named(number, "opening", &e))?;
        Ok(Box::new(Named {
            inner,
            of: self.clone(),
            number,
        }))
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        std::fs::remove_file(self.path(number)).map_err(|e| self.named(number, "removing", &e))
    }
}

/// A file whose errors tell its name: on a full disk the place is what a person needs.
struct Named {
    inner: std::fs::File,
    of: LocalScratch,
    number: u64,
}

impl Read for Named {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into);
        read.map_err(|e| self.of.named(self.number, "reading", &e))
    }
}

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        written.map_err(|e| self.of.named(self.number, "writing", &e))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_an_error_tells_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = LocalScratch::new(folder.path().to_owned());
        scratch.create(7).unwrap().write_all(b"sorted").unwrap();
        let mut text = String::new();
        scratch.open(7).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "sorted");
        scratch.remove(7).unwrap();
        let error = scratch.open(7).err().unwrap().to_string();
        assert!(
            error.contains("opening") && error.contains("sorted-7"),
            "{error}"
        );
    }
}
