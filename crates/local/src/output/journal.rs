//! The last write of a job to its file, kept in `output.journal` of the job's folder.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bridge_core::queue::port::MAX_REQUEST_BYTES;

use crate::{below, new_file, open_own};

/// The last write: where it begins, and its bytes. It is noted before it is done, the bytes before
/// the place, so that whatever a kill cut short, journal and file tell each other.
#[derive(Debug)]
pub(super) struct Journal(File);

/// Bytes of a journal, at most: a request of 1 MiB, each byte of which may be an escape of six.
const MOST_JOURNAL: u64 = 8 * MAX_REQUEST_BYTES as u64;

/// Bytes of what stands before the lines: where, and how many bytes; eight each.
const HEAD: usize = 16;

impl Journal {
    /// The journal of a job, made if it is not there.
    pub(super) fn open(state: &Path, job_id: &str) -> io::Result<Self> {
        let path = below(state, ["jobs", job_id, "output.journal"])?;
        match new_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                open_own(&path, OpenOptions::new().read(true).write(true)).map(Self)
            }
            made => made.map(Self),
        }
    }

    /// Notes a write that is about to be done, at `begin`, bytes.
    pub(super) fn note(&self, begin: u64, lines: &[u8]) -> io::Result<()> {
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&begin.to_le_bytes());
        head[8..].copy_from_slice(&(lines.len() as u64).to_le_bytes());
        self.0.write_all_at(lines, HEAD as u64)?;
        self.0.write_all_at(&head, 0)
    }

    /// Has the disk take it.
    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    /// The last write that was noted, done or not; none before the first.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub(super) fn last(&self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut bytes = Vec::new();
        (&self.0).seek(SeekFrom::Start(0))?;
        (&self.0).take(MOST_JOURNAL).read_to_end(&mut bytes)?;
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let (Some(begin), Some(length)) = (number(0), number(8)) else {
            return Ok(None); // killed before the first write
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let lines = bytes
            .get(HEAD..HEAD.saturating_add(length))
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the job's output.journal is damaged",
                )
            })?;
        Ok(Some((begin, lines.to_vec())))
    }
}
