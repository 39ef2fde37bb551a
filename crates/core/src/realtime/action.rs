//! What operators ask of the function: how it is, and to let a key go on.

use crate::live::exact::go_on::Refused;
use crate::notification::buckets::Buckets;
use crate::queue::error::SendError;
use crate::queue::permission::may_send;
use crate::queue::port::Queue;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::realtime::error::ForwardError;
use crate::realtime::exact::ExactPorts;
use crate::realtime::forwarder::Forwarder;
use crate::realtime::gate::HEALTH_BUDGET;
use crate::realtime::invocation::Invocation;
use crate::realtime::send::Live;

/// What may be asked. An unknown field is an error that names it.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    /// How the function is.
    Health {},
    /// Lets a key go on of which the queue refused a version for good.
    Continue {
        /// The bucket.
        bucket: String,
        /// The key, as events write it.
        key: String,
        /// Whether that version is passed over; else it is sent again.
        #[serde(default)]
        skip: bool,
    },
}

impl<Q: Queue> Forwarder<Q> {
    /// Does what is asked.
    ///
    /// # Errors
    /// [`ForwardError`]
    pub async fn act(
        &self,
        input: &Value,
        invocation: &Invocation<'_>,
    ) -> Result<Value, ForwardError> {
        let request = Request::deserialize(input);
        let refused = |error: serde_json::Error| {
            let told = error.to_string();
            ForwardError::Action(told.replacen("unknown variant", "unknown action", 1))
        };
        match request.map_err(refused)? {
            Request::Health {} => self.health().await,
            Request::Continue { bucket, key, skip } => {
                let refused = if skip { Refused::Skip } else { Refused::Retry };
                self.go_on((&bucket, &key), refused, invocation).await
            }
        }
    }

    async fn health(&self) -> Result<Value, ForwardError> {
        let unhealthy = |refusal: SendError| ForwardError::Unhealthy {
            queue_url: self.config.queue_url.clone(),
            reason: refusal.to_string(),
        };
        let depth = self.sender.queue.depth().await.map_err(unhealthy)?;
        may_send(&self.sender.queue).await.map_err(unhealthy)?;
        let looked = self.gate.look(HEALTH_BUDGET).await;
        looked.map_err(ForwardError::Held)?;
        let mut answer = json!({
            "status": "ok", "queueUrl": self.config.queue_url, "queueDepth": depth,
            // Which buckets notify it, only their notifications tell.
            "bucket": "not checked here; the health of reseed tells",
        });
        if let Live::Exact(ports) = &self.sender.live {
            let stopped = ports.keys.stopped().await;
            let stopped = stopped.map_err(|error| ForwardError::Held(error.to_string()))?;
            if !stopped.is_empty() {
                answer["stoppedKeys"] = json!(stopped);
            }
            answer["history"] = json!(self.history(ports).await);
        }
        Ok(answer)
    }

    /// Whether the bucket answers what `exact` reads of it, where it is known by name.
    async fn history(&self, ports: &ExactPorts) -> String {
        let Buckets::Named(name) = &self.buckets else {
            return "not checked: no single bucket is named".to_owned();
        };
        let bucket = (ports.lister)(name);
        if let Err(error) = bucket.list(&self.config.key_prefix, None).await {
            return format!("listing {name}: {error}");
        }
        match (ports.watched)(name).versioning().await {
            Ok(_) => "ok".to_owned(),
            Err(none) => format!("asking {name} for its versioning: {}", none.reason),
        }
    }

    async fn go_on(
        &self,
        (bucket, key): (&str, &str),
        refused: Refused,
        invocation: &Invocation<'_>,
    ) -> Result<Value, ForwardError> {
        let Live::Exact(ports) = &self.sender.live else {
            return Err(ForwardError::Action(
                "keys are stopped with LIVE_ORDER=exact only".to_owned(),
            ));
        };
        let stream = self.gate.look(invocation.budget).await;
        let stream = stream.map_err(ForwardError::Held)?;
        let (queue, writer) = (&self.sender.queue, &self.sender.writer);
        let mut random = fastrand::Rng::new();
        let lister = (ports.lister)(bucket);
        let exact = ports.exact((queue, writer), &*lister, &stream, invocation, &mut random);
        let went_on = exact.go_on((bucket, key), refused, invocation.budget, &mut random);
        let delivered = went_on
            .await
            .map_err(|error| ForwardError::Action(format!("{bucket}/{key}: {error}")))?;
        tracing::info!(bucket, key, ?refused, "goes on");
        Ok(json!({
            "forwarded": delivered.sent,
            "failed": delivered.leftover.len(),
            "stopped": !delivered.stopped.is_empty(),
        }))
    }
}
