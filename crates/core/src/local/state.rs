//! The directory that a process keeps its jobs in.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// A directory of jobs. As long as this value lives no other process has it.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    _lock: File,
}

/// Why the directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process works there.
    #[error(
        "another process works in {0}: let it end, or give this one another directory with --state"
    )]
    Taken(PathBuf),
    /// The file system's refusal.
    #[error("opening the state directory {path}: {error}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
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
        std::fs::create_dir_all(path).map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
