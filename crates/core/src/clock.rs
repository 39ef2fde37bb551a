//! Port: the wall clock. Waiting goes through `tokio::time`, which simulations pause.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Millis;

/// Tells the time of day. Leases compare it between machines, so it must be the wall clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Millis;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
