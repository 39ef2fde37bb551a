//! The file of a job in which events are parked: one record a line, for its owner's eyes.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::{below, make_folder, open_own};

/// Its name in the job's folder.
const NAME: &str = "parked.jsonl";

/// A file whose lines are on the disk when they are told to be: the checkpoint continues behind them.
#[derive(Debug)]
pub struct Parked(File);

impl Write for Parked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.0.sync_data()
    }
}

/// Whether a job has one below the state directory: `reseed` makes it before a job that parks begins.
#[must_use]
pub fn is_there(state: &Path, job_id: &str) -> bool {
    below(state, ["jobs", job_id, NAME]).is_ok_and(|path| path.is_file())
}

/// Opens the job's file below the state directory, to write behind what it holds; tells its path.
///
/// # Errors
/// The system's; also when it is no file of its own, but a link.
pub fn open(state: &Path, job_id: &str) -> io::Result<(PathBuf, Parked)> {
    let path = below(state, ["jobs", job_id, NAME])?;
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut own = OpenOptions::new();
    own.append(true).read(true);
    let made = own.clone().create_new(true).mode(0o600).open(&path);
    let mut file = match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => open_own(&path, &own)?,
        made => made?,
    };
    // A line that a kill cut short will come again: it must not spoil the next.
    if file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok((path, Parked(file)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_job_writes_behind_what_it_parked_before_for_its_owner_only() {
        let state = tempfile::tempdir().unwrap();
        for (line, held) in [
            ("one\n", "one\n"),
            ("tw", "one\ntw"),
            ("2\n", "one\ntw\n2\n"),
        ] {
            assert_eq!(is_there(state.path(), "job-1"), line != "one\n");
            let (path, mut file) = open(state.path(), "job-1").unwrap();
            file.write_all(line.as_bytes()).unwrap();
            file.flush().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), held);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_link_is_not_followed_and_a_name_does_not_lead_elsewhere() {
        let state = tempfile::tempdir().unwrap();
        let elsewhere = state.path().join("elsewhere");
        std::fs::create_dir_all(state.path().join("jobs/job-1")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, state.path().join("jobs/job-1").join(NAME)).unwrap();
        open(state.path(), "job-1").unwrap_err();
        open(state.path(), "../job-1").unwrap_err();
        std::fs::write(&elsewhere, "").unwrap();
        assert!(!is_there(state.path(), "job-1"));
        std::fs::remove_file(&elsewhere).unwrap();
        assert!(!elsewhere.exists());
    }
}
