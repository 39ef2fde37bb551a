//! The file that a job writes its lines to, and what in it is the job's own.
//!
//! A file that is there belongs to somebody: a new job is given one only if it does not exist, or if
//! appending or overwriting was asked for. A resumed job continues in the very file it had, and only if
//! nobody has touched it since: the job's folder holds a `Claim`, with where the job's part begins,
//! and a `Journal` of the last write. So a line that a kill cut short is known byte for byte, and
//! nothing else is ever removed. While it writes, it looks before each write whether the file is still the one of that
//! name and as long as it left it. One job at a time writes to a file, and what a checkpoint tells of is on the disk
//! before it ([`Keeper`]).

mod claim;
mod journal;
mod part;

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claim::Claim;
use journal::Journal;
pub use part::Keeper;
use part::Part;

use crate::reason::reason;
use crate::{new_file, open_own, sync_name};

/// What may become of a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is left alone, and the job refused.
    Refuse,
    /// The job's lines come behind what it holds.
    Append,
    /// What it holds is removed when the first line is written, or when the job is done without one.
    Overwrite,
}

/// Why a file cannot be written to. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It is there, and nothing was said about it.
    #[error(
        "{0} exists, and is left as it is: choose another file, or say --append or --overwrite"
    )]
    Exists(PathBuf),
    /// Not a file that lines can be kept in.
    #[error("{path} is {what}: name a file, or write to standard output (`-`) and pipe it")]
    NoFile {
        /// What was named.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Appending would make one line of two.
    #[error("{0} does not end with a whole line: fix it, or choose another file")]
    CutShort(PathBuf),
    /// A job that is at work has it.
    #[error("another job writes to {0}: let it end, or choose another file")]
    Taken(PathBuf),
    /// It is not as the job left it.
    #[error(
        "{path} is not as job {job_id} left it ({what}): nothing is written to it. Put it back, or \
         start a new job with another file"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The job.
        job_id: String,
        /// What is wrong with it.
        what: String,
    },
    /// The file system's refusal.
    #[error("opening {path}: {}", reason(path, error))]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
}

/// Refuses what a new job may not write to. It opens nothing, so that it may be asked first.
///
/// # Errors
/// [`OutputError::Exists`], unless `existing` allows it; [`OutputError::NoFile`]; [`OutputError::Io`] when
/// it cannot be looked at.
pub fn check(path: &Path, existing: Existing) -> Result<(), OutputError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_folder(path) => Ok(()),
        Err(error) => Err(failed(path)(error)),
        Ok(found) if found.file_type().is_char_device() => Ok(()),
        Ok(found) => {
            check_kind(path, &found)?;
            match existing {
                Existing::Refuse => Err(OutputError::Exists(path.to_owned())),
                Existing::Append | Existing::Overwrite => Ok(()),
            }
        }
    }
}

/// Gives a new job its file: makes it, or, if `existing` says so, takes the one that is there; its
/// content is not touched yet.
///
/// # Errors
/// As [`check`]; [`OutputError::Taken`]; [`OutputError::CutShort`] when its end is half a line that would be appended to;
/// [`OutputError::Io`] when it cannot be opened, or the claim cannot be written.
pub fn claim(
    state: &Path,
    job_id: &str,
    path: &Path,
    existing: Existing,
) -> Result<(), OutputError> {
    check(path, existing)?;
    let error = failed(path);
    let mut file = match new_file(path) {
        Ok(file) => file,
        Err(found) if found.kind() == io::ErrorKind::AlreadyExists => {
            if is_device(path) {
                return Ok(()); // it keeps nothing
            }
            if existing == Existing::Refuse {
                return Err(OutputError::Exists(path.to_owned()));
            }
            open_own(path, OpenOptions::new().read(true).write(true)).map_err(&error)?
        }
        Err(found) => return Err(error(found)),
    };
    lock(&file, path)?;
    let found = file.metadata().map_err(&error)?;
    let appends = existing != Existing::Overwrite;
    if appends && !ends_with_a_line(&mut file, found.len()).map_err(&error)? {
        return Err(OutputError::CutShort(path.to_owned()));
    }
    let claim = Claim {
        inode: found.ino(),
        begin: if appends { found.len() } else { 0 },
        overwrites: (!appends).then_some(found.len()),
        modified: (!appends).then(|| claim::modified(&found)),
        kept: None,
    };
    sync_name(path).map_err(&error)?;
    claim.write(state, job_id).map_err(&error)
}

/// The file of a job, opened to continue behind what the job wrote. As long as it is open no other job has it.
#[derive(Debug)]
pub struct Output {
    to: To,
    /// Set by the first failure: what comes behind it would make a gap.
    failed: Option<io::ErrorKind>,
}

#[derive(Debug)]
enum To {
    /// It keeps nothing.
    Device(File),
    Part(Arc<Part>),
}

impl Output {
    /// Opens the file that `job_id` has claimed, and removes what a kill left of a line.
    ///
    /// # Errors
    /// [`OutputError::Changed`] when it is not as the job left it; [`OutputError::Taken`]; [`OutputError::Io`] when it
    /// cannot be opened.
    pub fn open(state: &Path, job_id: &str, path: &Path) -> Result<Self, OutputError> {
        let error = failed(path);
        let changed = |what: String| OutputError::Changed {
            path: path.to_owned(),
            job_id: job_id.to_owned(),
            what,
        };
        if is_device(path) {
            let file = OpenOptions::new().write(true).open(path).map_err(&error)?;
            return Ok(Self::new(To::Device(file)));
        }
        let claim = Claim::read(state, job_id).map_err(&error)?;
        let file = match open_own(path, OpenOptions::new().read(true).write(true)) {
            Ok(file) => file,
            Err(found) if found.kind() == io::ErrorKind::NotFound => {
                return Err(changed("it is gone".to_owned()));
            }
            Err(found) => return Err(error(found)),
        };
        lock(&file, path)?;
        let found = file.metadata().map_err(&error)?;
        let Some(claim) = claim.filter(|claim| claim.inode == found.ino()) else {
            return Err(changed("it is another file".to_owned()));
        };
        let journal = Journal::open(state, job_id).map_err(&error)?;
        let length = found.len();
        let end = if claim.overwrites.is_some() {
            if let Some(wrong) = claim.wrong_before(&found) {
                return Err(changed(wrong));
            }
            0
        } else {
            if let Some(kept) = claim.kept.filter(|kept| length < *kept) {
                return Err(changed(format!(
                    "it has {length} bytes, it had {kept} at the last checkpoint: events are missing"
                )));
            }
            own_end(&file, length, &claim, &journal)
                .map_err(&error)?
                .map_err(changed)?
        };
        let whose = (state.to_owned(), job_id.to_owned());
        let part = Part::new((file, path.to_owned()), journal, whose, (claim, end));
        Ok(Self::new(To::Part(Arc::new(part))))
    }

    fn new(to: To) -> Self {
        Self { to, failed: None }
    }

    /// Who has the disk take what is written; none where nothing is kept.
    #[must_use]
    pub fn keeper(&self) -> Option<Keeper> {
        match &self.to {
            To::Device(_) => None,
            To::Part(part) => Some(Keeper(Arc::clone(part))),
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        match &mut self.to {
            To::Device(file) => file.write_all(lines),
            To::Part(part) => part.append(lines),
        }
    }
}

/// Where the job's part of its file ends, bytes, without what a kill left of a line, which is removed; or what is wrong.
fn own_end(
    mut file: &File,
    length: u64,
    claim: &Claim,
    journal: &Journal,
) -> io::Result<Result<u64, String>> {
    let (from, wrote) = journal.last()?.unwrap_or((claim.begin, Vec::new()));
    let Some(whole) = from.checked_add(wrote.len() as u64) else {
        return Ok(Err("its journal is not this job's".to_owned()));
    };
    if !(from..=whole).contains(&length) {
        return Ok(Err(format!("it has {length} bytes, it had {whole}")));
    }
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.take(wrote.len() as u64 + 1).read_to_end(&mut tail)?;
    if !wrote.starts_with(&tail) {
        return Ok(Err("its end is not this job's".to_owned()));
    }
    if tail.len() == wrote.len() {
        return Ok(Ok(whole));
    }
    file.set_len(from)?;
    Ok(Ok(from))
}

/// Each call is given whole lines.
impl Write for Output {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        self.append(lines)
            .inspect_err(|error| self.failed = Some(error.kind()))?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has the file for this job alone, as long as it is open; a file system that knows nothing of that is left so.
fn lock(file: &File, path: &Path) -> Result<(), OutputError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(OutputError::Taken(path.to_owned())),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(failed(path)(error)),
    }
}

fn is_device(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_char_device())
}

fn check_kind(path: &Path, found: &Metadata) -> Result<(), OutputError> {
    let kind = found.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else {
        "no file"
    };
    Err(OutputError::NoFile {
        path: path.to_owned(),
        what,
    })
}

fn ends_with_a_line(file: &mut File, length: u64) -> io::Result<bool> {
    if length == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.read_exact_at(&mut last, length - 1)?;
    Ok(last == *b"\n")
}

/// Whether there is a folder that it could be in.
fn has_folder(path: &Path) -> bool {
    let folder = path.parent();
    folder.is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> OutputError {
    let path = path.to_owned();
    move |error| OutputError::Io {
        path: path.clone(),
        error,
    }
}

#[cfg(test)]
mod tests;
