//! Port: whether a segment may still send.

use std::time::Duration;

/// Whether sending is allowed now: a job's lease closes it before another segment may begin.
pub trait Gate: Send + Sync {
    /// Whether a request may start that can take as long as `request`.
    fn is_open(&self, request: Duration) -> bool;
}
