//! Port `JobStore`: job states as files. One process writes (see [`super::state`]).

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{below, is_plain, read_own, write_whole};
use crate::job::{Job, JobStore, JobStoreError, Stamp};

/// A directory of jobs: `jobs/<jobId>/job.json`.
#[derive(Debug, Clone)]
pub struct LocalJobs {
    folder: PathBuf,
    /// Held from reading a job to writing it.
    writing: Arc<Mutex<()>>,
}

impl LocalJobs {
    /// Jobs below `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            writing: Arc::default(),
        }
    }

    fn path(&self, job_id: &str) -> Result<PathBuf, JobStoreError> {
        below(&self.folder, ["jobs", job_id, "job.json"])
            .map_err(|e| JobStoreError::Unavailable(e.to_string()))
    }

    fn read(&self, job_id: &str) -> Result<Option<Job>, JobStoreError> {
        let path = self.path(job_id)?;
        let failed = |reason: String| {
            JobStoreError::Unavailable(format!("reading {}: {reason}", path.display()))
        };
        match read_own(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|e| failed(e.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn write_if(&self, job: &Job, may: impl Fn(Option<&Job>) -> bool) -> Result<(), JobStoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if !may(self.read(&job.job_id)?.as_ref()) {
            return Err(JobStoreError::Conflict {
                job_id: job.job_id.clone(),
            });
        }
        let path = self.path(&job.job_id)?;
        let failed = |reason: String| {
            JobStoreError::Unavailable(format!("writing {}: {reason}", path.display()))
        };
        let json = serde_json::to_vec_pretty(job).map_err(|e| failed(e.to_string()))?;
        write_whole(&path, &json).map_err(|e| failed(e.to_string()))
    }
}

#[async_trait]
impl JobStore for LocalJobs {
    async fn create(&self, job: &Job) -> Result<(), JobStoreError> {
        self.write_if(job, |stored| stored.is_none())
    }

    async fn load(&self, job_id: &str) -> Result<Option<Job>, JobStoreError> {
        self.read(job_id)
    }

    async fn replace(&self, job: &Job, expected: Stamp) -> Result<(), JobStoreError> {
        self.write_if(job, |stored| stored.is_some_and(|s| s.stamp() == expected))
    }

    async fn list(&self) -> Result<Vec<Job>, JobStoreError> {
        let folder = self.folder.join("jobs");
        let failed = |error: std::io::Error| {
            JobStoreError::Unavailable(format!("listing {}: {error}", folder.display()))
        };
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut jobs = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            if let Some(name) = name.to_str().filter(|name| is_plain(name)) {
                jobs.extend(self.read(name)?);
            }
        }
        Ok(jobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_id_that_is_a_path_finds_no_job() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("x")).unwrap();
        std::fs::write(folder.path().join("x/job.json"), "{}").unwrap();
        let jobs = LocalJobs::new(folder.path().join("state"));
        for id in ["../../x", "..", ".", "a/b", "", "\u{1b}[2J"] {
            let error = jobs.load(id).await.unwrap_err().to_string();
            assert!(error.contains("is no name of a job"), "{id:?}: {error}");
        }
    }
}
