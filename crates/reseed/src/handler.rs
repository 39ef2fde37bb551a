//! From an invocation's input to an action or a segment.

mod health;

use std::time::{Duration, SystemTime};

use bridge_aws::continuation::LambdaContinuation;
use bridge_aws::job_stream::WrittenJobs;
use bridge_core::clock::time_left;
use bridge_core::config::ReseedConfig;
use bridge_core::watched::{
    Finding, KeyFilter, WatchedBucket, check_notifications, check_versioning,
};
use bridge_history::api::act::act;
use bridge_history::api::event::tell;
use bridge_history::api::request::{Action, ContinueRequest, Request};
use bridge_history::job::error::JobError;
use bridge_history::job::event_bus::EventBus;
use bridge_history::job::invocation::Invocation;
use bridge_history::job::ports::Ports;
use bridge_history::job::segment;
use bridge_history::job::segment::SegmentEnd;
use bridge_history::job::settings::SegmentSettings;
use bridge_history::job::sweep::sweep;
use bridge_history::job::tend::tend;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Kept back at most from the invocation's time: for the requests in flight (10 s), the last run
/// or checkpoint, and the continuation.
const MARGIN: Duration = Duration::from_secs(30);

/// Answers invocations.
pub(crate) struct Reseed {
    config: ReseedConfig,
    ports: Ports,
    watch: Watch,
    bus: Box<dyn EventBus>,
    settings: SegmentSettings,
}

/// What is looked at besides the ports: the bucket's setup, and the function itself.
pub(crate) struct Watch {
    /// Answers.
    pub bucket: Box<dyn WatchedBucket>,
    /// `CHANGES_GO_TO`: whom it must tell of its changes, an ARN or `eventbridge`; empty if nobody
    /// said.
    pub changes_go_to: String,
    /// This function, which must be allowed to invoke itself.
    pub itself: LambdaContinuation,
}

impl Reseed {
    /// Works with `ports` as `config` says, in a function of `memory_mib`. A quarter of that is for
    /// object versions; reading runs, pages in flight and the SDK take their part.
    pub(crate) fn new(
        config: ReseedConfig,
        ports: Ports,
        watch: Watch,
        bus: Box<dyn EventBus>,
        memory_mib: usize,
    ) -> Self {
        let seed = fastrand::u64(..);
        let mut settings = SegmentSettings::new(config.common.region.clone(), seed);
        settings.lease = config.lease;
        settings.heartbeat = config.lease / 20;
        settings.scan.memory_budget = memory_mib * 1024 * 1024 / 4;
        Self {
            config,
            ports,
            watch,
            bus,
            settings,
        }
    }

    /// One invocation, which Lambda knows by `request_id` and ends at `deadline`.
    ///
    /// # Errors
    /// [`JobError`]
    pub(crate) async fn handle(
        &self,
        input: Value,
        request_id: &str,
        deadline: SystemTime,
    ) -> Result<Value, JobError> {
        // What the table's stream hands over; all else is asked for by an action.
        if let Some(written) = WrittenJobs::read(&input) {
            let told = tell(&*self.bus, &written.writes, &written.partition).await?;
            return Ok(json!({ "told": told }));
        }
        let request = Request::parse(input)
            .inspect_err(|error| tracing::error!(%error, "the request was refused"))?;
        let ports = &self.ports;
        match request {
            Request::Action(action) => {
                let mut answer = act(ports, &self.config, &action).await?;
                if matches!(action, Action::Start(_)) {
                    let warnings = self.warnings().await;
                    if !warnings.is_empty() {
                        answer["warnings"] = json!(warnings);
                    }
                }
                Ok(answer)
            }
            Request::Continue(request) => self.work(&request, request_id, deadline).await,
            Request::Sweep => {
                let continued = sweep(ports).await?;
                tend(ports).await?;
                Ok(json!({ "continued": continued }))
            }
            Request::Health(request) => Ok(self.health(request).await),
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
            Invocation {
                job_id: &request.job_id,
                expected_epoch: Some(request.epoch),
                owner: request_id,
                budget: budget(deadline),
                stop: CancellationToken::new(),
            },
        )
        .await?;
        let job = request.job_id.as_str();
        let (outcome, detail) = match &end {
            SegmentEnd::Ended(phase) => ("ended", phase.to_string()),
            SegmentEnd::HandedOn { epoch } => ("handed on", format!("epoch {epoch}")),
            SegmentEnd::RetryLater(reason) => ("left to the sweep", reason.clone()),
            SegmentEnd::Skipped(reason) => ("left alone", reason.to_string()),
            SegmentEnd::Fenced => ("fenced", String::new()),
        };
        if matches!(end, SegmentEnd::RetryLater(_) | SegmentEnd::Fenced) {
            tracing::warn!(job, outcome, detail, "segment");
        } else {
            tracing::info!(job, outcome, detail, "segment");
        }
        Ok(json!({ "jobId": job, "outcome": outcome, "detail": detail }))
    }

    /// What of the bucket's setup would lose changes, or could not be looked at: the job runs all
    /// the same, and whoever starts it should know.
    async fn warnings(&self) -> Vec<String> {
        let [versioning, notifications] = self.setup().await;
        let named = [("versioning", versioning), ("notifications", notifications)];
        let warnings = named
            .into_iter()
            .filter(|(_, finding)| *finding != Finding::Ok)
            .map(|(what, finding)| format!("bucket {}: {what}: {finding}", self.config.bucket));
        warnings
            .inspect(|warning| tracing::warn!(warning, "the bucket's setup"))
            .collect()
    }

    /// Versioning and notifications of the bucket.
    async fn setup(&self) -> [Finding; 2] {
        let Watch {
            bucket,
            changes_go_to,
            ..
        } = &self.watch;
        let wanted = KeyFilter {
            prefix: self.config.common.key_prefix.clone(),
            suffix: self.config.common.key_suffix.clone(),
        };
        [
            check_versioning(&**bucket).await,
            check_notifications(&**bucket, changes_go_to, &wanted).await,
        ]
    }
}

/// The time to work in. Short function timeouts keep back a third.
fn budget(deadline: SystemTime) -> Duration {
    let left = time_left(deadline, SystemTime::now());
    left.saturating_sub(MARGIN.min(left / 3))
}
