//! Port `JobStore`: job states as files. One process writes (see [`super::state`]).

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::write_whole;
use crate::job::{Job, JobStore, JobStoreError, Stamp};

/// A directory of jobs: `jobs/<jobId>/job.json`.
#[derive(Debug)]
pub struct LocalJobs {
    folder: PathBuf,
    /// Held from reading a job to writing it.
    writing: Mutex<()>,
}

impl LocalJobs {
    /// Jobs below `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            writing: Mutex::new(()),
        }
    }

    fn path(&self, job_id: &str) -> PathBuf {
        self.folder.join("jobs").join(job_id).join("job.json")
    }

    fn read(&self, job_id: &str) -> Result<Option<Job>, JobStoreError> {
        let path = self.path(job_id);
        let failed = |reason: String| {
            JobStoreError::Unavailable(format!("reading {}: {reason}", path.display()))
        };
        match std::fs::read(&path) {
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
        let path = self.path(&job.job_id);
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
            if let Some(name) = name.to_str() {
                jobs.extend(self.read(name)?);
            }
        }
        Ok(jobs)
    }
}
