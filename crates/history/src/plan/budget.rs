//! The memory of a merge, counted before it is taken, and its requests in flight.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// What a run may take that is read alone, whatever it is made of. Usual ones take a few megabytes.
const ALONE: usize = 256 * 1024 * 1024;

/// Requests to the plan store in flight at the same time.
const REQUESTS: usize = 64;

/// Of the memory, the part that may be filled by what is read ahead.
const PART_AHEAD: usize = 4;

/// What may be held of a plan while it is read: shared by all of its readers.
#[derive(Debug)]
pub struct Budget {
    /// Bytes.
    limit: usize,
    held: Mutex<Sums>,
    /// Permits to ask the plan store.
    pub(super) requests: Semaphore,
    /// A permit to read a long footer: what the library makes of it is not counted.
    pub(super) long_footers: Arc<Semaphore>,
}

/// Bytes held.
#[derive(Debug, Default)]
struct Sums {
    all: usize,
    /// Of these, read ahead.
    ahead: usize,
}

/// For what memory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing goes on without it.
    Now,
    /// It saves a wait later.
    Ahead,
}

/// Memory that is taken, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
    need: Need,
}

impl Budget {
    /// A merge may hold `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            held: Mutex::default(),
            requests: Semaphore::new(REQUESTS),
            long_footers: Arc::new(Semaphore::new(1)),
        })
    }

    /// For runs that are read one after another.
    #[must_use]
    pub fn alone() -> Arc<Self> {
        Self::new(ALONE)
    }

    /// Bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What is held, bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.sums().all
    }

    /// Takes memory if there is so much.
    pub(super) fn take(self: &Arc<Self>, bytes: usize, need: Need) -> Option<Held> {
        let mut sums = self.sums();
        let all = sums.all.checked_add(bytes)?;
        let ahead = sums.ahead.checked_add(bytes)?;
        if all > self.limit || need == Need::Ahead && ahead > self.limit / PART_AHEAD {
            return None;
        }
        sums.all = all;
        if need == Need::Ahead {
            sums.ahead = ahead;
        }
        drop(sums);
        Some(Held {
            budget: Arc::clone(self),
            bytes,
            need,
        })
    }

    fn sums(&self) -> std::sync::MutexGuard<'_, Sums> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was read ahead is needed now.
    pub(super) fn is_needed_now(&mut self) {
        if self.need == Need::Ahead {
            self.budget.sums().ahead -= self.bytes;
            self.need = Need::Now;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut sums = self.budget.sums();
        sums.all -= self.bytes;
        if self.need == Need::Ahead {
            sums.ahead -= self.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_ahead_leaves_room_for_what_is_needed() {
        let budget = Budget::new(100);
        let mut ahead = budget.take(25, Need::Ahead).unwrap();
        assert!(budget.take(1, Need::Ahead).is_none());
        let now = budget.take(75, Need::Now).unwrap();
        assert!(budget.take(1, Need::Now).is_none());
        drop(now);
        ahead.is_needed_now();
        let another = budget.take(25, Need::Ahead).unwrap();
        assert!(budget.take(51, Need::Now).is_none());
        drop((ahead, another));
        assert!(budget.take(100, Need::Now).is_some());
        assert_eq!(budget.held(), 0);
    }
}
