//! Port: a queue, as the senders see it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::failure::FailureKind;
use crate::queue::error::SendError;
use crate::queue::message::Message;

/// Entries a batch request may hold.
/// Source: Amazon SQS Developer Guide, "Amazon SQS message quotas".
pub const MAX_ENTRIES: usize = 10;

/// Bytes a batch request may hold, all its messages with their attributes.
/// Source: the same page, since August 2025.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// One answer an entry, in the request's order.
pub type EntryResult = Result<(), SendError>;

/// Port: a queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends up to [`MAX_ENTRIES`] messages in one request. The answer has one result an entry,
    /// in the request's order; `Err` when the request as a whole failed, in which case any of
    /// its messages may or may not have arrived. It does not retry, and ends within
    /// [`Queue::request_timeout`]. No messages are a request too, which only
    /// [`crate::queue::permission::may_send`] makes.
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError>;

    /// Messages waiting in the queue (approximate).
    async fn depth(&self) -> Result<u64, SendError>;

    /// The queue's own `MaximumMessageSize`, bytes.
    async fn max_message_bytes(&self) -> Result<usize, SendError>;

    /// The longest that [`Queue::send`] can take.
    fn request_timeout(&self) -> std::time::Duration;
}

#[async_trait]
impl<Q: Queue + ?Sized> Queue for Arc<Q> {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        (**self).send(messages).await
    }
    async fn depth(&self) -> Result<u64, SendError> {
        (**self).depth().await
    }
    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        (**self).max_message_bytes().await
    }
    fn request_timeout(&self) -> Duration {
        (**self).request_timeout()
    }
}

/// Code of this program's own for a request that was not answered in time.
pub const TIMED_OUT: &str = "RequestTimeout";

/// A request that ends by itself or by the clock.
pub async fn send_in_time(
    queue: &dyn Queue,
    request: &[Message],
    limit: Duration,
) -> Result<Vec<EntryResult>, SendError> {
    timeout(limit, queue.send(request))
        .await
        .unwrap_or_else(|_| {
            Err(SendError {
                kind: FailureKind::Transient,
                code: TIMED_OUT.to_owned(),
                message: format!("no answer within {} ms", limit.as_millis()),
            })
        })
}
