//! The file that a page is written to.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bridge_local::reason::reason;
use tempfile::NamedTempFile;

use crate::Usage;

/// A file for a page: asked for before the work, written behind it, as a whole or not at all.
#[derive(Debug)]
pub(crate) struct PageFile {
    path: PathBuf,
    overwrite: bool,
}

impl PageFile {
    /// Refuses what cannot be written, or is somebody's: nothing is made yet.
    ///
    /// # Errors
    /// [`Usage`], with what to do.
    pub(crate) fn check(path: &Path, overwrite: bool) -> Result<Self, Usage> {
        let name = path.display();
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => {
                let what = if found.is_dir() {
                    "a directory"
                } else {
                    "no plain file"
                };
                return Err(Usage(format!("--report: {name} is {what}: name a file")));
            }
            Ok(_) if !overwrite => {
                return Err(Usage(format!(
                    "--report: {name} exists, and is left as it is: choose another file, or say --overwrite"
                )));
            }
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Usage(format!("--report: {}", reason(path, &error))));
            }
            _ => {}
        }
        let file = Self {
            path: path.to_owned(),
            overwrite,
        };
        // Whether one can be made is known before an hour of work is lost.
        match file.unfinished() {
            Ok(_) => Ok(file),
            // The error itself is of a temporary file, which nobody knows.
            Err(error) => {
                let why = reason(path, &error.kind().into());
                Err(Usage(format!("--report: {why}")))
            }
        }
    }

    /// A file of the same folder, for its owner only; it is gone if nothing becomes of it.
    fn unfinished(&self) -> std::io::Result<NamedTempFile> {
        let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
        tempfile::Builder::new()
            .prefix(".unfinished-")
            .suffix(".html")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be written, or another file was made there meanwhile.
    pub(crate) fn write(&self, page: &str) -> anyhow::Result<()> {
        let written = || {
            let mut file = self.unfinished()?;
            file.write_all(page.as_bytes())?;
            file.as_file().sync_data()?;
            let named = if self.overwrite {
                file.persist(&self.path)
            } else {
                file.persist_noclobber(&self.path)
            };
            named.map(|_| ()).map_err(|refused| refused.error)
        };
        written().map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => anyhow!(
                "writing the report: {} was made meanwhile, and is left as it is",
                self.path.display()
            ),
            kind => anyhow!("writing the report: {}", reason(&self.path, &kind.into())),
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_file_that_is_there_is_refused_unless_it_may_be_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        PageFile::check(&path, false).unwrap().write("one").unwrap();
        assert_eq!(read(&path), "one");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let refused = PageFile::check(&path, false).unwrap_err().to_string();
        assert!(refused.contains("--overwrite"), "{refused}");
        PageFile::check(&path, true).unwrap().write("two").unwrap();
        assert_eq!(read(&path), "two");
        // No other file is left.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_that_was_made_meanwhile_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let file = PageFile::check(&path, false).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        let error = format!("{:#}", file.write("ours").unwrap_err());
        assert!(error.contains("report.html"), "{error}");
        assert_eq!(read(&path), "theirs");
    }

    #[test]
    fn what_is_no_file_or_in_no_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::fs::write(&target, "theirs").unwrap();
        let link = folder.path().join("link");
        symlink(&target, &link).unwrap();
        for path in [
            folder.path(),
            &link,
            &folder.path().join("none/report.html"),
            &target.join("x"),
        ] {
            let refused = PageFile::check(path, true).unwrap_err().to_string();
            assert!(refused.starts_with("--report: "), "{refused}");
            assert!(!refused.contains("os error"), "{refused}");
            assert!(!refused.contains(".unfinished"), "{refused}");
        }
        let none = PageFile::check(&folder.path().join("none/report.html"), true);
        let refused = none.unwrap_err().to_string();
        assert!(refused.contains("there is no folder "), "{refused}");
        assert_eq!(read(&target), "theirs");
    }
}
