//! Port `PlanStore`: runs and manifests as files of a directory.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_history::plan::store::{MOST_WHOLE, PlanError, PlanStore};
use bytes::Bytes;

use crate::{below, open_own, read_own, write_whole};

/// A directory of plans.
#[derive(Debug, Clone)]
pub struct LocalPlans {
    folder: PathBuf,
}

impl LocalPlans {
    /// Plans below `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Does file work where it delays nobody.
    async fn work<T: Send + 'static>(
        &self,
        doing: &'static str,
        name: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, PlanError> {
        let shown = self.folder.join(name).display().to_string();
        let (folder, name) = (self.folder.clone(), name.to_owned());
        tokio::task::spawn_blocking(move || work(&below(&folder, name.split('/'))?))
            .await
            .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
            .map_err(|error| PlanError::Store {
                doing,
                name: shown,
                reason: error.to_string(),
                kind: match error.kind() {
                    ErrorKind::Interrupted => FailureKind::Transient,
                    _ => FailureKind::Permanent,
                },
            })
    }
}

impl LocalPlans {
    /// Removes an object that is needed no more.
    ///
    /// # Errors
    /// [`PlanError::Store`]
    pub async fn remove(&self, name: &str) -> Result<(), PlanError> {
        self.work("removing", name, |path| std::fs::remove_file(path))
            .await
    }
}

#[async_trait]
impl PlanStore for LocalPlans {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        self.work("writing", name, move |path| write_whole(path, &bytes))
            .await
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        self.work("reading", name, move |path| {
            let Some(range) = range else {
                return read_own(path, MOST_WHOLE).map(Bytes::from);
            };
            let mut file = open_own(path, OpenOptions::new().read(true))?;
            file.seek(SeekFrom::Start(range.start))?;
            // As much as there is, whatever a manifest says; and no more memory than that, as who asks has counted it.
            let length = (range.end.min(file.metadata()?.len())).saturating_sub(range.start);
            let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
            file.take(length).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_leads_nowhere_but_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir_all(state.join("jobs")).unwrap();
        std::fs::write(folder.path().join("precious"), "not ours").unwrap();
        std::os::unix::fs::symlink(folder.path(), state.join("jobs/link")).unwrap();
        let plans = LocalPlans::new(state);
        let absolute = folder.path().join("precious").display().to_string();
        for name in [
            "../precious",
            "jobs/../../precious",
            "jobs/link/precious",
            &absolute,
            "",
            "jobs//x",
        ] {
            let put = plans.put(name, Bytes::from_static(b"x")).await;
            let read = plans.get(name, None).await;
            assert!(put.is_err() && read.is_err(), "{name:?}");
        }
        let kept = std::fs::read_to_string(absolute).unwrap();
        assert_eq!(kept, "not ours");
    }
}
