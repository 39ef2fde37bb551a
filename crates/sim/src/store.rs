//! Plans and jobs in memory, with conditional writes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::event::digest_of_bytes;
use bridge_core::failure::FailureKind;
use bridge_core::timestamp::Timestamp;
use bridge_history::id::JobId;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::phase::Phase;
use bridge_history::job::place;
use bridge_history::job::place::Place;
use bridge_history::job::state::{Job, Revision};
use bridge_history::job::store::JobStore;
use bridge_history::plan::store::{PlanError, PlanStore, Tag};
use bytes::Bytes;
use tokio::time::{Instant, sleep};

use crate::faults::{Faults, Strike};
use crate::told::Turn;

/// Plan objects by name.
pub struct SimPlans {
    objects: Mutex<BTreeMap<String, Bytes>>,
    faults: Arc<Faults>,
    outages: Option<(Outages, Instant)>,
}

/// Times in which a store refuses everything.
#[derive(Debug, Clone, Copy)]
pub struct Outages {
    /// From the beginning of one to the beginning of the next.
    pub every: Duration,
    /// How long each lasts.
    pub length: Duration,
}

impl Outages {
    fn is_now(self, begin: Instant) -> bool {
        let since = begin.elapsed().as_millis() % self.every.as_millis().max(1);
        since + self.length.as_millis() >= self.every.as_millis()
    }
}

impl SimPlans {
    /// An empty store.
    #[must_use]
    pub fn new(faults: Arc<Faults>) -> Self {
        Self {
            objects: Mutex::default(),
            faults,
            outages: None,
        }
    }

    /// With outages, counted from `begin`.
    #[must_use]
    pub fn with_outages(mut self, outages: Option<Outages>, begin: Instant) -> Self {
        self.outages = outages.map(|outages| (outages, begin));
        self
    }

    /// One call.
    async fn strike(&self) -> Strike {
        let strike = self.faults.strike().await;
        match self.outages {
            Some((outages, begin)) if outages.is_now(begin) => Strike::Before,
            _ => strike,
        }
    }

    /// All objects, to look at or to damage.
    pub fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(doing: &'static str, name: &str, reason: &str, kind: FailureKind) -> PlanError {
        PlanError::Store {
            doing,
            name: name.to_owned(),
            reason: reason.to_owned(),
            kind,
        }
    }
}

#[async_trait]
impl PlanStore for SimPlans {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        let strike = self.strike().await;
        if matches!(strike, Strike::None | Strike::After) {
            self.objects().insert(name.to_owned(), bytes);
        }
        match strike {
            Strike::None => Ok(()),
            _ => Err(Self::error(
                "writing",
                name,
                "simulated",
                FailureKind::Transient,
            )),
        }
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        if self.strike().await != Strike::None {
            return Err(Self::error(
                "reading",
                name,
                "simulated",
                FailureKind::Transient,
            ));
        }
        let missing = || Self::error("reading", name, "there is none", FailureKind::Permanent);
        let object = self.objects().get(name).cloned().ok_or_else(missing)?;
        let Some(range) = range else {
            return Ok(object);
        };
        let at = |end: u64| usize::try_from(end).unwrap_or(usize::MAX).min(object.len());
        Ok(object.slice(at(range.start)..at(range.end)))
    }

    async fn tag(&self, name: &str) -> Result<Option<Tag>, PlanError> {
        let object = self.get(name, None).await?;
        Ok(Some(Tag(digest_of_bytes(&object))))
    }

    async fn get_tagged(
        &self,
        name: &str,
        range: Range<u64>,
        tag: &Tag,
    ) -> Result<Bytes, PlanError> {
        let object = self.get(name, None).await?;
        if digest_of_bytes(&object) != tag.0 {
            return Err(PlanError::replaced(name.to_owned()));
        }
        let at = |end: u64| usize::try_from(end).unwrap_or(usize::MAX).min(object.len());
        Ok(object.slice(at(range.start)..at(range.end)))
    }
}

/// How far the index of jobs is behind the jobs.
pub const INDEX_LAG: Duration = Duration::from_millis(500);

/// What the index holds of a job, by id, and from when on.
type Indexed = (Instant, JobId, Phase, Timestamp);

/// Jobs by id.
pub struct SimJobs {
    jobs: Mutex<BTreeMap<JobId, Job>>,
    /// Every change of a phase, as the index will have it.
    index: Mutex<Vec<Indexed>>,
    /// The turns among the writes, in their order.
    turns: Mutex<Vec<Turn>>,
    /// An item that is no job lies beside the jobs.
    has_unreadable: bool,
    faults: Arc<Faults>,
}

impl SimJobs {
    /// An empty store.
    #[must_use]
    pub fn new(faults: Arc<Faults>) -> Self {
        Self {
            jobs: Mutex::default(),
            index: Mutex::default(),
            turns: Mutex::default(),
            has_unreadable: false,
            faults,
        }
    }

    /// With an item beside the jobs that is none.
    #[must_use]
    pub fn with_unreadable(mut self) -> Self {
        self.has_unreadable = true;
        self
    }

    /// Whether a job belongs to the segment that calls itself so.
    #[must_use]
    pub fn is_held_by(&self, owner: &str) -> bool {
        let jobs = self.jobs();
        let mut leases = jobs.values().filter_map(|job| job.lease.as_ref());
        leases.any(|lease| lease.owner.starts_with(owner))
    }

    /// All jobs, past all faults.
    pub fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobId, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the jobs' writes tell of them.
    #[must_use]
    pub fn turns(&self) -> Vec<Turn> {
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.clone()
    }

    async fn write(
        &self,
        job: &Job,
        may: impl Fn(Option<&Job>) -> bool + Send,
    ) -> Result<(), JobStoreError> {
        let strike = self.faults.strike().await;
        let unavailable = || JobStoreError::transient("simulated".to_owned());
        if matches!(strike, Strike::Before | Strike::Late | Strike::Throttled) {
            return Err(unavailable());
        }
        let mut jobs = self.jobs();
        if !may(jobs.get(&job.job_id)) {
            return Err(JobStoreError::Conflict {
                job_id: job.job_id.clone(),
            });
        }
        let replaced = jobs.insert(job.job_id.clone(), job.clone());
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.extend(Turn::of(replaced.as_ref(), job));
        if replaced.is_none_or(|replaced| replaced.phase != job.phase) {
            let id = job.job_id.clone();
            let from = Instant::now() + INDEX_LAG;
            let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
            index.push((from, id, job.phase, job.created_at));
        }
        match strike {
            Strike::None => Ok(()),
            _ => Err(unavailable()),
        }
    }

    /// What the index shows by now, by id.
    async fn indexed(&self) -> Result<BTreeMap<JobId, (Phase, Timestamp)>, JobStoreError> {
        if self.faults.strike().await != Strike::None {
            return Err(JobStoreError::transient("simulated".to_owned()));
        }
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let due = index.iter().filter(|(from, ..)| *from <= Instant::now());
        let mut shown: BTreeMap<_, _> = due
            .map(|(_, id, phase, created_at)| (id.clone(), (*phase, *created_at)))
            .collect();
        if self.has_unreadable {
            shown.insert(
                JobId::stored(UNREADABLE.to_owned()),
                (Phase::Sending, Timestamp(0)),
            );
        }
        Ok(shown)
    }
}

/// The id of an item that is no job. It comes before all others, so that who stops at it sees none of them.
const UNREADABLE: &str = "0-of-another-time";

/// The jobs as a segment sees them that is cut off from them for a time.
pub struct CutOff {
    /// The jobs.
    pub jobs: Arc<SimJobs>,
    /// From when on.
    pub from: Instant,
    /// Until when.
    pub until: Instant,
    /// How long a call takes that leads nowhere.
    pub wait: Duration,
}

impl CutOff {
    async fn reach(&self) -> Result<&SimJobs, JobStoreError> {
        if !(self.from..self.until).contains(&Instant::now()) {
            return Ok(&self.jobs);
        }
        sleep(self.wait).await;
        Err(JobStoreError::transient("cut off".to_owned()))
    }
}

#[async_trait]
impl JobStore for CutOff {
    async fn create(&self, job: &Job) -> Result<(), JobStoreError> {
        self.reach().await?.create(job).await
    }

    async fn load(&self, job_id: &JobId) -> Result<Option<Job>, JobStoreError> {
        self.reach().await?.load(job_id).await
    }

    async fn replace(&self, job: &Job, expected: Revision) -> Result<(), JobStoreError> {
        self.reach().await?.replace(job, expected).await
    }

    async fn active(&self) -> Result<Vec<JobId>, JobStoreError> {
        self.reach().await?.active().await
    }

    async fn newest(
        &self,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Vec<Place>, JobStoreError> {
        self.reach().await?.newest(after, most).await
    }
}

#[async_trait]
impl JobStore for SimJobs {
    async fn create(&self, job: &Job) -> Result<(), JobStoreError> {
        self.write(job, |stored| stored.is_none()).await
    }

    async fn load(&self, job_id: &JobId) -> Result<Option<Job>, JobStoreError> {
        match self.faults.strike().await {
            Strike::None if self.has_unreadable && job_id.as_str() == UNREADABLE => {
                Err(JobStoreError::Unreadable {
                    job_id: job_id.clone(),
                    reason: "simulated".to_owned(),
                })
            }
            Strike::None => Ok(self.jobs().get(job_id).cloned()),
            _ => Err(JobStoreError::transient("simulated".to_owned())),
        }
    }

    async fn replace(&self, job: &Job, expected: Revision) -> Result<(), JobStoreError> {
        self.write(job, |stored| {
            stored.is_some_and(|s| s.stored_revision() == expected)
        })
        .await
    }

    async fn active(&self) -> Result<Vec<JobId>, JobStoreError> {
        let shown = self.indexed().await?.into_iter();
        let active = shown.filter(|(_, (phase, _))| phase.is_active());
        Ok(active.map(|(id, _)| id).collect())
    }

    async fn newest(
        &self,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Vec<Place>, JobStoreError> {
        let shown = self.indexed().await?.into_iter();
        let place = |(job_id, (_, created_at))| Place { created_at, job_id };
        Ok(place::first(shown.map(place).collect(), after, most))
    }
}
