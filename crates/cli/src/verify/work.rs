//! Where both sides lie while they are compared, and who takes them in.

use std::fs::Permissions;
use std::io::{self, BufRead};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use bridge_history::verify::intake::Intake;
use bridge_history::verify::report::Findings;
use bridge_history::verify::scope::Scope;
use bridge_history::verify::sorter::Sorter;
use bridge_local::make_folder;
use bridge_local::reason::reason;
use tokio::sync::oneshot;

use crate::Usage;
use crate::verify::input::{Next, next};

/// How often a folder is removed, at most, and how long it is waited between.
const MOST_REMOVALS: usize = 100;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(10);

/// A folder that is gone at the end.
pub(super) struct Work {
    folder: PathBuf,
}

impl Drop for Work {
    /// After an interrupt, threads may still be making a file there, or the folder of one: it is gone when it stays
    /// away.
    fn drop(&mut self) {
        for _ in 0..MOST_REMOVALS {
            match std::fs::remove_dir_all(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                _ => std::thread::sleep(BETWEEN_REMOVALS),
            }
        }
    }
}

impl Work {
    /// Makes one in `state`, or in the system's folder for such.
    ///
    /// # Errors
    /// [`Usage`] when it cannot be made.
    pub(super) fn new(state: Option<&Path>) -> Result<Self, Usage> {
        let mut name = tempfile::Builder::new();
        name.prefix("verify-")
            .permissions(Permissions::from_mode(0o700));
        let folder = match state {
            Some(state) => make_folder(state).and_then(|()| name.tempdir_in(state)),
            None => name.tempdir(),
        };
        let folder = folder.map_err(|error| {
            let place = state.map_or_else(std::env::temp_dir, Path::to_owned);
            Usage(format!(
                "making a folder for temporary files: {}; name another with --state",
                reason(&place, &error)
            ))
        })?;
        Ok(Self {
            folder: folder.keep(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }
}

/// Does work on a thread of its own, which an interrupt does not wait for.
///
/// # Errors
/// What the work fails with.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let (sender, done) = oneshot::channel();
    std::thread::Builder::new().spawn(move || {
        // Nobody waits any more after an interrupt.
        let _ = sender.send(work());
    })?;
    let done = done.await;
    Ok(done.map_err(|_| anyhow!("a thread ended before its work"))??)
}

/// Takes all lines of a consumer's file.
///
/// # Errors
/// What keeps the file from being read, or records from being written.
pub(super) fn take_lines(
    mut file: Box<dyn BufRead + Send>,
    scope: &Scope,
    sorter: &mut Sorter,
    findings: &mut Findings<'_>,
) -> io::Result<()> {
    let mut intake = Intake::new(scope, sorter, findings);
    let mut line = Vec::new();
    loop {
        match next(&mut *file, &mut line)? {
            Next::Line => intake.line(&line)?,
            Next::TooLong => {
                intake.line(b"")?;
                intake.unreadable("it is longer than any message".to_owned())?;
            }
            Next::End => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let above = folder.path().join("above");
        let state = above.join("state");
        let work = Work::new(Some(&state)).unwrap();
        let in_system = Work::new(None).unwrap();
        for path in [&*above, &state, work.path(), in_system.path()] {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
    }
}
