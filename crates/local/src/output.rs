//! The file that a job writes its lines to, and what in it is the job's own.
//!
//! A file that is there belongs to somebody: a new job is given one only if it does not exist, or if
//! appending or overwriting was asked for. A resumed job continues in the very file it had, and only if
//! nobody has touched it since: the job's folder holds a `Claim`, with where the job's part begins,
//! and a `Journal` of the last write. So a line that a kill cut short is known byte for byte, and
//! nothing else is ever removed.

mod claim;
mod journal;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use claim::Claim;
use journal::Journal;

use crate::reason::reason;
use crate::{new_file, open_own};

/// What may become of a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is left alone, and the job refused.
    Refuse,
    /// The job's lines come behind what it holds.
    Append,
    /// What it holds is removed when the first line is written.
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
/// As [`check`]; [`OutputError::CutShort`] when its end is half a line that would be appended to;
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
    let found = file.metadata().map_err(&error)?;
    let appends = existing != Existing::Overwrite;
    if appends && !ends_with_a_line(&mut file, found.len()).map_err(&error)? {
        return Err(OutputError::CutShort(path.to_owned()));
    }
    let claim = Claim {
        device: found.dev(),
        inode: found.ino(),
        begin: if appends { found.len() } else { 0 },
        overwrites: (!appends).then_some(found.len()),
    };
    claim.write(state, job_id).map_err(&error)
}

/// The file of a job, opened to continue behind what the job wrote.
#[derive(Debug)]
pub struct Output {
    file: File,
    /// Where the next line begins, bytes, and what is noted before it is written; a device keeps
    /// nothing, and needs neither.
    own: Option<(u64, Journal)>,
    /// What is still there of another's, to be removed before the first line is written.
    replaces: Option<Replaces>,
    /// Set by the first failure: what comes behind it would make a gap.
    failed: Option<io::ErrorKind>,
}

impl Output {
    /// Opens the file that `job_id` has claimed, and removes what a kill left of a line.
    ///
    /// # Errors
    /// [`OutputError::Changed`] when it is not as the job left it; [`OutputError::Io`] when it cannot be
    /// opened.
    pub fn open(state: &Path, job_id: &str, path: &Path) -> Result<Self, OutputError> {
        let error = failed(path);
        let changed = |what: String| OutputError::Changed {
            path: path.to_owned(),
            job_id: job_id.to_owned(),
            what,
        };
        if is_device(path) {
            let file = OpenOptions::new().write(true).open(path).map_err(&error)?;
            return Ok(Self::new(file, None));
        }
        let claim = Claim::read(state, job_id).map_err(&error)?;
        let mut file = match open_own(path, OpenOptions::new().read(true).write(true)) {
            Ok(file) => file,
            Err(found) if found.kind() == io::ErrorKind::NotFound => {
                return Err(changed("it is gone".to_owned()));
            }
            Err(found) => return Err(error(found)),
        };
        let found = file.metadata().map_err(&error)?;
        let Some(claim) = claim.filter(|c| (c.device, c.inode) == (found.dev(), found.ino()))
        else {
            return Err(changed("it is another file".to_owned()));
        };
        let journal = Journal::open(state, job_id).map_err(&error)?;
        let length = found.len();
        if let Some(before) = claim.overwrites {
            // Killed while it was being replaced, it is empty already.
            if length != before && length != 0 {
                return Err(changed(format!("it has {length} bytes, it had {before}")));
            }
            let replaces = Replaces {
                claim: Claim {
                    overwrites: None,
                    ..claim
                },
                state: state.to_owned(),
                job_id: job_id.to_owned(),
            };
            return Ok(Self {
                replaces: Some(replaces),
                ..Self::new(file, Some((0, journal)))
            });
        }
        let last = journal.last().map_err(&error)?;
        let (from, wrote) = last.unwrap_or((claim.begin, Vec::new()));
        let whole = from
            .checked_add(wrote.len() as u64)
            .ok_or_else(|| changed("its journal is not this job's".to_owned()))?;
        let end = if length == whole {
            length
        } else if (from..whole).contains(&length) {
            let mut tail = Vec::new();
            file.seek(SeekFrom::Start(from)).map_err(&error)?;
            let mut rest = (&file).take(wrote.len() as u64 + 1);
            rest.read_to_end(&mut tail).map_err(&error)?;
            if !wrote.starts_with(&tail) {
                return Err(changed("its end is not this job's".to_owned()));
            }
            file.set_len(from).map_err(&error)?;
            from
        } else {
            return Err(changed(format!("it has {length} bytes, it had {whole}")));
        };
        Ok(Self::new(file, Some((end, journal))))
    }

    fn new(file: File, own: Option<(u64, Journal)>) -> Self {
        Self {
            file,
            own,
            replaces: None,
            failed: None,
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let Some((end, journal)) = &mut self.own else {
            return self.file.write_all(lines);
        };
        if let Some(replaces) = &self.replaces {
            self.file.set_len(0)?;
            replaces.claim.write(&replaces.state, &replaces.job_id)?;
            self.replaces = None;
        }
        journal.note(*end, lines)?;
        self.file.write_all_at(lines, *end).inspect_err(|_| {
            // What a full disk left of a line. If this fails too, a resume does it.
            let _ = self.file.set_len(*end);
        })?;
        *end += lines.len() as u64;
        Ok(())
    }
}

/// The claim once the file has been emptied, and whose it is.
#[derive(Debug)]
struct Replaces {
    claim: Claim,
    state: PathBuf,
    job_id: String,
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
