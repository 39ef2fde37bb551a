//! Where a job parks what its queue refuses: where it did before.

use std::path::PathBuf;
use std::sync::Arc;

use bridge_aws::queues::SqsQueues;
use bridge_core::queue::port::Queue;
use bridge_history::id::JobId;
use bridge_history::job::ports::Queues;
use bridge_local::parked;

use crate::reseed::opening;

/// All queues; the failure queue for jobs that began here, its file for one that `reseed` began.
#[derive(Debug)]
pub(crate) struct ServedQueues {
    /// The queues, the failure queue among them.
    pub sqs: SqsQueues,
    /// The state directory.
    pub state: PathBuf,
}

impl Queues for ServedQueues {
    fn open(&self, url: &str) -> Arc<dyn Queue> {
        self.sqs.open(url)
    }

    fn parking(&self, job_id: Option<&JobId>) -> Option<Arc<dyn Queue>> {
        let began_by_reseed = |id: &&JobId| parked::is_there(&self.state, id.as_str());
        let Some(job_id) = job_id.filter(began_by_reseed) else {
            return self.sqs.parking(job_id);
        };
        // Without it the job fails at what it cannot deliver, as where there is no failure queue.
        opening::parked(&self.state, job_id)
            .inspect_err(|error| tracing::error!(job = %job_id, %error, "nothing can be parked"))
            .ok()
    }
}
