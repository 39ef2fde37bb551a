//! From an invocation's input to messages in the queue.

mod action;
mod exact;
mod hold;
mod invocation;
mod lag;
mod order;
mod send;

use std::time::{Duration, SystemTime};

use bridge_core::clock::time_left;
use bridge_core::config::{Config, RealtimeConfig};
use bridge_core::live::stream::Stream;
use bridge_core::notification;
use bridge_core::notification::buckets::Buckets;
use bridge_core::notification::{
    BatchMessage, Document, Input, MOST_ERROR, NotificationError, Reason,
};
use bridge_core::queue::message::Writer;
use bridge_core::queue::port::Queue;
use bridge_core::text::{brief, shown};
pub(crate) use exact::ExactPorts;
pub(crate) use hold::Gate;
pub(crate) use invocation::Invocation;
use metrics::counter;
use order::{Change, sort};
pub(crate) use send::Live;
use send::Sender;
use serde_json::{Value, json};

/// Kept back from the invocation's time for the answer.
const MARGIN: Duration = Duration::from_millis(500);

/// The time to work in, given when Lambda will end the invocation.
pub(crate) fn budget(deadline: SystemTime) -> Duration {
    time_left(deadline, SystemTime::now()).saturating_sub(MARGIN)
}

/// Why an invocation failed as a whole. Lambda tries it again, then hands it to the `OnFailure`
/// queue; what was delivered already is dropped there by deduplication (FIFO) or comes twice.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForwardError {
    /// The input is nothing this function knows.
    #[error(transparent)]
    Input(#[from] NotificationError),
    /// The action is none of this function's, or cannot be done.
    #[error("{}; the actions are health and continue", shown(.0, MOST_ERROR))]
    Action(String),
    /// Some events or records remain.
    #[error(
        "{undelivered} of {events} events not delivered, {unreadable} records unreadable or of \
         another bucket; first: {}",
        shown(first, MOST_ERROR)
    )]
    Undelivered {
        /// Events in the input.
        events: usize,
        /// Of these, not confirmed by SQS.
        undelivered: usize,
        /// Records that could not be read, or are of another bucket.
        unreadable: usize,
        /// The first reason.
        first: String,
    },
    /// Nothing live is sent now, or it is not known whether it may be.
    #[error("nothing live is sent: {}", shown(.0, MOST_ERROR))]
    Held(String),
    /// The queue does not answer a health check.
    #[error("queue {queue_url}: {}", shown(reason, MOST_ERROR))]
    Unhealthy {
        /// The queue.
        queue_url: String,
        /// Why.
        reason: String,
    },
}

impl ForwardError {
    /// The error type that Lambda reports.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Input(_) => "NotANotification",
            Self::Action(_) => "BadRequest",
            Self::Undelivered { .. } => "NotDelivered",
            Self::Held(_) => "Held",
            Self::Unhealthy { .. } => "Unhealthy",
        }
    }
}

/// Forwards changes to one queue.
pub(crate) struct Forwarder<Q> {
    config: Config,
    buckets: Buckets,
    gate: Gate,
    sender: Sender<Q>,
}

impl<Q: Queue> Forwarder<Q> {
    /// Forwards to `queue` as `config` and `live` say, when `gate` lets it.
    pub(crate) fn new(config: RealtimeConfig, queue: Q, gate: Gate, live: Live) -> Self {
        let RealtimeConfig {
            common: config,
            buckets,
            live: _,
        } = config;
        let writer = Writer {
            format: config.format,
            order: config.order,
            region: config.region.clone(),
        };
        Self {
            config,
            buckets,
            gate,
            sender: Sender {
                queue,
                writer,
                live,
            },
        }
    }

    /// One invocation. SQS batches are answered with their failures; anything else succeeds as a
    /// whole or fails. The input, some megabytes of a thousand records, is gone before anything is sent.
    ///
    /// # Errors
    /// [`ForwardError`]
    pub(crate) async fn handle(
        &self,
        input: Value,
        invocation: &Invocation<'_>,
    ) -> Result<Value, ForwardError> {
        if input.get("action").is_some() {
            return self.act(&input, invocation).await;
        }
        let parsed = notification::parse_input(&input);
        drop(input);
        let input = parsed.inspect_err(|error| {
            tracing::error!(%error, "the input is no notification");
            counter!("RecordsUnreadable").increment(1);
        })?;
        let stream = match self.gate.look(invocation.budget).await {
            Ok(stream) => stream,
            Err(reason) => {
                hold::tell(&input, &reason);
                return match input {
                    // Lambda tries it again.
                    Input::Direct(_) => Err(ForwardError::Held(reason)),
                    // They stay in their buffer.
                    Input::Batch(messages) => {
                        Ok(failures(messages.into_iter().map(|m| m.message_id)))
                    }
                };
            }
        };
        match input {
            Input::Direct(document) => self.forward(document, &stream, invocation).await,
            Input::Batch(messages) => Ok(self.forward_batch(messages, &stream, invocation).await),
        }
    }

    async fn forward(
        &self,
        document: Document,
        stream: &Stream,
        invocation: &Invocation<'_>,
    ) -> Result<Value, ForwardError> {
        let document = self.filtered(document, stream);
        let events = document.events.len();
        let skipped = document.skipped.len();
        let has_order = !document.lacks_order;
        let changes = document.events.into_iter().map(|event| Change {
            message: 0,
            event,
            has_order,
            // Lambda's own retries have the id of their request.
            is_repeated: false,
        });
        let changes = sort(changes.collect());
        let delivered = self.sender.send(&changes, stream, invocation).await;
        let undelivered = delivered.leftover.len();
        let unreadable = document.unreadable.len();
        let first = delivered
            .leftover
            .first()
            .map(|l| l.refusal.to_string())
            .or_else(|| document.unreadable.first().map(ToString::to_string));
        if let Some(first) = first {
            return Err(ForwardError::Undelivered {
                events,
                undelivered,
                unreadable,
                first,
            });
        }
        let mut answer = json!({
            "forwarded": delivered.sent, "skipped": skipped, "retried": delivered.retried
        });
        if !delivered.late.is_empty() {
            answer["late"] = json!(delivered.late.len());
        }
        Ok(answer)
    }

    /// A message of the batch fails when any of its events does; the others are done with. A buffer
    /// keeps no order: what one batch has of a key is put into S3's.
    async fn forward_batch(
        &self,
        messages: Vec<BatchMessage>,
        stream: &Stream,
        invocation: &Invocation<'_>,
    ) -> Value {
        let mut changes: Vec<Change> = Vec::new();
        let (mut ids, mut failed) = (Vec::new(), vec![false; messages.len()]);
        for (index, message) in messages.into_iter().enumerate() {
            match message.document {
                Ok(document) => {
                    let document = self.filtered(document, stream);
                    failed[index] = !document.unreadable.is_empty();
                    let has_order = !document.lacks_order;
                    changes.extend(document.events.into_iter().map(|event| Change {
                        message: index,
                        event,
                        has_order,
                        is_repeated: message.is_repeated,
                    }));
                }
                Err(error) => {
                    failed[index] = true;
                    tracing::error!(message_id = brief(&message.message_id), %error, "a message that is no notification");
                    counter!("RecordsUnreadable").increment(1);
                }
            }
            ids.push(message.message_id);
        }
        let changes = sort(changes);
        for leftover in self
            .sender
            .send(&changes, stream, invocation)
            .await
            .leftover
        {
            let number = usize::try_from(leftover.number).ok();
            if let Some(change) = number.and_then(|number| changes.get(number)) {
                failed[change.message] = true;
            }
        }
        let failed = ids.into_iter().zip(failed);
        let failed = failed.filter_map(|(id, failed)| failed.then_some(id));
        failures(failed.inspect(|id| {
            tracing::warn!(message_id = brief(id), "goes back into its queue");
        }))
    }

    /// Refuses other buckets, applies the key filter, leaves out what the queue's history held, and reports
    /// everything that will not become a message.
    fn filtered(&self, mut document: Document, stream: &Stream) -> Document {
        document.keep_buckets(&self.buckets);
        document.keep_keys(&self.config.key_prefix, &self.config.key_suffix);
        document.keep(Reason::Covered, |event| !stream.covers(event));
        for skipped in &document.skipped {
            let reason = skipped.reason.as_str();
            tracing::info!(
                reason,
                event_name = brief(&skipped.event_name),
                bucket = brief(&skipped.bucket),
                key = brief(&skipped.key),
                "skipped"
            );
            counter!("EventsSkipped", "Reason" => reason).increment(1);
        }
        for error in &document.unreadable {
            if matches!(error, NotificationError::OtherBucket { .. }) {
                tracing::error!(%error, "a record of another bucket");
                counter!("RecordsRefused").increment(1);
            } else {
                tracing::error!(%error, "a record that cannot be read");
                counter!("RecordsUnreadable").increment(1);
            }
        }
        document
    }
}

/// The answer that lets the messages of a batch with these ids come again.
/// Source: AWS Lambda Developer Guide, "Implementing partial batch responses".
fn failures(ids: impl Iterator<Item = String>) -> Value {
    let failures = ids.map(|id| json!({ "itemIdentifier": id }));
    json!({ "batchItemFailures": failures.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests;
