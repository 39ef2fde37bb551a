//! From what an operator asks for to the answer.

use bridge_core::config::ReseedConfig;
use serde_json::{Value, json};

use crate::api::answer::JobAnswer;
use crate::api::hold::{end_orphan, hold};
use crate::api::list::list;
use crate::api::request::Action;
use crate::api::{actions, queue};
use crate::job::error::JobError;
use crate::job::phase::Phase;
use crate::job::ports::Ports;
use crate::job::state::{Job, StopRequest};

/// Does it, and answers as docs/OPERATIONS.md says. What a start leaves out is as `config` says.
///
/// # Errors
/// [`JobError`]
pub async fn act(ports: &Ports, config: &ReseedConfig, action: &Action) -> Result<Value, JobError> {
    let job = match action {
        Action::Start(start) => {
            let options = start.resolve(&config.common, ports.clock.now())?;
            if !options.dry_run {
                queue::ask(&*ports.queues, &options.target.to_string()).await?;
            }
            let job = actions::start(ports, config, start).await?;
            tracing::info!(job = %job.job_id, "started");
            job
        }
        Action::Status(job) => {
            return Ok(status(ports, &actions::find(ports, &job.job_id).await?).await);
        }
        Action::List(page) => {
            let page = list(ports, page.next.as_ref(), page.most()?).await?;
            return Ok(page.answer());
        }
        Action::Pause(job) => actions::request_stop(ports, &job.job_id, StopRequest::Pause).await?,
        Action::Cancel(job) => {
            let stopped = actions::request_stop(ports, &job.job_id, StopRequest::Cancel).await;
            if matches!(stopped, Err(JobError::NoSuchJob(_)))
                && end_orphan(ports, &job.job_id).await?
            {
                return Ok(json!({ "jobId": job.job_id, "phase": Phase::Cancelled }));
            }
            stopped?
        }
        Action::Resume(job) => actions::resume(ports, &job.job_id, job.on_undeliverable).await?,
    };
    Ok(shown(&job))
}

/// A job, with the hold that it may be why of. That the hold cannot be read is part of the answer.
async fn status(ports: &Ports, job: &Job) -> Value {
    let mut answer = shown(job);
    if job.may_hold() {
        match hold(ports).await {
            Ok(None) => {}
            Ok(Some(hold)) => answer["hold"] = hold,
            Err(error) => answer["hold"] = json!({ "error": error.to_string() }),
        }
    }
    answer
}

/// A job as the interface shows it.
fn shown(job: &Job) -> Value {
    json!(JobAnswer::from(job))
}
