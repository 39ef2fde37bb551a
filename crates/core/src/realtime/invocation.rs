//! One invocation.

use std::time::Duration;

/// What Lambda says of an invocation.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Its request id; the same when it is tried again.
    pub request_id: &'a str,
    /// The time to work in.
    pub budget: Duration,
}
