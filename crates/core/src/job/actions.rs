//! What the interface's actions do to jobs.

use serde_json::json;

use super::request::StartRequest;
use super::state::{Job, Options, Wish, digest_of};
use super::{JobError, JobStoreError, Listed, Ports, Queues};
use crate::config::ReseedConfig;
use crate::delivery::permission::may_send;
use crate::delivery::{Refusal, RefusalKind};
use crate::text::{MOST_SHOWN, shown};
use crate::time::Millis;

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
    let is_same = |job: &&Job| job.is_active() && job.digest == asked.digest;
    if let Some(job) = asked.jobs.iter().find(is_same) {
        tracing::info!(job = job.job_id, "this job is already at work");
        return Ok(job.clone());
    }
    let active = asked.jobs.iter().filter(|job| job.is_active()).count();
    if active >= MAX_ACTIVE {
        return Err(JobError::BadRequest(format!(
            "{active} jobs are at work, allowed are {MAX_ACTIVE}: let some end, or cancel some"
        )));
    }
    let job = create(ports, &config.bucket, asked).await?;
    continue_soon(ports, &job).await;
    Ok(job)
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
    create(ports, &config.bucket, asked).await
}

/// Asks the queue that a job would be sent to about itself: what is wrong with it would otherwise be
/// found after the whole scan. A fault that may pass does not hold up the job, which is patient.
///
/// # Errors
/// [`JobError::BadRequest`] when it is not there or may not be used.
pub async fn ask_queue(queues: &dyn Queues, url: &str) -> Result<(), JobError> {
    let refused = |tried: &str, refusal: &Refusal| {
        let text = format!(
            "queueUrl: asked queue {url} {tried}: {}: {}; allowed is a queue that is there and that \
             this function may send to (the stack's, or ReplayQueueArn)",
            refusal.code, refusal.message
        );
        JobError::BadRequest(shown(&text, MOST_SHOWN))
    };
    let queue = queues.open(url);
    match queue.max_message_bytes().await {
        Err(refusal) if refusal.kind == RefusalKind::Rejected => {
            Err(refused("for its attributes", &refusal))
        }
        Ok(_) => may_send(&*queue)
            .await
            .map_err(|refusal| refused("whether it may be sent to", &refusal)),
        Err(refusal) => {
            tracing::warn!(url, %refusal, "the queue could not be asked; the job starts all the same");
            Ok(())
        }
    }
}

/// What was asked for, checked, and the jobs there are.
struct Asked {
    options: Options,
    digest: String,
    jobs: Vec<Job>,
}

impl Asked {
    async fn read(
        ports: &Ports,
        config: &ReseedConfig,
        request: &StartRequest,
    ) -> Result<Self, JobError> {
        let options = request.resolve(&config.common, ports.clock.now())?;
        Ok(Self {
            digest: digest(&config.bucket, &options, request.until)?,
            options,
            jobs: ports.jobs.list().await?.jobs,
        })
    }
}

/// Two creations at the same moment count to the same number, and only one of them can have it.
async fn create(ports: &Ports, bucket: &str, asked: Asked) -> Result<Job, JobError> {
    let Asked {
        options,
        digest,
        jobs,
    } = asked;
    let now = ports.clock.now();
    let stem = format!("{}-{digest}", now.day());
    let count = jobs
        .iter()
        .filter_map(|job| {
            job.job_id
                .strip_prefix(&stem)?
                .strip_prefix('-')?
                .parse::<u64>()
                .ok()
        })
        .max()
        .unwrap_or(0);
    let job_id = format!("{stem}-{}", count + 1);
    let job = Job::new(job_id.clone(), bucket, options, digest, now);
    match ports.jobs.create(&job).await {
        Ok(()) => Ok(job),
        Err(JobStoreError::Conflict { .. }) => find(ports, &job_id).await,
        Err(error) => Err(error.into()),
    }
}

/// What makes two starts the same: everything but the moment filled in for `until`.
fn digest(bucket: &str, options: &Options, until: Option<Millis>) -> Result<String, JobError> {
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
pub async fn find(ports: &Ports, job_id: &str) -> Result<Job, JobError> {
    ports
        .jobs
        .load(job_id)
        .await?
        .ok_or_else(|| JobError::NoSuchJob(shown(job_id, MOST_SHOWN)))
}

/// All jobs, the newest first, and why others could not be read.
///
/// # Errors
/// The store's.
pub async fn list(ports: &Ports) -> Result<Listed, JobError> {
    let mut listed = ports.jobs.list().await?;
    listed
        .jobs
        .sort_by(|a, b| (b.created_at, &b.job_id).cmp(&(a.created_at, &a.job_id)));
    Ok(listed)
}

/// Pauses or cancels a job.
///
/// # Errors
/// [`JobError`]
pub async fn wish(ports: &Ports, job_id: &str, wish: Wish) -> Result<Job, JobError> {
    change(ports, job_id, |job| job.wished(wish, ports.clock.now())).await
}

/// Lets a paused or failed job go on. One that is at work already is left so.
///
/// # Errors
/// [`JobError`]
pub async fn resume(ports: &Ports, job_id: &str) -> Result<Job, JobError> {
    let job = find(ports, job_id).await?;
    if job.is_active() && job.wish.is_none() {
        return Ok(job);
    }
    let job = change(ports, job_id, |job| job.resumed(ports.clock.now())).await?;
    continue_soon(ports, &job).await;
    Ok(job)
}

/// Changes a job, again if somebody else wrote in between.
async fn change(
    ports: &Ports,
    job_id: &str,
    next: impl Fn(&Job) -> Result<Job, JobError>,
) -> Result<Job, JobError> {
    let mut attempt = 1;
    loop {
        let job = find(ports, job_id).await?;
        let changed = next(&job)?;
        if changed == job {
            return Ok(job);
        }
        match ports.jobs.replace(&changed, job.stamp()).await {
            Ok(()) => return Ok(changed),
            Err(JobStoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks for the first segment. If that fails the job is not lost: the sweep asks again.
async fn continue_soon(ports: &Ports, job: &Job) {
    if let Err(error) = ports.continuation.invoke(&job.job_id, job.epoch).await {
        tracing::warn!(job = job.job_id, %error, "the sweep will start this job");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;
    use crate::delivery::{EntryResult, Message, Queue};

    /// A queue that answers so when it is asked about itself.
    #[derive(Clone)]
    struct Asked(Result<usize, Refusal>, Result<(), Refusal>);

    #[async_trait]
    impl Queue for Asked {
        async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, Refusal> {
            assert!(messages.is_empty(), "it is only asked");
            self.1.clone().map(|()| vec![])
        }

        async fn depth(&self) -> Result<u64, Refusal> {
            panic!("it is only asked for what every queue has");
        }

        async fn max_message_bytes(&self) -> Result<usize, Refusal> {
            self.0.clone()
        }

        fn request_timeout(&self) -> Duration {
            Duration::from_secs(1)
        }
    }

    impl Queues for Asked {
        fn open(&self, _: &str) -> Arc<dyn Queue> {
            Arc::new(self.clone())
        }
    }

    #[tokio::test]
    async fn a_queue_that_is_refused_is_told_and_one_that_is_slow_is_not_waited_for() {
        let refusal = |kind| Refusal {
            kind,
            code: "QueueDoesNotExist".to_owned(),
            message: "gone".to_owned(),
        };
        let ask = async |answer| ask_queue(&Asked(answer, Ok(())), "https://x/1/q.fifo").await;
        ask(Ok(1)).await.unwrap();
        ask(Err(refusal(RefusalKind::Unavailable))).await.unwrap();
        ask(Err(refusal(RefusalKind::Throttled))).await.unwrap();
        let error = ask(Err(refusal(RefusalKind::Rejected))).await.unwrap_err();
        let told = error.to_string();
        for part in [
            "queueUrl",
            "https://x/1/q.fifo",
            "QueueDoesNotExist: gone",
            "ReplayQueueArn",
        ] {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
    }

    #[tokio::test]
    async fn a_queue_that_may_be_asked_and_not_sent_to_is_told() {
        let answers = |code: &str| {
            let refusal = Refusal {
                kind: RefusalKind::Rejected,
                code: code.to_owned(),
                message: "no".to_owned(),
            };
            Asked(Ok(1), Err(refusal))
        };
        let error = ask_queue(&answers("AccessDenied"), "https://x/1/q.fifo").await;
        let told = error.unwrap_err().to_string();
        for part in [
            "queueUrl",
            "may be sent to: AccessDenied: no",
            "ReplayQueueArn",
        ] {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
        let empty = answers("AWS.SimpleQueueService.EmptyBatchRequest");
        ask_queue(&empty, "https://x/1/q.fifo").await.unwrap();
    }
}
