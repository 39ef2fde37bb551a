//! Port `JobStore`: job states as files. One process writes (see [`super::state`]).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bridge_core::timestamp::Timestamp;
use bridge_history::id::JobId;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::place;
use bridge_history::job::place::Place;
use bridge_history::job::state::{Job, Revision};
use bridge_history::job::store::JobStore;
use bridge_history::job::stored::StoredJob;

use crate::{below, is_plain, read_own, write_whole};

/// The name of a job's folder, and its job or why that cannot be read.
type Read = (JobId, Result<Job, JobStoreError>);

/// Bytes of a job's file, at most: what an item of `DynamoDB` holds, written with room between.
const MOST_JOB: usize = 1024 * 1024;

/// A directory of jobs: `jobs/<jobId>/job.json`.
#[derive(Debug, Clone)]
pub struct LocalJobs {
    folder: Arc<Path>,
    /// Held from reading a job to writing it.
    writing: Arc<Mutex<()>>,
}

impl LocalJobs {
    /// Jobs below `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder: folder.into(),
            writing: Arc::default(),
        }
    }

    /// Does file work where it delays nobody.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> T {
        let jobs = self.clone();
        tokio::task::spawn_blocking(move || work(&jobs))
            .await
            .unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
    }

    fn path(&self, job_id: &JobId) -> Result<PathBuf, JobStoreError> {
        below(&self.folder, ["jobs", job_id.as_str(), "job.json"])
            .map_err(|e| JobStoreError::transient(e.to_string()))
    }

    fn read(&self, job_id: &JobId) -> Result<Option<Job>, JobStoreError> {
        let path = self.path(job_id)?;
        match read_own(&path, MOST_JOB) {
            Ok(bytes) => serde_json::from_slice::<StoredJob>(&bytes)
                .map(|stored| Some(stored.into()))
                .map_err(|e| JobStoreError::Unreadable {
                    job_id: job_id.clone(),
                    reason: format!("{}: {e}", path.display()),
                }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(JobStoreError::Unreadable {
                    job_id: job_id.clone(),
                    reason: format!("{}: {error}", path.display()),
                })
            }
            Err(error) => Err(JobStoreError::transient(format!(
                "reading {}: {error}",
                path.display()
            ))),
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
            JobStoreError::transient(format!("writing {}: {reason}", path.display()))
        };
        let json =
            serde_json::to_vec_pretty(&StoredJob::from(job)).map_err(|e| failed(e.to_string()))?;
        write_whole(&path, &json).map_err(|e| failed(e.to_string()))
    }

    fn read_all(&self) -> Result<Vec<Read>, JobStoreError> {
        let folder = self.folder.join("jobs");
        let failed = |error: std::io::Error| {
            JobStoreError::transient(format!("listing {}: {error}", folder.display()))
        };
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            if let Some(name) = name.to_str().filter(|name| is_plain(name)) {
                let job_id = JobId::stored(name.to_owned());
                if let Some(read) = self.read(&job_id).transpose() {
                    all.push((job_id, read));
                }
            }
        }
        Ok(all)
    }

    fn read_active(&self) -> Result<Vec<JobId>, JobStoreError> {
        let all = self.read_all()?.into_iter();
        let active = all.filter(|(_, read)| read.as_ref().is_ok_and(Job::is_active));
        Ok(active.map(|(name, _)| name).collect())
    }

    /// What cannot be read has no time, and stands at the end.
    fn places(&self) -> Result<Vec<Place>, JobStoreError> {
        let all = self.read_all()?.into_iter();
        let place = |(job_id, read): Read| Place {
            created_at: read.map_or(Timestamp(0), |job| job.created_at),
            job_id,
        };
        Ok(all.map(place).collect())
    }
}

#[async_trait]
impl JobStore for LocalJobs {
    async fn create(&self, job: &Job) -> Result<(), JobStoreError> {
        let job = job.clone();
        self.work(move |jobs| jobs.write_if(&job, |stored| stored.is_none()))
            .await
    }

    async fn load(&self, job_id: &JobId) -> Result<Option<Job>, JobStoreError> {
        let job_id = job_id.clone();
        self.work(move |jobs| jobs.read(&job_id)).await
    }

    async fn replace(&self, job: &Job, expected: Revision) -> Result<(), JobStoreError> {
        let job = job.clone();
        self.work(move |jobs| {
            jobs.write_if(&job, |stored| {
                stored.is_some_and(|s| s.stored_revision() == expected)
            })
        })
        .await
    }

    async fn active(&self) -> Result<Vec<JobId>, JobStoreError> {
        self.work(Self::read_active).await
    }

    async fn newest(
        &self,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Vec<Place>, JobStoreError> {
        let places = self.work(Self::places).await?;
        Ok(place::first(places, after, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_no_job_is_named_and_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = LocalJobs::new(folder.path().to_owned());
        let long = " ".repeat(MOST_JOB + 1);
        for (id, text) in [
            ("cut", "{\"jobId\":"),
            ("old", "{\"jobId\":\"old\"}"),
            ("long", &long),
        ] {
            let of_job = folder.path().join("jobs").join(id);
            std::fs::create_dir_all(&of_job).unwrap();
            std::fs::write(of_job.join("job.json"), text).unwrap();
            let error = jobs.load(&JobId::stored(id.to_owned())).await.unwrap_err();
            assert!(
                matches!(&error, JobStoreError::Unreadable { job_id, .. } if job_id.as_str() == id),
                "{error}"
            );
        }
        assert!(jobs.active().await.unwrap().is_empty());
        let places = jobs.newest(None, 10).await.unwrap();
        let named: Vec<_> = places.iter().map(|place| place.job_id.as_str()).collect();
        assert_eq!(named, ["old", "long", "cut"], "a list names each");
    }

    #[tokio::test]
    async fn an_id_that_is_a_path_finds_no_job() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("x")).unwrap();
        std::fs::write(folder.path().join("x/job.json"), "{}").unwrap();
        let jobs = LocalJobs::new(folder.path().join("state"));
        for id in ["../../x", "..", ".", "a/b", "", "\u{1b}[2J"] {
            let error = jobs
                .load(&JobId::stored(id.to_owned()))
                .await
                .unwrap_err()
                .to_string();
            assert!(error.contains("is no name of a job"), "{id:?}: {error}");
        }
    }
}
