//! Messages that are put back: hidden from others while the rest is read, then to be received by anybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::serve::queue_client::{MOST_RECEIVED, NotificationQueue};

/// How long a message is hidden, seconds, unless that is renewed. If the process is killed, they come back by then.
pub(super) const HIDDEN: i32 = 120;

/// How often it is looked which are to be renewed, and when one is.
const LOOK: Duration = Duration::from_secs(20);
const RENEW: Duration = Duration::from_secs(40);

/// Requests at the same time: 120,000 messages take 12,000.
const IN_FLIGHT: usize = 16;

/// How often a request is made, and what is waited in between.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);

/// What was received: some hundred bytes a message.
pub(super) struct Held {
    queue: NotificationQueue,
    /// The last receipt of each, by the message's id.
    receipts: Mutex<HashMap<Arc<str>, Receipt>>,
}

struct Receipt {
    text: Arc<str>,
    hidden_at: Instant,
}

impl Held {
    pub(super) fn new(queue: NotificationQueue) -> Self {
        Self {
            queue,
            receipts: Mutex::default(),
        }
    }

    /// Takes one that was received just now, and answers whether it is new.
    pub(super) fn take(&self, id: &str, receipt: &str) -> bool {
        let receipt = Receipt {
            text: receipt.into(),
            hidden_at: Instant::now(),
        };
        self.receipts().insert(id.into(), receipt).is_none()
    }

    /// How many messages these are.
    pub(super) fn count(&self) -> u64 {
        self.receipts().len() as u64
    }

    fn receipts(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Receipt>> {
        self.receipts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps them hidden, for ever.
    pub(super) async fn renew(&self) {
        loop {
            sleep(LOOK).await;
            let now = Instant::now();
            let due = self
                .receipts()
                .values_mut()
                .filter_map(|receipt| {
                    let is_due = now.duration_since(receipt.hidden_at) >= RENEW;
                    is_due.then(|| {
                        receipt.hidden_at = now;
                        Arc::clone(&receipt.text)
                    })
                })
                .collect();
            let failed = self.hide(due, HIDDEN).await;
            if failed > 0 {
                tracing::warn!(
                    failed,
                    "messages may be handed to others before all are read"
                );
            }
        }
    }

    /// Lets anybody receive them. Answers of how many it is not known that it worked.
    pub(super) async fn put_back(&self) -> usize {
        let all = std::mem::take(&mut *self.receipts());
        self.hide(all.into_values().map(|receipt| receipt.text).collect(), 0)
            .await
    }

    /// Hides them for so many seconds from now. Answers of how many it is not known that it worked.
    async fn hide(&self, receipts: Vec<Arc<str>>, seconds: i32) -> usize {
        let turns = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut requests = JoinSet::new();
        for some in receipts.chunks(usize::from(MOST_RECEIVED)) {
            let (queue, some) = (self.queue.clone(), some.to_vec());
            let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
                break;
            };
            requests.spawn(async move {
                let _turn = turn;
                let entries: Vec<_> = some.iter().map(|receipt| (&**receipt, seconds)).collect();
                for attempt in 1..=ATTEMPTS {
                    match queue.hide(&entries).await {
                        Ok(()) => return 0,
                        Err(error) => tracing::warn!(%error, attempt, "changing the visibility"),
                    }
                    sleep(PAUSE * attempt).await;
                }
                some.len()
            });
        }
        requests.join_all().await.iter().sum()
    }
}
