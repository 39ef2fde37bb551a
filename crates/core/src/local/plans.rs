//! Port `PlanStore`: runs and manifests as files of a directory.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use super::write_whole;
use crate::plan::{PlanError, PlanStore};

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

    /// Does file work where it holds up nobody.
    async fn work<T: Send + 'static>(
        &self,
        doing: &'static str,
        name: &str,
        work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, PlanError> {
        let path = self.folder.join(name);
        let shown = path.display().to_string();
        tokio::task::spawn_blocking(move || work(&path))
            .await
            .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
            .map_err(|error| PlanError::Store {
                doing,
                name: shown,
                reason: error.to_string(),
                retryable: error.kind() == ErrorKind::Interrupted,
            })
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
                return std::fs::read(path).map(Bytes::from);
            };
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(range.start))?;
            let length = range.end.saturating_sub(range.start);
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
            file.take(length).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        })
        .await
    }
}
