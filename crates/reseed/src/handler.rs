//! From an invocation's input to an action or a segment.

use std::time::{Duration, SystemTime};

use bridge_core::config::ReseedConfig;
use bridge_core::delivery::Refusal;
use bridge_core::job::request::{ContinueRequest, Request};
use bridge_core::job::segment::{self, SegmentEnd, SegmentSettings};
use bridge_core::job::state::Wish;
use bridge_core::job::sweep::sweep;
use bridge_core::job::{Job, JobError, Ports, actions};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Kept back at most from the invocation's time: for the requests in flight (10 s), the last run
/// or checkpoint, and the continuation.
const MARGIN: Duration = Duration::from_secs(30);

/// Answers invocations.
pub struct Reseed {
    config: ReseedConfig,
    ports: Ports,
    settings: SegmentSettings,
}

impl Reseed {
    /// Works with `ports` as `config` says, in a function of `memory_mib`. A quarter of that is for
    /// object versions; reading runs, pages in flight and the SDK take their part.
    pub fn new(config: ReseedConfig, ports: Ports, memory_mib: usize) -> Self {
        let seed = fastrand::u64(..);
        let mut settings = SegmentSettings::new(config.common.region.clone(), seed);
        settings.lease = config.lease;
        settings.heartbeat = config.lease / 20;
        settings.scan.memory_budget = memory_mib * 1024 * 1024 / 4;
        Self {
            config,
            ports,
            settings,
        }
    }

    /// One invocation, which Lambda knows by `request_id` and ends at `deadline`.
    ///
    /// # Errors
    /// [`JobError`]
    pub async fn handle(
        &self,
        input: Value,
        request_id: &str,
        deadline: SystemTime,
    ) -> Result<Value, JobError> {
        let request = Request::parse(input)
            .inspect_err(|error| tracing::error!(%error, "the request was refused"))?;
        let ports = &self.ports;
        match request {
            Request::Start(start) => {
                let options = start.resolve(&self.config.common, ports.clock.now())?;
                if !options.dry_run {
                    actions::ask_queue(&*ports.queues, &options.queue_url).await?;
                }
                let job = actions::start(ports, &self.config, &start).await?;
                tracing::info!(job = job.job_id, "started");
                Ok(shown(&job))
            }
            Request::Status(job) => Ok(shown(&actions::find(ports, &job.job_id).await?)),
            Request::List => {
                let jobs = actions::list(ports).await?;
                Ok(json!({ "jobs": jobs.iter().map(shown).collect::<Vec<_>>() }))
            }
            Request::Pause(job) => Ok(shown(
                &actions::wish(ports, &job.job_id, Wish::Pause).await?,
            )),
            Request::Cancel(job) => Ok(shown(
                &actions::wish(ports, &job.job_id, Wish::Cancel).await?,
            )),
            Request::Resume(job) => Ok(shown(&actions::resume(ports, &job.job_id).await?)),
            Request::Continue(request) => self.work(&request, request_id, deadline).await,
            Request::Sweep => Ok(json!({ "continued": sweep(ports).await? })),
            Request::Health => self.health().await,
        }
    }

    async fn work(
        &self,
        request: &ContinueRequest,
        request_id: &str,
        deadline: SystemTime,
    ) -> Result<Value, JobError> {
        let end = segment::run(
            &self.ports,
            &self.settings,
            &request.job_id,
            Some(request.epoch),
            request_id,
            budget(deadline),
            CancellationToken::new(),
        )
        .await?;
        let job = request.job_id.as_str();
        let (outcome, detail) = match &end {
            SegmentEnd::Ended(phase) => ("ended", phase.to_string()),
            SegmentEnd::HandedOn { epoch } => ("handed on", format!("epoch {epoch}")),
            SegmentEnd::LeftToSweep(reason) => ("left to the sweep", reason.clone()),
            SegmentEnd::LeftAlone(reason) => ("left alone", reason.to_string()),
            SegmentEnd::Fenced => ("fenced", String::new()),
        };
        if matches!(end, SegmentEnd::LeftToSweep(_) | SegmentEnd::Fenced) {
            tracing::warn!(job, outcome, detail, "segment");
        } else {
            tracing::info!(job, outcome, detail, "segment");
        }
        Ok(json!({ "jobId": job, "outcome": outcome, "detail": detail }))
    }

    /// Whether bucket, table and queue answer.
    async fn health(&self) -> Result<Value, JobError> {
        let config = &self.config;
        let bucket = match self.ports.lister.list("", None).await {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        let queue = self.ports.queues.open(&config.common.queue_url);
        let queue = match queue.depth().await {
            Ok(_) => "ok".to_owned(),
            Err(refusal) => Refusal::to_string(&refusal),
        };
        let table = match self.ports.jobs.list().await {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        let status = if [&bucket, &queue, &table].iter().all(|s| *s == "ok") {
            "ok"
        } else {
            "unhealthy"
        };
        Ok(json!({
            "status": status,
            "bucket": { "name": config.bucket, "status": bucket },
            "queue": { "url": config.common.queue_url, "status": queue },
            "table": { "name": config.table, "status": table },
        }))
    }
}

/// The time to work in. Short function timeouts keep back a third.
fn budget(deadline: SystemTime) -> Duration {
    let left = deadline
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    left.saturating_sub(MARGIN.min(left / 3))
}

/// A job as the interface shows it.
fn shown(job: &Job) -> Value {
    json!(job)
}
