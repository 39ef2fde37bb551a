//! Whether a source goes on at full speed. While nothing gets through, it tries one message at a time: what a queue has
//! handed over too often, its redrive policy takes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The pause after the first failure; each is twice as long as the one before.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// How often in a row nothing got through.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    failures: AtomicU32,
}

impl Brake {
    /// Something got through, or there was nothing to do.
    pub(crate) fn release(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Nothing did.
    pub(crate) fn pull(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// How long to wait before the next try; `None` at full speed.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let failures = self.failures.load(Ordering::Relaxed);
        let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10));
        (failures > 0).then(|| doubled.min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_end_with_the_first_success() {
        let brake = Brake::default();
        assert_eq!(brake.pause(), None);
        brake.pull();
        assert_eq!(brake.pause(), Some(FIRST));
        brake.pull();
        assert_eq!(brake.pause(), Some(FIRST * 2));
        for _ in 0..100 {
            brake.pull();
        }
        assert_eq!(brake.pause(), Some(LONGEST));
        brake.release();
        assert_eq!(brake.pause(), None);
    }
}
