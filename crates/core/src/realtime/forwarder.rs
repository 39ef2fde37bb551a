//! Documents and batches of notifications, forwarded to one queue.

use std::time::Duration;

use metrics::counter;

use crate::config::{Config, RealtimeConfig};
use crate::live::stream::Stream;
use crate::notification::BatchMessage;
use crate::notification::buckets::Buckets;
use crate::notification::document::{Document, Reason};
use crate::notification::error::NotificationError;
use crate::queue::message::Writer;
use crate::queue::port::Queue;
use crate::realtime::error::ForwardError;
use crate::realtime::gate::{Gate, held, tell_held};
use crate::realtime::invocation::Invocation;
use crate::realtime::order::{Change, sort};
use crate::realtime::send::{Live, Sender};
use crate::text::brief;

/// Forwards changes to one queue.
pub struct Forwarder<Q> {
    pub(super) config: Config,
    pub(super) buckets: Buckets,
    pub(super) gate: Gate,
    pub(super) sender: Sender<Q>,
}

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarded {
    /// Messages that SQS confirmed.
    pub sent: u64,
    /// Records that asked for no message.
    pub skipped: usize,
    /// Entries that were sent again.
    pub retried: u64,
    /// Changes that were not sent, since a newer one of their key was.
    pub late: usize,
}

impl<Q: Queue> Forwarder<Q> {
    /// Forwards to `queue` as `config` and `live` say, when `gate` lets it.
    pub fn new(config: RealtimeConfig, queue: Q, gate: Gate, live: Live) -> Self {
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

    /// Forwards what a source says at once; all of it, or it fails. `is_repeated`: the source may have handed it over
    /// before, by another request.
    ///
    /// # Errors
    /// [`ForwardError::Held`], [`ForwardError::Undelivered`]
    pub async fn forward(
        &self,
        document: Document,
        is_repeated: bool,
        invocation: &Invocation<'_>,
    ) -> Result<Forwarded, ForwardError> {
        let stream = match self.gate.look(invocation.budget).await {
            Ok(stream) => stream,
            Err(reason) => {
                tell_held(document.events.len(), &reason);
                return Err(ForwardError::Held(reason));
            }
        };
        let document = self.filtered(document, &stream);
        let events = document.events.len();
        let skipped = document.skipped.len();
        let has_order = !document.lacks_order;
        let changes = document.events.into_iter().map(|event| Change {
            message: 0,
            event,
            has_order,
            is_repeated,
        });
        let changes = sort(changes.collect());
        let delivered = self.sender.send(&changes, &stream, invocation).await;
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
        Ok(Forwarded {
            sent: delivered.sent,
            skipped,
            retried: delivered.retried,
            late: delivered.late.len(),
        })
    }

    /// Forwards messages of a queue, each of which succeeds or fails by itself. A queue of notifications keeps no
    /// order: what one batch has of a key is put into S3's. Answers the ids of those that failed: any of their
    /// events did.
    pub async fn forward_batch(
        &self,
        messages: Vec<BatchMessage>,
        invocation: &Invocation<'_>,
    ) -> Vec<String> {
        let stream = match self.gate.look(invocation.budget).await {
            Ok(stream) => stream,
            Err(reason) => {
                let documents = messages.iter().filter_map(|m| m.document.as_ref().ok());
                let events = documents.map(|document| document.events.len()).sum();
                tell_held(events, &reason);
                return messages.into_iter().map(|m| m.message_id).collect();
            }
        };
        let mut changes: Vec<Change> = Vec::new();
        let (mut ids, mut failed) = (Vec::new(), vec![false; messages.len()]);
        for (index, message) in messages.into_iter().enumerate() {
            match message.document {
                Ok(document) => {
                    let document = self.filtered(document, &stream);
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
        let delivered = self.sender.send(&changes, &stream, invocation).await;
        for leftover in delivered.leftover {
            let number = usize::try_from(leftover.number).ok();
            if let Some(change) = number.and_then(|number| changes.get(number)) {
                failed[change.message] = true;
            }
        }
        let failed = ids.into_iter().zip(failed);
        let failed = failed.filter_map(|(id, failed)| failed.then_some(id));
        let told = failed.inspect(|id| {
            tracing::warn!(message_id = brief(id), "goes back into its queue");
        });
        told.collect()
    }

    /// Whether anything may be sent now; it is asked anyway before anything is.
    ///
    /// # Errors
    /// Why not.
    pub async fn look(&self, budget: Duration) -> Result<Stream, String> {
        self.gate.look(budget).await
    }

    /// Why nothing may be sent though all is well: the queue gets its history first.
    ///
    /// # Errors
    /// Why that is not known.
    pub async fn held(&self, budget: Duration) -> Result<Option<String>, String> {
        Ok(held(&self.gate.ask(budget).await?))
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
