//! A new job: what the command line asks for, checked, and the job that is made of it.

use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::config::{Config, DEFAULT_LEASE, ReseedConfig};
use bridge_history::api::actions;
use bridge_history::api::start::{StartRequest, check_records};
use bridge_history::job::error::JobError;
use bridge_history::job::ports::Ports;
use bridge_history::job::state::{Job, StopRequest};
use bridge_history::send::target::Target;
use bridge_local::output::{self, Existing};
use bridge_local::state::StateDirectory;

use crate::Usage;
use crate::arguments::ReseedArguments;
use crate::reseed::elsewhere;
use crate::reseed::scope::Scope;

/// What a new job is asked to do, checked.
///
/// # Errors
/// The option that is wrong.
pub(super) fn request(
    arguments: &ReseedArguments,
    scope: &Scope,
    region: &str,
) -> Result<(ReseedConfig, StartRequest), Usage> {
    let asked = &arguments.selection;
    let order = match &asked.order {
        Some(word) => scope
            .target
            .parse_order(word)
            .map_err(|allowed| Usage(format!("--order: found {word:?}, allowed is {allowed}")))?,
        None => scope.target.default_order(),
    };
    let format = asked.format.unwrap_or_default();
    let records_per_message = usize::from(asked.records_per_message.unwrap_or(1));
    check_records("--records-per-message", records_per_message, format).map_err(Usage)?;
    let config = ReseedConfig {
        common: Config {
            queue_url: scope.target.to_string(),
            format,
            order,
            key_prefix: scope.prefix.clone(),
            key_suffix: arguments.suffix.clone(),
            region: region.to_owned(),
        },
        bucket: scope.bucket.clone(),
        table: String::new(),
        plan_bucket: String::new(),
        failure_queue: None,
        follow: None,
        salt: Some(fastrand::u64(..)),
        lease: DEFAULT_LEASE,
    };
    let request = StartRequest {
        from: asked.from,
        until: asked.until,
        current_only: asked.current_only,
        events: asked.events.unwrap_or_default(),
        max_rate: asked.max_rate,
        pause_above_depth: asked.pause_above_depth,
        records_per_message: Some(records_per_message),
        delivery: asked.delivery.unwrap_or_default(),
        dry_run: arguments.dry_run,
        refuse_ambiguous: asked.refuse_ambiguous,
        on_undeliverable: arguments.on_undeliverable.unwrap_or_default(),
        plan: arguments
            .elsewhere
            .as_deref()
            .map(elsewhere::uri)
            .transpose()?,
        ..StartRequest::default()
    };
    request
        .resolve(&config.common, SystemClock.now())
        .map_err(|e| Usage(e.to_string()))?;
    Ok((config, request))
}

/// Makes the job.
///
/// # Errors
/// [`Usage`] for a request that is refused; else the job store's.
pub(super) async fn start(
    ports: &Ports,
    config: &ReseedConfig,
    request: &StartRequest,
) -> anyhow::Result<Job> {
    actions::start_another(ports, config, request)
        .await
        .map_err(|error| match error {
            JobError::BadRequest(text) => Usage(text).into(),
            other => other.into(),
        })
}

/// Gives a new job its file. If that fails the job is not left for a resume that could not work.
///
/// # Errors
/// [`Usage`] when the file cannot be had; else the job store's.
pub(super) async fn claim(
    ports: &Ports,
    state: &StateDirectory,
    job: &Job,
    target: &Target,
    existing: Existing,
) -> anyhow::Result<()> {
    let Target::File(path) = target else {
        return Ok(());
    };
    if job.options.dry_run {
        return Ok(());
    }
    if let Err(error) = output::claim(state.path(), job.job_id.as_str(), path, existing) {
        actions::request_stop(ports, &job.job_id, StopRequest::Cancel).await?;
        return Err(Usage(error.to_string()).into());
    }
    Ok(())
}
