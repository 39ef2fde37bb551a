//! Sorted records that are not in memory: one run of them, and all runs as one stream.
//!
//! A record is written as how many bytes it shares with the one before it, how many more it has, and these:
//! sorted records share much.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};

use crate::verify::chunk::shared_bytes;
use crate::verify::number::push_number;
use crate::verify::scratch::Scratch;

/// Bytes that are read or written at once; a merge holds as many of each run.
const BUFFER: usize = 32 * 1024;

/// The longest record. A key, a version id and an entity tag are far shorter (`listing::version::MOST_TEXT`), but
/// a consumer's file may say anything.
pub(super) const MOST_RECORD: usize = 16 * 1024 * 1024;

/// A run: where it is, and how many records it must have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spilled {
    pub(super) number: u64,
    pub(super) records: u64,
}

/// Writes a run.
pub(super) struct RunWriter {
    file: BufWriter<Box<dyn Write + Send>>,
    run: Spilled,
    last: Vec<u8>,
    numbers: Vec<u8>,
}

impl RunWriter {
    pub(super) fn create(scratch: &dyn Scratch, number: u64) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER, scratch.create(number)?),
            run: Spilled { number, records: 0 },
            last: Vec::new(),
            numbers: Vec::new(),
        })
    }

    /// Writes the next record.
    pub(super) fn push(&mut self, record: &[u8]) -> io::Result<()> {
        let shared = shared_bytes(&self.last, record);
        self.numbers.clear();
        push_number(&mut self.numbers, shared as u64);
        push_number(&mut self.numbers, (record.len() - shared) as u64);
        self.file.write_all(&self.numbers)?;
        self.file.write_all(&record[shared..])?;
        self.last.truncate(shared);
        self.last.extend_from_slice(&record[shared..]);
        self.run.records += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Spilled> {
        self.file.flush()?;
        Ok(self.run)
    }
}

/// Reads a run.
struct RunReader {
    file: BufReader<Box<dyn Read + Send>>,
    left: u64,
    record: Vec<u8>,
}

impl RunReader {
    fn open(scratch: &dyn Scratch, run: Spilled) -> io::Result<Self> {
        Ok(Self {
            file: BufReader::with_capacity(BUFFER, scratch.open(run.number)?),
            left: run.records,
            record: Vec::new(),
        })
    }

    /// Reads the next record; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let shared = read_number(&mut self.file)?;
        let more = read_number(&mut self.file)?;
        if shared > self.record.len() || more > MOST_RECORD {
            let text = "a temporary file holds something else than was written to it";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.record.resize(shared + more, 0);
        self.file.read_exact(&mut self.record[shared..])?;
        Ok(true)
    }
}

/// Sorted runs as one sorted stream.
pub struct Merge {
    /// Each run at its next record, the smallest on top.
    heads: BinaryHeap<Head>,
    has_begun: bool,
}

struct Head(RunReader);

impl Ord for Head {
    /// Reversed: a heap has its largest on top.
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.record.cmp(&self.0.record)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

impl Merge {
    pub(super) fn open(scratch: &dyn Scratch, runs: &[Spilled]) -> io::Result<Self> {
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for run in runs {
            let mut reader = RunReader::open(scratch, *run)?;
            if reader.advance()? {
                heads.push(Head(reader));
            }
        }
        Ok(Self {
            heads,
            has_begun: false,
        })
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// What keeps a run from being read.
    pub fn next_record(&mut self) -> io::Result<Option<&[u8]>> {
        if self.has_begun
            && let Some(mut top) = self.heads.peek_mut()
            && !top.0.advance()?
        {
            PeekMut::pop(top);
        }
        self.has_begun = true;
        Ok(self.heads.peek().map(|head| head.0.record.as_slice()))
    }
}

fn read_number(from: &mut BufReader<impl Read>) -> io::Result<usize> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let Some(byte) = from.fill_buf()?.first().copied() else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        from.consume(1);
        number |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 || shift > 28 {
            return Ok(number);
        }
    }
}
