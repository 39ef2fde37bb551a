//! Lines of a file or of standard output, as the queue of a job.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::{EntryResult, Queue};
use bridge_local::lines::{CLOSED, FAILED, Lines};
use tokio_util::sync::CancellationToken;

/// Why lines could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Nobody reads any more, as behind `| head`: that is how a reader says it has enough.
    Closed,
    /// A full disk and the like: what was tried, and why it failed.
    Failed(String),
}

/// Lines. What cannot be written stops the job as an interrupt does: nothing is wrong with the job or
/// with a message of it, and it can continue.
pub(crate) struct Sink {
    lines: Lines,
    stop: CancellationToken,
    broken: Arc<OnceLock<Broken>>,
}

impl Sink {
    /// Cancels `stop` and says in `broken` why, once `lines` cannot be written.
    pub(crate) fn new(
        lines: Lines,
        stop: CancellationToken,
        broken: Arc<OnceLock<Broken>>,
    ) -> Self {
        Self {
            lines,
            stop,
            broken,
        }
    }
}

#[async_trait]
impl Queue for Sink {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        self.lines.send(messages).await.map_err(|mut refusal| {
            let broken = match refusal.code.as_str() {
                CLOSED => Broken::Closed,
                FAILED => Broken::Failed(refusal.message.clone()),
                _ => return refusal,
            };
            self.broken.get_or_init(|| broken);
            self.stop.cancel();
            refusal.kind = FailureKind::Transient;
            refusal
        })
    }

    async fn depth(&self) -> Result<u64, SendError> {
        self.lines.depth().await
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        self.lines.max_message_bytes().await
    }

    fn request_timeout(&self) -> Duration {
        self.lines.request_timeout()
    }
}
