//! Which file a job writes to, kept in `output.json` of the job's folder.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{below, read_own, write_whole};

/// Bytes of it, at most.
const MOST_CLAIM: usize = 64 * 1024;

/// Which file. What else is there is left: claims of before tell a `device`, which is another number after a start of
/// the machine where the file system is on a loop, a mapper, or a container's layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// Its number in its file system; the bytes of the last write tell the rest.
    pub inode: u64,
    /// Where the job's part begins, bytes.
    pub begin: u64,
    /// What was there is removed when the first line is written; its length, bytes.
    pub overwrites: Option<u64>,
    /// When that was written last, seconds and nanoseconds of the epoch; claims of before do not tell.
    #[serde(default)]
    pub modified: Option<(i64, i64)>,
    /// Up to where it was on the disk before the last checkpoint was, bytes; none before the first.
    #[serde(default)]
    pub kept: Option<u64>,
}

impl Claim {
    /// What is wrong with what is there and is to be replaced, if it is not as it was.
    pub(super) fn wrong_before(&self, found: &Metadata) -> Option<String> {
        let before = self.overwrites?;
        let length = found.len();
        // Killed while it was being replaced, it is empty already.
        if length == 0 {
            return None;
        }
        if length != before {
            return Some(format!("it has {length} bytes, it had {before}"));
        }
        let is_written = self.modified.is_some_and(|then| then != modified(found));
        is_written.then(|| "it was written to since".to_owned())
    }

    pub(super) fn write(&self, state: &Path, job_id: &str) -> io::Result<()> {
        let path = below(state, ["jobs", job_id, "output.json"])?;
        write_whole(&path, &serde_json::to_vec(self)?)
    }

    /// The claim of a job; none if it has no file.
    pub(super) fn read(state: &Path, job_id: &str) -> io::Result<Option<Self>> {
        let path = below(state, ["jobs", job_id, "output.json"])?;
        match read_own(&path, MOST_CLAIM) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// When a file was written last, seconds and nanoseconds of the epoch.
pub(super) fn modified(found: &Metadata) -> (i64, i64) {
    (found.mtime(), found.mtime_nsec())
}
