//! Any number of records sorted by their bytes, in bounded memory.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::verify::chunk::Chunk;
use crate::verify::scratch::Scratch;
use crate::verify::spilled::{MOST_RECORD, Merge, RunWriter, Spilled};

/// Runs that are merged at once: more become one first.
const MOST_RUNS: usize = 256;

/// Takes records in any order. Half of its memory fills up while the other half is sorted and written.
pub struct Sorter {
    scratch: Arc<dyn Scratch>,
    /// Bytes of a half.
    half: usize,
    filling: Chunk,
    /// The half that is not in use.
    spare: Option<Chunk>,
    writing: Option<JoinHandle<io::Result<(Spilled, Chunk)>>>,
    runs: Vec<Spilled>,
    /// The number of its next file.
    next: u64,
}

impl Sorter {
    /// Records of up to `memory` bytes are in memory at the same time. Files are numbered from `first` on.
    #[must_use]
    pub fn new(scratch: Arc<dyn Scratch>, memory: usize, first: u64) -> Self {
        Self {
            scratch,
            half: (memory / 2).min(u32::MAX as usize),
            filling: Chunk::default(),
            spare: None,
            writing: None,
            runs: Vec::new(),
            next: first,
        }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// What keeps earlier records from being written; a record of more than 16 MiB.
    pub fn push(&mut self, record: &[u8]) -> io::Result<()> {
        if record.len() > MOST_RECORD {
            let text = format!(
                "a record of {} bytes: key and version id cannot be so long",
                record.len()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if self.filling.size() + record.len() >= self.half && !self.filling.is_empty() {
            self.spill()?;
        }
        if self.filling.push(record) {
            return Ok(());
        }
        self.spill()?;
        self.filling.push(record);
        Ok(())
    }

    /// Writes what is in memory, and gives the memory back: others need it before more records come.
    ///
    /// # Errors
    /// What keeps records from being written.
    pub fn rest(&mut self) -> io::Result<()> {
        self.spill()?;
        self.wait()?;
        self.filling = Chunk::default();
        self.spare = None;
        Ok(())
    }

    /// All records as sorted runs.
    ///
    /// # Errors
    /// What keeps records from being written.
    pub fn finish(mut self) -> io::Result<Sorted> {
        self.rest()?;
        Ok(Sorted {
            scratch: self.scratch,
            runs: self.runs,
        })
    }

    /// Hands out all records sorted, and is empty again, with its memory.
    ///
    /// # Errors
    /// What keeps records from being written or read, and what `each` fails with.
    pub fn drain(&mut self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if self.runs.is_empty() && self.writing.is_none() {
            self.filling.sort();
            let done = self.filling.records().try_for_each(each);
            self.filling.clear();
            return done;
        }
        self.spill()?;
        self.wait()?;
        let mut merge = Merge::open(&*self.scratch, &self.runs)?;
        while let Some(record) = merge.next_record()? {
            each(record)?;
        }
        drop(merge);
        for run in self.runs.drain(..) {
            self.scratch.remove(run.number)?;
        }
        Ok(())
    }

    /// Sorts and writes the half that has been filled, elsewhere; the other one fills up.
    fn spill(&mut self) -> io::Result<()> {
        if self.filling.is_empty() {
            return Ok(());
        }
        self.wait()?;
        if self.runs.len() >= MOST_RUNS {
            self.merge()?;
        }
        let spare = self.spare.take().unwrap_or_default();
        let mut full = std::mem::replace(&mut self.filling, spare);
        let (scratch, number) = (Arc::clone(&self.scratch), self.number());
        let write = move || {
            full.sort();
            let mut run = RunWriter::create(&*scratch, number)?;
            full.records().try_for_each(|record| run.push(record))?;
            full.clear();
            Ok((run.finish()?, full))
        };
        self.writing = Some(
            thread::Builder::new()
                .name("sort".to_owned())
                .spawn(write)?,
        );
        Ok(())
    }

    /// Waits for the half that is being written.
    fn wait(&mut self) -> io::Result<()> {
        if let Some(writing) = self.writing.take() {
            let written = writing.join();
            let (run, chunk) = written.unwrap_or_else(|e| std::panic::resume_unwind(e))?;
            self.runs.push(run);
            self.spare = Some(chunk);
        }
        Ok(())
    }

    /// Makes one run of all.
    fn merge(&mut self) -> io::Result<()> {
        let number = self.number();
        let mut merge = Merge::open(&*self.scratch, &self.runs)?;
        let mut run = RunWriter::create(&*self.scratch, number)?;
        while let Some(record) = merge.next_record()? {
            run.push(record)?;
        }
        drop(merge);
        for old in std::mem::replace(&mut self.runs, vec![run.finish()?]) {
            self.scratch.remove(old.number)?;
        }
        Ok(())
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

/// Sorted runs of all records. They can be read more than once.
pub struct Sorted {
    scratch: Arc<dyn Scratch>,
    runs: Vec<Spilled>,
}

impl Sorted {
    /// All records, sorted.
    ///
    /// # Errors
    /// What keeps a run from being read.
    pub fn merge(&self) -> io::Result<Merge> {
        Merge::open(&*self.scratch, &self.runs)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|run| run.records).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
