//! What of a file is a job's, and how much of it is on the disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
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
        (file, journal): (File, Journal),
        (state, job_id): (PathBuf, String),
        claim: Claim,
        end: u64,
    ) -> Self {
        let place = Place {
            claim,
            end,
            synced: end,
            lost: None,
        };
        Self {
            file,
            journal,
            state,
            job_id,
            place: Mutex::new(place),
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes behind what the job wrote.
    pub(super) fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut place = self.place();
        if let Some(kind) = place.lost {
            return Err(kind.into());
        }
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
        self.0.replace(&mut self.0.place())?;
        self.0.keep()
    }
}
