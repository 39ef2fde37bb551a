//! What a job touches that lets live changes follow its history.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::failure::{Failure, FailureKind};
use bridge_core::live::stream::StreamStore;
use bridge_core::timestamp::Timestamp;

use crate::send::target::Target;

/// Why the mapping or the bucket's clock did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct LivePortError {
    /// What was tried, and what came of it.
    pub reason: String,
    /// Whether another attempt may succeed.
    pub kind: FailureKind,
}

impl Failure for LivePortError {
    fn kind(&self) -> FailureKind {
        self.kind
    }
}

/// What became of switching a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    /// It is on, or off, or about to be so.
    Done,
    /// Somebody has deleted it.
    Gone,
}

/// Port: the event source mapping that hands realtime what waits in the buffer.
#[async_trait]
pub trait Mapping: Send + Sync {
    /// Enables or disables it. Repeated, it changes nothing. It takes the service up to a minute.
    ///
    /// # Errors
    /// [`LivePortError`]; it may have been switched all the same.
    async fn switch(&self, on: bool) -> Result<Switched, LivePortError>;
}

/// Port: the clock that dates the bucket's versions.
#[async_trait]
pub trait BucketClock: Send + Sync {
    /// The time of its answer; a version that is written later is not dated before it.
    ///
    /// # Errors
    /// [`LivePortError`]
    async fn now(&self) -> Result<Timestamp, LivePortError>;
}

/// What a job touches that lets live changes follow its history.
#[derive(Clone)]
pub struct LivePorts {
    /// What holds for all keys of the stack's stream.
    pub stream: Arc<dyn StreamStore>,
    /// The queue that gets it.
    pub queue: Target,
    /// The buffer's event source mapping; `None` where changes go to realtime directly.
    pub mapping: Option<Arc<dyn Mapping>>,
    /// The buffer's URL, where there is one.
    pub buffer_url: Option<String>,
    /// The bucket's clock.
    pub bucket_clock: Arc<dyn BucketClock>,
    /// After a hold has begun, how long something live may still be on its way to the queue.
    pub on_its_way: Duration,
    /// How long the buffer keeps a message.
    pub retention: Duration,
}
