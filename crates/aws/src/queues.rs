//! Port `Queues`: any queue of SQS by its URL.

use std::sync::Arc;

use aws_sdk_sqs::Client;
use bridge_core::queue::port::Queue;
use bridge_history::id::JobId;
use bridge_history::job::ports::Queues;

use crate::queue::SqsQueue;

/// All queues that a client reaches.
#[derive(Debug, Clone)]
pub struct SqsQueues {
    /// The client of them all.
    pub client: Client,
    /// The URL of the failure queue, where events are parked.
    pub failure_queue: Option<String>,
}

impl Queues for SqsQueues {
    fn open(&self, url: &str) -> Arc<dyn Queue> {
        Arc::new(SqsQueue::new(self.client.clone(), url.to_owned()))
    }

    fn parking(&self, _job_id: Option<&JobId>) -> Option<Arc<dyn Queue>> {
        self.failure_queue.as_deref().map(|url| self.open(url))
    }
}
