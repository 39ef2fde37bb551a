//! Forwarding, as both sources ask for it: so much at the same time, and to its end once it has begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bridge_core::notification::BatchMessage;
use bridge_core::notification::document::Document;
use bridge_core::queue::port::Queue;
use bridge_core::realtime::error::ForwardError;
use bridge_core::realtime::forwarder::{Forwarded, Forwarder};
use bridge_core::realtime::invocation::Invocation;
use metrics::{gauge, histogram};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The time that a batch or a request has, from when its turn comes. A key that it claims is busy for as long and half a
/// minute more if this process dies.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);

/// How long it may be asked whether anything may be sent.
const LOOK: Duration = Duration::from_secs(8);

/// Forwards.
pub(crate) struct Work {
    forwarder: Forwarder<Arc<dyn Queue>>,
    turns: Semaphore,
    concurrency: u16,
    /// Different for each process, so that no two pieces of work have one name.
    name: String,
    number: AtomicU64,
}

impl Work {
    /// By `forwarder`, so many pieces at a time.
    pub(crate) fn new(forwarder: Forwarder<Arc<dyn Queue>>, concurrency: u16) -> Self {
        Self {
            forwarder,
            turns: Semaphore::new(usize::from(concurrency)),
            concurrency,
            name: format!("serve-{:016x}", fastrand::u64(..)),
            number: AtomicU64::new(0),
        }
    }

    /// How many pieces at a time.
    pub(crate) fn concurrency(&self) -> usize {
        usize::from(self.concurrency)
    }

    /// Forwards messages of a queue, and answers the ids of those that failed.
    pub(crate) async fn batch(&self, messages: Vec<BatchMessage>) -> Vec<String> {
        let _turn = self.turns.acquire().await;
        let _at_work = AtWork::begin();
        let name = self.next_name();
        let invocation = invocation(&name);
        self.forwarder.forward_batch(messages, &invocation).await
    }

    /// Forwards a document, whose turn must come within `wait`; `None` if it does not. Whoever brings it by
    /// HTTP may have brought it before: no request tells.
    pub(crate) async fn document(
        &self,
        document: Document,
        wait: Duration,
    ) -> Option<Result<Forwarded, ForwardError>> {
        let _turn = timeout(wait, self.turns.acquire()).await.ok()?;
        let _at_work = AtWork::begin();
        let name = self.next_name();
        let invocation = invocation(&name);
        Some(self.forwarder.forward(document, true, &invocation).await)
    }

    /// Whether anything may be sent.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn look(&self) -> Result<(), String> {
        self.forwarder.look(LOOK).await.map(|_| ())
    }

    /// Why nothing may be sent though the live table answers.
    ///
    /// # Errors
    /// Why it does not answer.
    pub(crate) async fn held(&self) -> Result<Option<String>, String> {
        self.forwarder.held(LOOK).await
    }

    fn next_name(&self) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.name)
    }
}

fn invocation(name: &str) -> Invocation<'_> {
    Invocation {
        request_id: name,
        budget: BUDGET,
    }
}

/// Counts what is being forwarded, and for how long.
struct AtWork(Instant);

impl AtWork {
    fn begin() -> Self {
        gauge!("WorkInFlight").increment(1);
        Self(Instant::now())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        gauge!("WorkInFlight").decrement(1);
        histogram!("WorkMs").record(self.0.elapsed().as_secs_f64() * 1000.0);
    }
}
