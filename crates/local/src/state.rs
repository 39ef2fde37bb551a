//! The directory that a process keeps its jobs in.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::reason::reason;
use crate::{is_a_link, make_folder, open_own};

/// A directory of jobs. As long as this value lives no other process has it.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    _lock: File,
}

/// Why the directory is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process works there.
    #[error(
        "another process works in {0}: let it end, or give this one another directory with --state"
    )]
    Taken(PathBuf),
    /// The file system's refusal.
    #[error("opening the state directory: {}", reason(path, error))]
    Io {
        /// The directory.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
}

impl StateDirectory {
    /// Makes the directory if need be, and holds it.
    ///
    /// # Errors
    /// [`StateError`]
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::Io {
            path: path.to_owned(),
            error,
        };
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
            return Err(failed(is_a_link(path)));
        }
        make_folder(path).map_err(failed)?;
        let lock = lock_file(&path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(StateError::Taken(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Nothing is ever written to it: it is made if it is not there, and never emptied.
fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    match options.clone().create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_own(path, &options),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_lock_that_is_a_link_is_refused_and_its_target_left() {
        let folder = tempfile::tempdir().unwrap();
        let (state, precious) = (folder.path().join("state"), folder.path().join("precious"));
        std::fs::create_dir(&state).unwrap();
        std::fs::write(&precious, "not ours").unwrap();
        std::os::unix::fs::symlink(&precious, state.join("lock")).unwrap();
        let error = StateDirectory::open(&state).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "not ours");

        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&state, &link).unwrap();
        let error = StateDirectory::open(&link).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
    }

    #[test]
    fn a_file_is_no_directory() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.jsonl");
        std::fs::write(&file, "theirs").unwrap();
        let error = StateDirectory::open(&file).unwrap_err().to_string();
        assert!(
            error.ends_with("events.jsonl is a file, not a directory"),
            "{error}"
        );
    }

    #[test]
    fn what_is_made_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("above/state");
        let _held = StateDirectory::open(&state).unwrap();
        for (path, expected) in [(state.join("lock"), 0o600), (state, 0o700)] {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, expected, "{}", path.display());
        }
    }

    #[test]
    fn a_directory_is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = StateDirectory::open(folder.path()).unwrap();
        let error = StateDirectory::open(folder.path()).unwrap_err();
        assert!(matches!(error, StateError::Taken(_)), "{error}");
        drop(held);
        StateDirectory::open(folder.path()).unwrap();
    }
}
