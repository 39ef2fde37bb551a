//! Adapters of the ports for one machine: a directory instead of S3, `DynamoDB` and Lambda.
//!
//! - [`state`]: the directory, held by one process at a time
//! - [`plans`]: runs and manifests as files
//! - [`jobs`]: job states as files; [`remove`]: one goes with its plan
//! - [`live`]: the live table as a file
//! - [`lines`]: events as lines of a file or of standard output; [`output`]: which file, and what in
//!   it is the job's; [`parked`]: the file of what cannot be delivered
//! - [`scratch`]: files that need not outlive the process
//! - [`reason`]: why a file or a folder cannot be had
//!
//! A working directory is not trusted: it may have come with an archive or a clone. Nothing is opened
//! through a symbolic link, names are checked before they are joined, and what is made is for its owner
//! only, since keys are personal data.

pub mod jobs;
pub mod lines;
pub mod live;
pub mod output;
pub mod parked;
pub mod plans;
pub mod reason;
pub mod remove;
pub mod scratch;
pub mod state;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bridge_core::text::{MOST_SHOWN, shown};
use bridge_history::id::{Epoch, JobId};
use bridge_history::job::ports::{Continuation, ContinuationError};

/// Nobody else continues with a job of this process: it does so itself, when it is run again.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoContinuation;

#[async_trait]
impl Continuation for NoContinuation {
    async fn invoke(&self, _job_id: &JobId, _epoch: Epoch) -> Result<(), ContinuationError> {
        Ok(())
    }
}

/// Writes a file that is there as a whole or not at all, whatever dies in between, the machine too.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let unfinished = path.with_extension("unfinished");
    // One that a kill left, or a link that leads elsewhere: the name is freed, nothing is followed.
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = new_file(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&unfinished, path)?;
    sync_name(path)
}

/// Has its folder keep a file's name, also if the machine stops: `sync_data` of a file keeps what it holds, no more. A
/// folder that cannot be read, or of a file system that knows nothing of it, is left as it is.
fn sync_name(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    // A name alone is in the present folder.
    let is_present = folder.as_os_str().is_empty();
    let folder = if is_present { Path::new(".") } else { folder };
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if [
                ErrorKind::PermissionDenied,
                ErrorKind::InvalidInput,
                ErrorKind::Unsupported,
            ]
            .contains(&error.kind()) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Makes a file that nobody else may read; what is there, a link too, is an error.
fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Makes a folder, and those above it, that only its owner may look into. What is made stays, also if the machine stops.
///
/// # Errors
/// The file system's.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Somebody else was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_name(path),
    }
}

/// The path of these parts below `folder`. Each is a [plain name](is_plain), and none that is there
/// may be a symbolic link.
fn below<'a>(folder: &Path, parts: impl IntoIterator<Item = &'a str>) -> io::Result<PathBuf> {
    let wrong = "is no name of a job or of a file of one";
    checked_below(folder, parts, is_plain, wrong)
}

/// The same of parts that somebody else has named: each is [one name](is_one).
fn below_of_others<'a>(
    folder: &Path,
    parts: impl IntoIterator<Item = &'a str>,
) -> io::Result<PathBuf> {
    checked_below(folder, parts, is_one, "is no name of a file below it")
}

fn checked_below<'a>(
    folder: &Path,
    parts: impl IntoIterator<Item = &'a str>,
    is_allowed: fn(&str) -> bool,
    wrong: &str,
) -> io::Result<PathBuf> {
    let mut path = folder.to_owned();
    for part in parts {
        if !is_allowed(part) {
            let text = format!("{:?} {wrong}", shown(part, MOST_SHOWN));
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        path.push(part);
        if std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Err(is_a_link(&path));
        }
    }
    Ok(path)
}

/// Whether it is a name as jobs and their files have them: letters, digits, `-`, `_` and `.`, but no
/// `.` in front.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.len() <= 255
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether it is the name of one file or folder, and leads nowhere else: that of a plan from elsewhere has whatever
/// characters its maker likes (`month=2024-05`, `part 0`).
fn is_one(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.contains(['/', '\\', '\0'])
}

/// Opens a file that is there, and that the path names itself: not what a link leads to, and no
/// pipe that would never open.
fn open_own(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let named = std::fs::symlink_metadata(path)?;
    if named.is_symlink() {
        return Err(is_a_link(path));
    }
    if !named.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    let file = options.open(path)?;
    let opened = file.metadata()?;
    if (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
        return Err(is_a_link(path)); // exchanged in between
    }
    Ok(file)
}

/// All of a file that the path names itself, if it has no more than `most` bytes.
fn read_own(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open_own(path, OpenOptions::new().read(true))?;
    // Not its length: it may grow while it is read.
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        let text = format!("it has more than {most} bytes, as no file of a job has");
        return Err(io::Error::new(ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

fn is_a_link(path: &Path) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        format!(
            "{} is a symbolic link, which is not followed",
            path.display()
        ),
    )
}
