//! Port `Queues`: any queue of SQS by its URL.

use std::sync::Arc;

use bridge_core::queue::port::Queue;
use bridge_history::id::JobId;
use bridge_history::job::ports::Queues;

use crate::sender::SqsClient;

/// All queues that a client reaches.
#[derive(Debug, Clone)]
pub struct SqsQueues {
    /// The client of them all.
    pub client: SqsClient,
    /// The URL of the failure queue, where events are parked.
    pub failure_queue: Option<String>,
}

impl Queues for SqsQueues {
    fn open(&self, url: &str) -> Arc<dyn Queue> {
        self.client.queue(url.to_owned())
    }

    fn parking(&self, _job_id: Option<&JobId>) -> Option<Arc<dyn Queue>> {
        self.failure_queue.as_deref().map(|url| self.open(url))
    }
}
