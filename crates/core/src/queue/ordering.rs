//! Which order a queue keeps, and how.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What order the queue keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// One message group a key.
    Key,
    /// One group for the bucket: a total order.
    Bucket,
    /// A standard queue: none.
    None,
}

impl Order {
    /// `key` on a FIFO queue, `none` on a standard one.
    #[must_use]
    pub fn default_of(queue_url: &str) -> Self {
        if is_fifo(queue_url) {
            Self::Key
        } else {
            Self::None
        }
    }
}

impl FromStr for Order {
    type Err = &'static str;

    /// # Errors
    /// What would have been allowed.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "key" => Ok(Self::Key),
            "bucket" => Ok(Self::Bucket),
            "none" => Ok(Self::None),
            _ => Err("key, bucket or none"),
        }
    }
}

/// How a FIFO queue's groups keep their order (docs/EVENTS.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// No request carries two messages of one group, and a group's next request waits for the
    /// last one's success: a partly failed request cannot reorder.
    #[default]
    Strict,
    /// A request may carry several messages of one group. After a failure everything of the group
    /// from there on goes again with fresh deduplication ids: a consumer sees a rewind, never a gap.
    Batched,
}

/// An order by its word, if `queue_url` can keep it.
///
/// # Errors
/// What would have been allowed.
pub fn parse_order(word: &str, queue_url: &str) -> Result<Order, &'static str> {
    let order = word.parse()?;
    match (order, is_fifo(queue_url)) {
        (Order::Key | Order::Bucket, false) => {
            Err("none: a standard queue keeps no order; use a FIFO queue (its name ends in .fifo)")
        }
        (Order::None, true) => Err("key or bucket: every message of a FIFO queue has a group"),
        _ => Ok(order),
    }
}

/// A FIFO queue's name ends in `.fifo`.
///
/// Source: Amazon SQS Developer Guide, "FIFO queue and message identifiers".
#[must_use]
pub fn is_fifo(queue_url: &str) -> bool {
    std::path::Path::new(queue_url)
        .extension()
        .is_some_and(|e| e == "fifo")
}
