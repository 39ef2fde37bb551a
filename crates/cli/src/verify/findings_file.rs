//! The file of `--findings`: everything that is wrong, once everything is known.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bridge_history::verify::report::Finding;
use bridge_local::reason::reason;
use tempfile::TempPath;

use crate::Usage;

/// A file that has its name when it is whole, so that a run that does not come to its end can be made again.
pub(super) struct FindingsFile {
    path: PathBuf,
    /// Gone if nothing becomes of it, whoever still writes to it.
    unfinished: TempPath,
}

impl FindingsFile {
    /// Makes one, readable to its owner only: keys are personal data. Answers what is to be written to, too.
    ///
    /// # Errors
    /// [`Usage`] when the name is taken, or none can be made beside it.
    pub(super) fn new(path: &Path) -> Result<(Writer, Self), Usage> {
        let refused = |error: &io::Error| Usage(format!("--findings: {}", reason(path, error)));
        match std::fs::symlink_metadata(path) {
            Ok(_) => {
                let path = path.display();
                return Err(Usage(format!("--findings: {path} exists: name a new file")));
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(refused(&error)),
            Err(_) => {}
        }
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let made = tempfile::Builder::new()
            .prefix(".unfinished-")
            .suffix(".jsonl")
            .tempfile_in(folder.unwrap_or(Path::new(".")));
        let made = made.map_err(|error| refused(&error))?;
        let (file, unfinished) = made.into_parts();
        let path = path.to_owned();
        let writer = Writer {
            file,
            path: path.clone(),
        };
        Ok((writer, Self { path, unfinished }))
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// When another file was made there meanwhile, or it does not last.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let Self { path, unfinished } = self;
        let named = || {
            File::open(&unfinished)?.sync_data()?;
            unfinished
                .persist_noclobber(&path)
                .map_err(|refused| refused.error)
        };
        named().with_context(|| format!("naming what was found {}", path.display()))
    }
}

/// Who writes to it.
pub(super) struct Writer {
    file: File,
    /// Of what it becomes.
    path: PathBuf,
}

impl Writer {
    /// Writes a finding as a line.
    ///
    /// # Errors
    /// When the file does not take it, with its name.
    pub(super) fn write(&mut self, finding: &Finding) -> io::Result<()> {
        let mut line = serde_json::to_vec(finding)?;
        line.push(b'\n');
        let written = self.file.write_all(&line);
        written.map_err(|error| {
            let text = format!("--findings: {}", reason(&self.path, &error));
            io::Error::new(error.kind(), text)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use bridge_history::verify::report::Kind;

    use super::*;

    #[test]
    fn it_has_its_name_when_it_is_whole_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings");
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        for is_whole in [false, true] {
            let (mut writer, findings) = FindingsFile::new(&path).unwrap();
            writer.write(&Finding::new(Kind::Missing)).unwrap();
            assert!(!path.exists());
            if is_whole {
                findings.finish().unwrap();
            } else {
                drop(findings);
                // A thread may not know yet.
                writer.write(&Finding::new(Kind::Missing)).unwrap();
            }
            assert_eq!((path.exists(), names()), (is_whole, usize::from(is_whole)));
        }
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_file_that_takes_no_more_is_named() {
        let mut writer = Writer {
            file: File::options().write(true).open("/dev/full").unwrap(),
            path: "folder/findings".into(),
        };
        let error = writer.write(&Finding::new(Kind::Missing)).unwrap_err();
        let error = error.to_string();
        let begin = "--findings: folder/findings: No space left";
        assert!(error.starts_with(begin), "{error}");
    }

    #[test]
    fn what_is_there_is_left_also_if_it_was_made_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings");
        let (_, findings) = FindingsFile::new(&path).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        let error = format!("{:#}", findings.finish().unwrap_err());
        assert!(error.contains("findings"), "{error}");
        let link = folder.path().join("link");
        symlink("nothing", &link).unwrap();
        for (path, part) in [
            (&path, "name a new file"),
            (&link, "name a new file"),
            (&folder.path().join("none/findings"), "--findings: "),
        ] {
            let refused = FindingsFile::new(path).err().unwrap().to_string();
            assert!(refused.contains(part), "{refused}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
