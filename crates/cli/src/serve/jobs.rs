//! Jobs by HTTP: the requests and answers of the reseed function, for a job in this process.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use bridge_core::config::ReseedConfig;
use bridge_history::api::act::act;
use bridge_history::api::actions;
use bridge_history::api::list::list;
use bridge_history::api::request::{Action, ListRequest, Request as Asked};
use bridge_history::api::start::StartRequest;
use bridge_history::id::JobId;
use bridge_history::job::error::JobError;
use bridge_history::job::handover::Then;
use bridge_history::job::options::Options;
use bridge_history::job::ports::Ports;
use bridge_history::job::state::Job;
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::reseed::held::{comes_first, holder};
use crate::serve::answer::{document, refused};
use crate::serve::here::Here;
use crate::serve::notifications::BODY;
use crate::serve::options::check_target;
use crate::serve::token::Token;

/// Bytes of a request, at most.
const MOST_BODY: usize = 64 * 1024;

/// What jobs are made by.
pub(crate) struct Jobs {
    /// Bucket, queue, and what a request leaves out.
    pub config: ReseedConfig,
    /// What they work with.
    pub ports: Ports,
    /// Which are worked on.
    pub here: Here,
    /// Who may ask; `None`: nobody.
    pub token: Option<Token>,
}

/// `POST /jobs`: an action, as the reseed function takes it; `{}` starts a job.
pub(crate) async fn post(State(jobs): State<Arc<Jobs>>, request: Request<Body>) -> Response<Body> {
    if let Err((status, reason)) = jobs.check(request.headers()) {
        return refused(status, reason);
    }
    let body = Limited::new(request.into_body(), MOST_BODY).collect();
    let Ok(body) = timeout(BODY, body).await else {
        let late = format!("the body did not arrive within {} s", BODY.as_secs());
        return refused(StatusCode::REQUEST_TIMEOUT, &late);
    };
    let input = match body {
        Ok(body) => serde_json::from_slice(&body.to_bytes()),
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match input {
        Ok(input) => jobs.answer(input).await,
        Err(error) => refused(
            StatusCode::BAD_REQUEST,
            &format!("the body is not JSON: {error}"),
        ),
    }
}

/// `GET /jobs`: the newest.
pub(crate) async fn all(State(jobs): State<Arc<Jobs>>, headers: HeaderMap) -> Response<Body> {
    match jobs.check(&headers) {
        Ok(()) => jobs.answer(json!({ "action": "list" })).await,
        Err((status, reason)) => refused(status, reason),
    }
}

/// `GET /jobs/ID`
pub(crate) async fn one(
    State(jobs): State<Arc<Jobs>>,
    Path(job_id): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    match jobs.check(&headers) {
        Ok(()) => {
            jobs.answer(json!({ "action": "status", "jobId": job_id }))
                .await
        }
        Err((status, reason)) => refused(status, reason),
    }
}

impl Jobs {
    fn check(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        match &self.token {
            None => Err((
                StatusCode::FORBIDDEN,
                "jobs are not taken by HTTP: OPERATOR_TOKEN is not set",
            )),
            Some(token) if token.is_in(headers) => Ok(()),
            Some(_) => Err((
                StatusCode::UNAUTHORIZED,
                "send the token of OPERATOR_TOKEN as Authorization: Bearer TOKEN",
            )),
        }
    }

    async fn answer(&self, input: Value) -> Response<Body> {
        match self.act(input).await {
            Ok(answer) => document(StatusCode::OK, &answer),
            Err(error) => refused(status_of(&error), &error.to_string()),
        }
    }

    async fn act(&self, input: Value) -> Result<Value, JobError> {
        let Asked::Action(action) = Asked::parse(input)? else {
            return Err(JobError::bad_request(
                "action: allowed is start, status, list, pause, resume or cancel; GET /readyz tells the health"
                    .to_owned(),
            ));
        };
        if let Action::List(asked) = &action {
            return self.list(asked).await;
        }
        if let Action::Start(start) = &action {
            self.check_start(start).await?;
        }
        if let Some(job_id) = action.changes() {
            self.check_whose(&action, job_id).await?;
        }
        let mut answer = act(&self.ports, &self.config, &action).await?;
        let job_id = JobId::stored(answer["jobId"].as_str().unwrap_or_default().to_owned());
        let job = match actions::find(&self.ports, &job_id).await {
            // Of one that was gone before its hold is ended.
            Err(JobError::NoSuchJob(_)) => return Ok(answer),
            job => job?,
        };
        self.note_left(&job, &mut answer);
        if matches!(action, Action::Cancel(_)) && job.is_active() {
            // A lease that a killed process has left is no reason to wait for it.
            let asked = self.ports.continuation.invoke(&job_id, job.epoch).await;
            asked.unwrap_or_else(|error| tracing::warn!(job = %job_id, %error, "within a minute"));
        }
        Ok(answer)
    }

    async fn list(&self, asked: &ListRequest) -> Result<Value, JobError> {
        let page = list(&self.ports, asked.next.as_ref(), asked.most()?).await?;
        let mut answer = page.answer();
        let answers = answer["jobs"].as_array_mut().into_iter().flatten();
        for (job, answer) in page.jobs.iter().zip(answers) {
            self.note_left(job, answer);
        }
        Ok(answer)
    }

    /// Refuses what would be taken for what happened, come into another job's history, or be followed by nothing.
    async fn check_start(&self, start: &StartRequest) -> Result<(), JobError> {
        if let Some(url) = &start.queue_url {
            let notifications = self.here.notifications.as_deref();
            check_target("queueUrl", url, notifications).map_err(JobError::bad_request)?;
        }
        match (start.then, self.here.no_follow) {
            (Some(Then::Live), Some(why)) => {
                let why = format!("then: found live, but {why}");
                Err(JobError::bad_request(why))
            }
            // The same job may be at work already.
            (Some(Then::Live), None) => Ok(()),
            (None, _) => {
                let options = start.resolve(&self.config.common, self.ports.clock.now())?;
                self.check_alone(&options).await
            }
        }
    }

    /// Refuses to send to a queue that another job of the directory has to itself.
    async fn check_alone(&self, options: &Options) -> Result<(), JobError> {
        if options.dry_run {
            return Ok(());
        }
        match holder(&*self.ports.jobs, &options.target).await? {
            None => Ok(()),
            Some(job) => {
                let why = comes_first(&job);
                let why = format!("queueUrl: {why}: let it end, or cancel it");
                Err(JobError::bad_request(why))
            }
        }
    }

    /// Refuses what would have to be done by another process. To cancel, nothing is, but to let live go on.
    async fn check_whose(&self, action: &Action, job_id: &JobId) -> Result<(), JobError> {
        let job = match actions::find(&self.ports, job_id).await {
            // It may have left a hold.
            Err(JobError::NoSuchJob(_)) if matches!(action, Action::Cancel(_)) => return Ok(()),
            job => job?,
        };
        let why = match action {
            Action::Cancel(_) => self.here.why_not_followed(&job),
            _ => self.here.why_left(&job),
        };
        if let Some(why) = why {
            let why = format!("jobId: {job_id} is left as it is: {why}");
            return Err(JobError::bad_request(why));
        }
        let begins = matches!(action, Action::Resume(_)) && !job.is_active();
        if begins && !job.may_hold() {
            self.check_alone(&job.options).await?;
        }
        Ok(())
    }

    /// Notes in a job's answer why it is left as it is: its phase alone looks as if it went on.
    fn note_left(&self, job: &Job, answer: &mut Value) {
        if job.finished_at.is_some() {
            return;
        }
        if let Some(why) = self.here.why_not_now(job) {
            answer["left"] = why.into();
        }
    }
}

fn status_of(error: &JobError) -> StatusCode {
    match error {
        JobError::BadRequest(_) => StatusCode::BAD_REQUEST,
        JobError::NoSuchJob(_) => StatusCode::NOT_FOUND,
        JobError::WrongPhase { .. } | JobError::Ending { .. } => StatusCode::CONFLICT,
        JobError::Store(_) | JobError::Plan(_) | JobError::Live(_) | JobError::Bus(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
