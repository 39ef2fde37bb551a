//! Everything a job touches.

use std::sync::Arc;

use async_trait::async_trait;
use bridge_core::clock::Clock;
use bridge_core::failure::{Failure, FailureKind};
use bridge_core::queue::port::Queue;

use crate::id::{Epoch, JobId};
use crate::job::live::LivePorts;
use crate::job::store::JobStore;
use crate::plan::elsewhere::place::Elsewhere;
use crate::plan::store::PlanStore;
use bridge_core::listing::lister::Lister;

/// Why the next segment could not be asked for. The sweep continues the job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ContinuationError {
    /// What was tried, and what came of it.
    pub reason: String,
    /// Whether another attempt might succeed.
    pub kind: FailureKind,
}

impl Failure for ContinuationError {
    fn kind(&self) -> FailureKind {
        self.kind
    }
}

/// Port: starts the next segment of a job, elsewhere and later.
#[async_trait]
pub trait Continuation: Send + Sync {
    /// Asks for a segment; it may be started never, once or twice.
    async fn invoke(&self, job_id: &JobId, epoch: Epoch) -> Result<(), ContinuationError>;
}

/// Port: queues by URL, since a job may name its own.
pub trait Queues: Send + Sync {
    /// The queue at `url`; on one machine, what the job's target is.
    fn open(&self, url: &str) -> Arc<dyn Queue>;

    /// Where the job's (or the next job's) events are kept that its queue refuses for good: the failure queue, or a file.
    /// `None` where there is no such place.
    fn parking(&self, _job_id: Option<&JobId>) -> Option<Arc<dyn Queue>> {
        None
    }
}

/// Everything a job touches.
#[derive(Clone)]
pub struct Ports {
    /// The bucket.
    pub lister: Arc<dyn Lister>,
    /// Runs and manifests.
    pub plans: Arc<dyn PlanStore>,
    /// Plans made elsewhere; `None` where none is taken.
    pub elsewhere: Option<Arc<dyn Elsewhere>>,
    /// Where events go.
    pub queues: Arc<dyn Queues>,
    /// Job states.
    pub jobs: Arc<dyn JobStore>,
    /// The next segment.
    pub continuation: Arc<dyn Continuation>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For live changes that follow; `None` where there is no live table.
    pub live: Option<LivePorts>,
}
