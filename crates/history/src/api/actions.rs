//! What the interface's actions do to jobs.

use bridge_core::config::ReseedConfig;
use bridge_core::text::{MOST_SHOWN, shown};
use bridge_core::timestamp::Timestamp;
use serde_json::json;

use crate::api::plan;
use crate::api::start::StartRequest;
use crate::api::then::{check_hold, check_others};
use crate::id::JobId;
use crate::job::error::{JobError, JobStoreError};
use crate::job::options::Options;
use crate::job::ports::Ports;
use crate::job::state::{Job, StopRequest, digest_of};
use crate::send::parking::OnUndeliverable;

/// How often a write that lost a race is tried again.
const ATTEMPTS: usize = 5;

/// Jobs that may be at work at the same time: each has a function at work, and the sweep looks at all.
const MAX_ACTIVE: usize = 100;

/// Starts a job, unless one that was asked for the same is still at work: then that one is the
/// answer, so that a doubled start does no harm.
///
/// # Errors
/// [`JobError`]
pub async fn start(
    ports: &Ports,
    config: &ReseedConfig,
    request: &StartRequest,
) -> Result<Job, JobError> {
    let asked = Asked::read(ports, config, request).await?;
    check_parking(ports, None, asked.options.on_undeliverable)?;
    let active = ports.jobs.active().await?;
    let last = Last::of(ports, &asked).await?;
    if let Some(job) = at_work(ports, &asked, &active, &last).await? {
        tracing::info!(job = %job.job_id, "this job is already at work");
        return Ok(job);
    }
    check_room(&active)?;
    check_others(ports, &asked.options, &active).await?;
    let job = create(ports, &config.bucket, asked, last.count).await?;
    continue_soon(ports, &job).await;
    Ok(job)
}

/// The job at work that was asked for so, if there is one. The jobs at work may be known a moment late,
/// and the last one of today with this digest is read as it is: so a start that is doubled finds the
/// first one's job, but for one of the last moment before midnight.
async fn at_work(
    ports: &Ports,
    asked: &Asked,
    active: &[JobId],
    last: &Last,
) -> Result<Option<Job>, JobError> {
    let is_same = |job: &Job| job.is_active() && job.digest == asked.digest;
    if let Some(job) = last.job.as_ref().filter(|job| is_same(job)) {
        return Ok(Some(job.clone()));
    }
    // Where ids are salted only the job itself tells.
    let may_be_same = |id: &&JobId| asked.salt.is_some() || id.digest() == asked.digest;
    for id in active.iter().filter(may_be_same) {
        if let Some(job) = load(ports, id).await?.flatten().filter(is_same) {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// # Errors
/// [`JobError::BadRequest`] when no more jobs may be at work.
fn check_room(active: &[JobId]) -> Result<(), JobError> {
    let active = active.len();
    if active < MAX_ACTIVE {
        return Ok(());
    }
    Err(JobError::BadRequest(format!(
        "{active} jobs are at work, allowed are {MAX_ACTIVE}: let some end, or cancel some"
    )))
}

/// A stored job; `Some(None)` is one that cannot be read.
async fn load(ports: &Ports, job_id: &JobId) -> Result<Option<Option<Job>>, JobError> {
    match ports.jobs.load(job_id).await {
        Ok(found) => Ok(found.map(Some)),
        Err(JobStoreError::Unreadable { .. }) => Ok(Some(None)),
        Err(error) => Err(error.into()),
    }
}

/// The last one of today's jobs that were asked for the same.
#[derive(Default)]
struct Last {
    /// Its number; 0 when there is none.
    count: u64,
    job: Option<Job>,
}

impl Last {
    /// Numbers are given one after the other, so doubling and halving finds the last one in few reads,
    /// however many there are.
    async fn of(ports: &Ports, asked: &Asked) -> Result<Self, JobError> {
        let look = async |count| load(ports, &asked.id(count)).await;
        let (mut last, mut free) = (Self::default(), 1);
        while let Some(job) = look(free).await? {
            last = Self { count: free, job };
            free *= 2;
        }
        while free - last.count > 1 {
            let count = last.count.midpoint(free);
            match look(count).await? {
                Some(job) => last = Self { count, job },
                None => free = count,
            }
        }
        Ok(last)
    }
}

/// An event that is to be parked needs a place.
fn check_parking(
    ports: &Ports,
    job_id: Option<&JobId>,
    asked: OnUndeliverable,
) -> Result<(), JobError> {
    if asked.is_stop() || ports.queues.parking(job_id).is_some() {
        return Ok(());
    }
    Err(JobError::BadRequest(
        "onUndeliverable: found park, allowed is stop: there is no failure queue to park in \
         (FAILURE_QUEUE_URL is not set)"
            .to_owned(),
    ))
}

/// Starts another job, whether one that was asked for the same is at work or not; who calls this
/// works on it.
///
/// # Errors
/// [`JobError`]
pub async fn start_another(
    ports: &Ports,
    config: &ReseedConfig,
    request: &StartRequest,
) -> Result<Job, JobError> {
    let asked = Asked::read(ports, config, request).await?;
    let last = Last::of(ports, &asked).await?;
    create(ports, &config.bucket, asked, last.count).await
}

/// What was asked for, checked.
struct Asked {
    options: Options,
    digest: String,
    /// See [`ReseedConfig::salt`].
    salt: Option<u64>,
    now: Timestamp,
}

impl Asked {
    async fn read(
        ports: &Ports,
        config: &ReseedConfig,
        request: &StartRequest,
    ) -> Result<Self, JobError> {
        let now = ports.clock.now();
        let mut options = request.resolve(&config.common, now)?;
        plan::check(ports, &config.bucket, &mut options).await?;
        let digest = digest(&config.bucket, &options, request.until)?;
        Ok(Self {
            options,
            digest,
            salt: config.salt,
            now,
        })
    }

    /// Of the job of this number among today's that were asked for the same. Deduplication ids begin with it, and SQS
    /// knows no places: what another place sent within five minutes must not have it.
    fn id(&self, number: u64) -> JobId {
        let salted = |salt| digest_of(&format!("{} {salt}", self.digest));
        let digest = self.salt.map_or_else(|| self.digest.clone(), salted);
        JobId::numbered(&self.now.day(), &digest, number)
    }
}

/// Two creations at the same moment count to the same number, and only one of them can have it.
async fn create(ports: &Ports, bucket: &str, asked: Asked, last: u64) -> Result<Job, JobError> {
    let job_id = asked.id(last + 1);
    let Asked {
        options,
        digest,
        now,
        ..
    } = asked;
    let job = Job::new(job_id.clone(), bucket, options, digest, now);
    match ports.jobs.create(&job).await {
        Ok(()) => Ok(job),
        Err(JobStoreError::Conflict { .. }) => find(ports, &job_id).await,
        Err(error) => Err(error.into()),
    }
}

/// What makes two starts the same: everything but the moment filled in for `until`.
fn digest(bucket: &str, options: &Options, until: Option<Timestamp>) -> Result<String, JobError> {
    let bad = |e: serde_json::Error| JobError::BadRequest(e.to_string());
    let mut asked = serde_json::to_value(options).map_err(bad)?;
    asked["filter"]["until"] = json!(until);
    asked["bucket"] = json!(bucket);
    Ok(digest_of(&asked.to_string()))
}

/// A job.
///
/// # Errors
/// [`JobError::NoSuchJob`], or the store's.
pub async fn find(ports: &Ports, job_id: &JobId) -> Result<Job, JobError> {
    ports
        .jobs
        .load(job_id)
        .await?
        .ok_or_else(|| JobError::NoSuchJob(shown(job_id.as_str(), MOST_SHOWN)))
}

/// Pauses or cancels a job.
///
/// # Errors
/// [`JobError`]
pub async fn request_stop(
    ports: &Ports,
    job_id: &JobId,
    request: StopRequest,
) -> Result<Job, JobError> {
    let stopped = change(ports, job_id, |job| {
        job.stop_requested(request, ports.clock.now())
    });
    let job = stopped.await?;
    if job.is_active() && job.lease.is_none() {
        continue_soon(ports, &job).await; // it has something to do before it ends
    }
    Ok(job)
}

/// Lets a paused or failed job continue, with another way for undeliverable events if one is given. One
/// that is at work already is left so.
///
/// # Errors
/// [`JobError`]; also where a job at work would have to change.
pub async fn resume(
    ports: &Ports,
    job_id: &JobId,
    on_undeliverable: Option<OnUndeliverable>,
) -> Result<Job, JobError> {
    check_parking(ports, Some(job_id), on_undeliverable.unwrap_or_default())?;
    let job = find(ports, job_id).await?;
    let changes = on_undeliverable.is_some_and(|asked| asked != job.options.on_undeliverable);
    if job.is_active() && job.stop_request.is_none() && !changes {
        return Ok(job);
    }
    if !job.is_active() {
        check_hold(ports, Some(job_id), &job.options).await?;
        check_room(&ports.jobs.active().await?)?;
    }
    let resumed = |job: &Job| job.resumed(on_undeliverable, ports.clock.now());
    let job = change(ports, job_id, resumed).await?;
    continue_soon(ports, &job).await;
    Ok(job)
}

/// Changes a job, again if somebody else wrote in between.
async fn change(
    ports: &Ports,
    job_id: &JobId,
    next: impl Fn(&Job) -> Result<Job, JobError>,
) -> Result<Job, JobError> {
    let mut attempt = 1;
    loop {
        let job = find(ports, job_id).await?;
        let changed = next(&job)?;
        if changed == job {
            return Ok(job);
        }
        match ports.jobs.replace(&changed, job.stored_revision()).await {
            Ok(()) => return Ok(changed),
            Err(JobStoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks for the first segment. If that fails the job is not lost: the sweep asks again.
async fn continue_soon(ports: &Ports, job: &Job) {
    if let Err(error) = ports.continuation.invoke(&job.job_id, job.epoch).await {
        tracing::warn!(job = %job.job_id, %error, "the sweep will start this job");
    }
}
