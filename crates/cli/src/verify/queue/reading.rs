//! A queue's messages, received until there are no more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System};
use bridge_aws::request_error::RequestError;
use bridge_core::failure::FailureKind;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::numbers::count;
use crate::serve::queue_client::NotificationQueue;
use crate::tell;
use crate::verify::options::Ending;
use crate::verify::queue::checked::{Facts, NAMES};
use crate::verify::queue::copy::Copy;
use crate::verify::queue::held::{HIDDEN, Held};

/// Requests for messages at the same time. A FIFO queue hands out no more of a group while some of it are not deleted, so
/// that each group's messages come in their order all the same.
const RECEIVERS: usize = 8;

/// How long a request waits for the first message, seconds. By long polling all of the queue's servers are asked.
const WAIT: i32 = 5;

/// So many requests of each receiver must bring nothing before the queue is asked what it holds.
const QUIET: usize = 3;

/// How long what the queue tells of itself may lag behind, and messages that others have received are waited for.
/// Source: Amazon SQS API Reference, "`GetQueueAttributes`".
const PATIENCE: Duration = Duration::from_secs(75);

/// Between two looks at what it holds.
const LOOK: Duration = Duration::from_secs(2);

/// How often a request that failed is made again, and the first wait.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(200);

/// How often it is told how much was read.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All messages of the queue are in the file.
    Whole,
    /// Somebody wants it to end.
    Stopped,
}

/// A queue that is being read.
pub(super) struct Reading {
    pub(super) queue: NotificationQueue,
    pub(super) ending: Ending,
    /// What it said before.
    pub(super) facts: Facts,
    copy: Mutex<Copy>,
    pub(super) held: Held,
    /// Messages that this process has read, whether they were in the file before or not.
    read: AtomicU64,
    /// One was received so often that none may be received any more.
    is_used_up: AtomicBool,
}

impl Reading {
    pub(super) fn new(queue: NotificationQueue, ending: Ending, facts: Facts, copy: Copy) -> Self {
        Self {
            held: Held::new(queue.clone()),
            queue,
            ending,
            facts,
            copy: Mutex::new(copy),
            read: AtomicU64::new(0),
            is_used_up: AtomicBool::new(false),
        }
    }

    /// How many messages were read.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The file of messages.
    pub(super) fn copy(&self) -> MutexGuard<'_, Copy> {
        self.copy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until the queue is empty, or `stop`. Whatever was asked for is waited for: it may bring messages.
    ///
    /// # Errors
    /// What keeps messages from being received, written or deleted, or from being all.
    pub(super) async fn run(self: &Arc<Self>, stop: &CancellationToken) -> anyhow::Result<End> {
        let mut receivers = JoinSet::new();
        let start = |receivers: &mut JoinSet<_>| {
            let reading = Arc::clone(self);
            receivers.spawn(async move { reading.receive().await })
        };
        for _ in 0..RECEIVERS {
            start(&mut receivers);
        }
        let mut end = None;
        let (mut quiet, mut newest, mut told) = (0, Instant::now(), Instant::now());
        while let Some(received) = receivers.join_next().await {
            let received = received.map_err(anyhow::Error::from).flatten();
            match received {
                Ok(0) => quiet += 1,
                Ok(_) => (quiet, newest) = (0, Instant::now()),
                Err(error) => end = end.or(Some(Err(error))),
            }
            if end.is_some() {
                continue;
            }
            if stop.is_cancelled() {
                end = Some(Ok(End::Stopped));
                continue;
            }
            if quiet >= RECEIVERS * QUIET {
                quiet = 0;
                end = self.look(newest.elapsed()).await.transpose();
                if end.is_some() {
                    continue;
                }
                let _ = stop.run_until_cancelled(sleep(LOOK)).await;
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tell(&format!(
                    "reading the queue: {}",
                    count(self.read(), "message")
                ));
            }
            start(&mut receivers);
        }
        end.unwrap_or_else(|| Err(anyhow!("all receivers have ended")))
    }

    /// Whether the queue is empty, if nothing has come for so long.
    async fn look(&self, quiet: Duration) -> anyhow::Result<Option<End>> {
        let facts = facts(&self.queue).await?;
        let held = match self.ending {
            Ending::Keep => self.held.count(),
            Ending::Delete => 0,
        };
        match facts.unread(held) {
            None => Ok(Some(End::Whole)),
            Some(left) if quiet >= PATIENCE => Err(anyhow!(
                "the queue hands over no more messages, but {left}: a comparison without these would prove nothing. \
                 Stop who else reads it, and run this again"
            )),
            Some(_) => Ok(None),
        }
    }

    /// One request, and what it brings. Answers how many messages it brought that were not read yet: those that are kept
    /// and come again must not keep this from its end.
    async fn receive(self: Arc<Self>) -> anyhow::Result<u64> {
        if self.is_used_up.load(Ordering::Relaxed) {
            return Err(self.used_up());
        }
        let call = || self.queue.receive_whole(HIDDEN, WAIT);
        let messages = again(call).await.context("receiving messages")?;
        if messages.is_empty() {
            return Ok(0);
        }
        let receipts: Vec<_> = messages
            .iter()
            .map(|m| m.receipt_handle().unwrap_or_default().to_owned())
            .collect();
        let mut read = messages.len() as u64;
        if self.ending == Ending::Keep {
            let id = |message: &Message| message.message_id().unwrap_or_default().to_owned();
            let taken = messages.iter().map(id).zip(&receipts);
            // Each is taken, new or not.
            let new = taken.filter(|(id, receipt)| self.held.take(id, receipt));
            read = new.count() as u64;
            if messages
                .iter()
                .any(|message| self.facts.is_used_up(receives(message)))
            {
                self.is_used_up.store(true, Ordering::Relaxed);
                return Err(self.used_up());
            }
        }
        let writer = Arc::clone(&self);
        let written = spawn_blocking(move || writer.copy().write(&messages));
        written
            .await?
            .context("what was received last is still in the queue")?;
        if self.ending == Ending::Delete {
            let left = self.queue.delete_all(&receipts).await;
            anyhow::ensure!(
                left == 0,
                "{left} messages are in the file of --copy and could not be deleted (sqs:DeleteMessage): they come again, \
                 and are counted once"
            );
        }
        self.read.fetch_add(read, Ordering::Relaxed);
        Ok(read)
    }

    fn used_up(&self) -> anyhow::Error {
        let most = self.facts.most_receives.unwrap_or_default();
        anyhow!(
            "messages have been received so often that after one more failure of their consumer they would go to the \
             dead-letter queue (maxReceiveCount {most}): nothing more is read. Raise it, or use --delete --copy FILE"
        )
    }
}

/// What the queue says of itself.
///
/// # Errors
/// When it does not.
pub(super) async fn facts(queue: &NotificationQueue) -> anyhow::Result<Facts> {
    let all = again(|| queue.attributes(&NAMES)).await;
    let all = all.context("asking the queue what it holds (sqs:GetQueueAttributes)")?;
    Facts::of(&all).map_err(anyhow::Error::msg)
}

/// Asks, and again where that may help.
async fn again<T, F: Future<Output = Result<T, RequestError>>>(
    mut call: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let mut attempt = 1;
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.kind == FailureKind::Permanent || attempt == ATTEMPTS => {
                return Err(anyhow!("{error}"));
            }
            Err(error) => tracing::warn!(%error, attempt, "asking again"),
        }
        sleep(PAUSE * 2_u32.pow(attempt)).await;
        attempt += 1;
    }
}

/// How often a message was received, this time included.
fn receives(message: &Message) -> u64 {
    let attributes = message.attributes.as_ref();
    let receives =
        attributes.and_then(|all| all.get(&System::ApproximateReceiveCount)?.parse().ok());
    receives.unwrap_or(1)
}
