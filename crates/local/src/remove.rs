//! A job's folder is removed.

use std::io::{self, ErrorKind};
use std::path::Path;

use bridge_history::id::JobId;

use crate::{below, make_folder};

/// Beside the folder of jobs: what is being removed.
const REMOVED: &str = "removed";

/// Removes the folder of a job with its plan below `state`, whose directory this process holds; how many bytes its
/// files had. A kill in between leaves no half job: the folder has another name before anything in it is removed,
/// and [`rest`] removes what is left there. Nothing is followed through a symbolic link.
///
/// # Errors
/// The file system's.
pub fn job(state: &Path, job_id: &JobId) -> io::Result<u64> {
    let folder = below(state, ["jobs", job_id.as_str()])?;
    let bytes = bytes_below(&folder)?;
    make_folder(&below(state, [REMOVED])?)?;
    let moved = below(state, [REMOVED, job_id.as_str()])?;
    std::fs::rename(&folder, &moved)?;
    std::fs::remove_dir_all(moved)?;
    rest(state)?;
    Ok(bytes)
}

/// Removes what a kill left of a removal: folders that are named as jobs are. Anything else there is somebody's.
///
/// # Errors
/// The file system's.
pub fn rest(state: &Path) -> io::Result<()> {
    let removed = below(state, [REMOVED])?;
    let entries = match std::fs::read_dir(&removed) {
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            return Ok(());
        }
        entries => entries?,
    };
    let mut others = false;
    for entry in entries {
        let entry = entry?;
        let is_job = entry.file_name().to_str().is_some_and(is_named_as_a_job);
        if is_job && entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            others = true;
        }
    }
    if others {
        return Ok(());
    }
    std::fs::remove_dir(removed)
}

/// Whether it is `20240501-1a2b3c4d-1`: day, digest, count.
fn is_named_as_a_job(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = name.split('-').collect();
    let [day, digest, count] = parts[..] else {
        return false;
    };
    day.len() == 8
        && is_number(day)
        && digest.len() == 8
        && digest.bytes().all(|b| b.is_ascii_hexdigit())
        && is_number(count)
}

/// Bytes of all files below.
fn bytes_below(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Not of what a link leads to.
        let found = entry.metadata()?;
        bytes += if found.is_dir() {
            bytes_below(&entry.path())?
        } else {
            found.len()
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_goes_with_what_a_kill_left_of_another_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (state, precious) = (folder.path().join("state"), folder.path().join("precious"));
        std::fs::create_dir(&precious).unwrap();
        std::fs::write(precious.join("kept"), "not ours").unwrap();
        for made in [
            "jobs/one/runs",
            "jobs/two",
            "removed/20240501-1a2b3c4d-1/runs",
        ] {
            std::fs::create_dir_all(state.join(made)).unwrap();
        }
        std::fs::write(state.join("jobs/one/runs/1"), "12345").unwrap();
        std::fs::write(state.join("jobs/one/job.json"), "123").unwrap();
        std::os::unix::fs::symlink(&precious, state.join("jobs/one/link")).unwrap();
        std::os::unix::fs::symlink(&precious, state.join("jobs/linked")).unwrap();

        let removed = job(&state, &JobId::stored("one".to_owned())).unwrap();
        let link = precious.to_str().unwrap().len() as u64;
        assert_eq!(removed, 8 + link);
        assert!(!state.join("jobs/one").exists() && !state.join("removed").exists());
        assert!(state.join("jobs/two").exists());
        // Somebody's, of the same name.
        for theirs in ["removed/thesis", "removed/20240501-thesis-1"] {
            std::fs::create_dir_all(state.join(theirs)).unwrap();
        }
        job(&state, &JobId::stored("two".to_owned())).unwrap();
        assert!(state.join("removed/thesis").exists());
        assert!(state.join("removed/20240501-thesis-1").exists());
        job(&state, &JobId::stored("linked".to_owned())).unwrap_err();
        job(&state, &JobId::stored("..".to_owned())).unwrap_err();
        assert!(precious.join("kept").exists());
    }
}
