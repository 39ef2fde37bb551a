//! How the function is: whether all it needs is there, and whether it may do what its jobs will do. What
//! would change something is asked in a way that changes nothing (docs/decisions/0034).

use bridge_core::queue::permission::may_send;
use bridge_core::queue::port::Queue;
use bridge_core::watched::Finding;
use bridge_history::api::hold::hold;
use bridge_history::api::request::HealthRequest;
use bridge_history::api::start::StartRequest;
use bridge_history::id::JobId;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::state::Job;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::handler::Reseed;

/// A job that is never made: it is looked for, and a write of it is refused as it is not there.
const NO_JOB: &str = "health";

/// Where a plan object is written when that is asked for; the bucket's lifecycle removes it.
const PROBE: &str = "jobs/health/probe";

impl Reseed {
    /// `ok` only if all was looked at and is well.
    pub(super) async fn health(&self, request: HealthRequest) -> Value {
        let config = &self.config;
        let [versioning, notifications] = self.setup().await;
        let bucket = found(self.ports.lister.list("", None).await.map(drop));
        let [queue, send] = self.queue(&config.common.queue_url).await;
        let [table, read, write] = self.table().await;
        let continuation = found(self.watch.itself.may_invoke().await);
        let events = self.bus.check().await;
        let mut all = vec![
            &bucket,
            &versioning,
            &notifications,
            &queue,
            &send,
            &table,
            &read,
            &write,
            &continuation,
            &events,
        ];
        let told = Finding::to_string;
        let mut answer = json!({
            "bucket": {
                "name": config.bucket,
                "status": told(&bucket),
                "versioning": told(&versioning),
                "notifications": told(&notifications),
            },
            "queue": { "url": config.common.queue_url, "status": told(&queue), "send": told(&send) },
            "table": {
                "name": config.table, "status": told(&table), "read": told(&read), "write": told(&write),
            },
            "continuation": { "status": told(&continuation) },
            "events": { "bus": "default", "status": told(&events) },
        });
        let plans = if request.write {
            Some(self.plans().await)
        } else {
            None
        };
        if let Some(plans) = &plans {
            answer["plans"] = json!({ "bucket": config.plan_bucket, "status": told(plans) });
            all.push(plans);
        }
        let other = match &request.queue_url {
            Some(url) => Some((url, self.other_queue(url).await)),
            None => None,
        };
        if let Some((url, [status, send])) = &other {
            answer["otherQueue"] =
                json!({ "url": url, "status": told(status), "send": told(send) });
            all.extend([status, send]);
        }
        let parking = match &config.failure_queue {
            Some(url) => Some((url, found(may_send(&*self.ports.queues.open(url)).await))),
            None => None,
        };
        if let Some((url, parking)) = &parking {
            answer["failureQueue"] = json!({ "url": url, "send": told(parking) });
            all.push(parking);
        }
        if self.ports.live.is_some() {
            answer["hold"] = match hold(&self.ports).await {
                Ok(hold) => hold.unwrap_or_else(|| json!("none")),
                Err(error) => json!(error.to_string()),
            };
        }
        answer["status"] = json!(
            if all.iter().any(|found| matches!(found, Finding::Wrong(_))) {
                "unhealthy"
            } else if all.iter().any(|found| **found != Finding::Ok) {
                "not all checked"
            } else {
                "ok"
            }
        );
        answer
    }

    /// Whether it answers, and may be sent to.
    async fn queue(&self, url: &str) -> [Finding; 2] {
        let queue = self.ports.queues.open(url);
        let queue: &dyn Queue = &*queue;
        [
            found(queue.depth().await.map(drop)),
            found(may_send(queue).await),
        ]
    }

    /// The same of another queue, if a job may name it.
    async fn other_queue(&self, url: &str) -> [Finding; 2] {
        let start = StartRequest {
            queue_url: Some(url.to_owned()),
            ..StartRequest::default()
        };
        match start.resolve(&self.config.common, self.ports.clock.now()) {
            Ok(_) => self.queue(url).await,
            Err(error) => [
                Finding::Wrong(error.to_string()),
                Finding::Wrong(error.to_string()),
            ],
        }
    }

    /// Whether its index answers, and whether jobs may be read and written. A write of a job that is not there is
    /// refused as a conflict, by which the table has told that it may be written.
    async fn table(&self) -> [Finding; 3] {
        let jobs = &self.ports.jobs;
        let index = found(jobs.active().await.map(drop));
        let now = self.ports.clock.now();
        let options = StartRequest::default().resolve(&self.config.common, now);
        let (Ok(id), Ok(options)) = (NO_JOB.parse::<JobId>(), options) else {
            let why = "the stack's own options make no job".to_owned();
            return [index, Finding::Wrong(why.clone()), Finding::Wrong(why)];
        };
        let read = found(jobs.load(&id).await.map(drop));
        let none = Job::new(id, &self.config.bucket, options, String::new(), now);
        let write = match jobs.replace(&none, none.stored_revision()).await {
            Err(JobStoreError::Conflict { .. }) | Ok(()) => Finding::Ok,
            Err(error) => Finding::Wrong(error.to_string()),
        };
        [index, read, write]
    }

    /// Whether a plan object can be written and read back.
    async fn plans(&self) -> Finding {
        let written = Bytes::from_static(b"written by health");
        if let Err(error) = self.ports.plans.put(PROBE, written.clone()).await {
            return Finding::Wrong(error.to_string());
        }
        match self.ports.plans.get(PROBE, None).await {
            Ok(read) if read == written => Finding::Ok,
            Ok(_) => Finding::Wrong(format!("{PROBE} is read otherwise than it was written")),
            Err(error) => Finding::Wrong(error.to_string()),
        }
    }
}

fn found<E: std::fmt::Display>(asked: Result<(), E>) -> Finding {
    match asked {
        Ok(()) => Finding::Ok,
        Err(error) => Finding::Wrong(error.to_string()),
    }
}
