//! A machine that stands still for a time, as a suspended laptop or a starved container does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::{EntryResult, Queue};
use bridge_history::id::JobId;
use bridge_history::job::ports::Queues;
use tokio::time::{Instant, sleep_until};

/// When a machine stands still.
#[derive(Debug, Clone, Copy)]
pub struct Sleep {
    /// From when on.
    pub from: Instant,
    /// Until when.
    pub until: Instant,
}

impl Sleep {
    /// Waits until the machine continues; tells whether it stood still.
    async fn over(self) -> bool {
        let asleep = (self.from..self.until).contains(&Instant::now());
        if asleep {
            sleep_until(self.until).await;
        }
        asleep
    }
}

/// The queues as a machine sees them that stands still for a time: nothing leaves it then, and
/// answers wait.
pub struct Asleep {
    /// The queues.
    pub queues: Arc<dyn Queues>,
    /// When.
    pub sleep: Sleep,
}

impl Queues for Asleep {
    fn open(&self, url: &str) -> Arc<dyn Queue> {
        Arc::new(AsleepQueue {
            queue: self.queues.open(url),
            sleep: self.sleep,
        })
    }

    fn parking(&self, job_id: Option<&JobId>) -> Option<Arc<dyn Queue>> {
        let queue = self.queues.parking(job_id)?;
        let sleep = self.sleep;
        Some(Arc::new(AsleepQueue { queue, sleep }))
    }
}

struct AsleepQueue {
    queue: Arc<dyn Queue>,
    sleep: Sleep,
}

#[async_trait]
impl Queue for AsleepQueue {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        if self.sleep.over().await {
            // A lane that does not run asks no gate and sends nothing; it asks when it continues.
            return Err(SendError {
                kind: FailureKind::Transient,
                code: "Simulated".to_owned(),
                message: "the machine stood still".to_owned(),
            });
        }
        let answer = self.queue.send(messages).await;
        self.sleep.over().await;
        answer
    }

    async fn depth(&self) -> Result<u64, SendError> {
        self.queue.depth().await
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        self.queue.max_message_bytes().await
    }

    fn request_timeout(&self) -> Duration {
        self.queue.request_timeout()
    }
}
