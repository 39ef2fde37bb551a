//! A failure queue in memory, in which jobs park what their queue refuses for good.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::failure::FailureKind;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::{EntryResult, Queue};
use serde_json::Value;
use tokio::time::sleep;

use crate::faults::Strike;
use crate::queue::{REQUEST_TIMEOUT, SimQueue, refusal};

/// The longest record that it takes, bytes.
const LONGEST: usize = 65_536;

/// The failure queue as one segment sees it. It too refuses some of what it is given for good: of every
/// third event the whole, of every third all but the least.
pub struct OfParking {
    /// Whose events are parked.
    pub queue: Arc<SimQueue>,
    /// The segment.
    pub segment: u64,
}

/// Ends a request, also when its caller abandons it.
struct InFlight<'a>(&'a OfParking);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.queue.end_of(self.0.segment);
    }
}

#[async_trait]
impl Queue for OfParking {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        self.queue.begin_of(self.segment);
        let _in_flight = InFlight(self);
        let strike = self.queue.faults().strike().await;
        if matches!(strike, Strike::Before | Strike::Throttled) {
            return Err(refusal(strike));
        }
        let mut results = Vec::new();
        for message in messages {
            let body = &message.body;
            let is_plain = body.len() <= LONGEST && body.chars().all(|c| matches!(c, ' '..='~'));
            let record: Value = serde_json::from_str(body).unwrap_or_default();
            let form = record["form"].as_str().unwrap_or_default();
            let refuses = match record["sequence"].as_u64().unwrap_or_default() % 3 {
                0 => false,
                1 => form == "whole",
                _ => form != "least",
            };
            if !is_plain || refuses {
                results.push(Err(SendError {
                    kind: FailureKind::Permanent,
                    code: "InvalidMessageContents".to_owned(),
                    message: String::new(),
                }));
                continue;
            }
            results.push(Ok(()));
            if strike == Strike::Late {
                let queue = Arc::clone(&self.queue);
                let wait = Duration::from_millis(queue.faults().below(20_000));
                tokio::spawn(async move {
                    sleep(wait).await;
                    queue.park(record);
                });
            } else {
                self.queue.park(record);
            }
        }
        if strike == Strike::None {
            return Ok(results);
        }
        Err(refusal(strike))
    }

    async fn depth(&self) -> Result<u64, SendError> {
        Ok(0)
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        Ok(LONGEST)
    }

    fn request_timeout(&self) -> Duration {
        REQUEST_TIMEOUT
    }
}
