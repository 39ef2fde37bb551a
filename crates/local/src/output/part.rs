//! What of a file is a job's, and how much of it is on the disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::output::claim::Claim;
use crate::output::journal::Journal;

/// Bytes that may wait for the disk: who writes down a checkpoint waits for them, and has seconds for it.
const MOST_WAITING: u64 = 64 * 1024 * 1024;

/// The part of a file that is a job's.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: PathBuf,
    journal: Journal,
    state: PathBuf,
    job_id: String,
    place: Mutex<Place>,
}

/// How far it is.
#[derive(Debug)]
struct Place {
    /// As it is stored.
    claim: Claim,
    /// Where the next line begins, bytes.
    end: u64,
    /// Up to where it is on the disk, bytes.
    synced: u64,
    /// What the disk did not take: the system forgets that it had it, so nothing is written any more.
    lost: Option<io::ErrorKind>,
}

impl Part {
    pub(super) fn new(
        (file, path): (File, PathBuf),
        journal: Journal,
        (state, job_id): (PathBuf, String),
        (claim, end): (Claim, u64),
    ) -> Self {
        let place = Place {
            claim,
            end,
            synced: end,
            lost: None,
        };
        Self {
            file,
            path,
            journal,
            state,
            job_id,
            place: Mutex::new(place),
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a file that somebody removed, exchanged, cut or wrote to since: what is written would be lost, or theirs.
    fn check(&self, place: &Place) -> io::Result<()> {
        let open = self.file.metadata()?;
        let named = std::fs::symlink_metadata(&self.path);
        let is_named =
            named.is_ok_and(|named| (named.dev(), named.ino()) == (open.dev(), open.ino()));
        let (length, end) = (open.len(), place.end);
        let wrong = if !is_named {
            Some("it is gone, or another file".to_owned())
        } else if place.claim.overwrites.is_some() {
            place.claim.wrong_before(&open)
        } else {
            (length != end).then(|| format!("it has {length} bytes, it had {end}"))
        };
        match wrong {
            None => Ok(()),
            Some(wrong) => Err(io::Error::other(format!(
                "somebody changed it meanwhile ({wrong}): nothing more is written to it. Put it back as it was and resume \
                 the job, or start a new one with another file"
            ))),
        }
    }

    /// Writes behind what the job wrote.
    pub(super) fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut place = self.place();
        if let Some(kind) = place.lost {
            return Err(kind.into());
        }
        self.check(&place)?;
        self.replace(&mut place)?;
        let end = place.end;
        self.journal.note(end, lines)?;
        self.file.write_all_at(lines, end).inspect_err(|_| {
            // What a full disk left of a line. If this fails too, a resume does it.
            let _ = self.file.set_len(end);
        })?;
        place.end += lines.len() as u64;
        if place.end - place.synced > MOST_WAITING {
            drop(place);
            self.sync()?;
        }
        Ok(())
    }

    /// Removes what is still there of another's.
    fn replace(&self, place: &mut Place) -> io::Result<()> {
        if place.claim.overwrites.is_none() {
            return Ok(());
        }
        self.file.set_len(0)?;
        let claim = Claim {
            overwrites: None,
            ..place.claim.clone()
        };
        claim.write(&self.state, &self.job_id)?;
        place.claim = claim;
        Ok(())
    }

    /// Has the disk take what was written; up to where.
    fn sync(&self) -> io::Result<u64> {
        let end = {
            let place = self.place();
            if let Some(kind) = place.lost {
                return Err(kind.into());
            }
            place.end
        };
        // Meanwhile others may write.
        let synced = self
            .file
            .sync_data()
            .and_then(|()| self.journal.sync_data());
        let mut place = self.place();
        match synced {
            Ok(()) => place.synced = place.synced.max(end),
            Err(ref error) => place.lost = Some(error.kind()),
        }
        synced.map(|()| end)
    }

    fn keep(&self) -> io::Result<()> {
        {
            let place = self.place();
            self.check(&place)?;
            let is_kept = place.claim.kept == Some(place.end) && place.lost.is_none();
            if is_kept || place.claim.overwrites.is_some() {
                return Ok(());
            }
        }
        let end = self.sync()?;
        let mut place = self.place();
        if place.claim.kept.is_none_or(|kept| kept < end) {
            let claim = Claim {
                kept: Some(end),
                ..place.claim.clone()
            };
            claim.write(&self.state, &self.job_id)?;
            place.claim = claim;
        }
        Ok(())
    }
}

/// Who has the disk take a job's file before a checkpoint says what is in it.
#[derive(Debug, Clone)]
pub struct Keeper(pub(super) Arc<Part>);

impl Keeper {
    /// What was written until now is on the disk once this returns, and a resume misses it if it is not there.
    ///
    /// # Errors
    /// The file system's; the checkpoint must not be written.
    pub fn keep(&self) -> io::Result<()> {
        self.0.keep()
    }

    /// As [`keep`](Self::keep), when nothing more comes: also a history without events replaces what was there.
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    pub fn finish(&self) -> io::Result<()> {
        {
            let mut place = self.0.place();
            self.0.check(&place)?;
            self.0.replace(&mut place)?;
        }
        self.0.keep()
    }
}
