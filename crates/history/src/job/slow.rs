//! For tests: a job store whose writes take seconds, and ports of which only it is used.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::clock::Clock;
use bridge_core::listing::page::Marker;
use bridge_core::queue::port::Queue;
use bridge_core::timestamp::Timestamp;
use bytes::Bytes;
use tokio::time::sleep;

use crate::id::{Epoch, JobId};
use crate::job::error::JobStoreError;
use crate::job::place::Place;
use crate::job::ports::{Continuation, ContinuationError, Ports, Queues};
use crate::job::state::{Job, Revision};
use crate::job::store::JobStore;
use crate::plan::store::{PlanError, PlanStore};
use bridge_core::listing::lister::{ListError, Lister};

/// How long a write takes.
pub(super) const WRITE: Duration = Duration::from_secs(3);

/// A store of one job.
pub(super) struct SlowJobs {
    job: Mutex<Job>,
    /// How many of the next writes go through, and are answered with a fault.
    lost_answers: Mutex<usize>,
}

impl SlowJobs {
    pub(super) fn new(job: Job, lost_answers: usize) -> Self {
        Self {
            job: Mutex::new(job),
            lost_answers: Mutex::new(lost_answers),
        }
    }
}

#[async_trait]
impl JobStore for SlowJobs {
    async fn create(&self, _: &Job) -> Result<(), JobStoreError> {
        panic!("not used")
    }

    async fn load(&self, _: &JobId) -> Result<Option<Job>, JobStoreError> {
        Ok(Some(self.job.lock().unwrap().clone()))
    }

    async fn replace(&self, job: &Job, expected: Revision) -> Result<(), JobStoreError> {
        sleep(WRITE).await;
        let mut stored = self.job.lock().unwrap();
        if stored.stored_revision() != expected {
            return Err(JobStoreError::Conflict {
                job_id: job.job_id.clone(),
            });
        }
        *stored = job.clone();
        let mut lost = self.lost_answers.lock().unwrap();
        if *lost > 0 {
            *lost -= 1;
            return Err(JobStoreError::transient("no answer".to_owned()));
        }
        Ok(())
    }

    async fn active(&self) -> Result<Vec<JobId>, JobStoreError> {
        panic!("not used")
    }

    async fn newest(&self, _: Option<&Place>, _: usize) -> Result<Vec<Place>, JobStoreError> {
        panic!("not used")
    }
}

/// All other ports; its clock stands still, so that only the steady one ends a lease.
struct Unused;

impl Clock for Unused {
    fn now(&self) -> Timestamp {
        Timestamp(1_714_564_800_000)
    }
}

#[async_trait]
impl Lister for Unused {
    async fn list(&self, _: &str, _: Option<&Marker>) -> Result<Bytes, ListError> {
        panic!("not used")
    }
}

#[async_trait]
impl PlanStore for Unused {
    async fn put(&self, _: &str, _: Bytes) -> Result<(), PlanError> {
        panic!("not used")
    }

    async fn get(&self, _: &str, _: Option<std::ops::Range<u64>>) -> Result<Bytes, PlanError> {
        panic!("not used")
    }
}

impl Queues for Unused {
    fn open(&self, _: &str) -> Arc<dyn Queue> {
        panic!("not used")
    }
}

#[async_trait]
impl Continuation for Unused {
    async fn invoke(&self, _: &JobId, _: Epoch) -> Result<(), ContinuationError> {
        panic!("not used")
    }
}

/// Ports of which the job store is used, and the clock.
pub(super) fn ports(jobs: SlowJobs) -> Ports {
    Ports {
        lister: Arc::new(Unused),
        plans: Arc::new(Unused),
        elsewhere: None,
        queues: Arc::new(Unused),
        jobs: Arc::new(jobs),
        continuation: Arc::new(Unused),
        clock: Arc::new(Unused),
        live: None,
    }
}
