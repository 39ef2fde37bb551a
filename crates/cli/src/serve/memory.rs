//! What a source may hold of what it has taken and not yet forwarded.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a unit.
const UNIT: usize = 1024;

/// What a message or request costs beside its text: tasks, requests to SQS, answers.
const FIXED: usize = 16 * 1024;

/// A text is held as it came, as JSON, as events, as messages and in a request.
const TIMES: usize = 8;

/// Memory of one source. It is lent, and comes back when the loan is dropped.
#[derive(Clone)]
pub(crate) struct Memory {
    units: Arc<Semaphore>,
}

/// Memory that is lent.
pub(crate) struct Loan {
    permit: OwnedSemaphorePermit,
}

impl Memory {
    /// So many bytes in all.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            units: Arc::new(Semaphore::new(bytes / UNIT)),
        }
    }

    /// Waits until there is enough for `count` texts of `bytes` in all.
    pub(crate) async fn borrow(&self, count: usize, bytes: usize) -> Option<Loan> {
        let units = units(count, bytes);
        let permit = Arc::clone(&self.units).acquire_many_owned(units).await;
        Some(Loan {
            permit: permit.ok()?,
        })
    }

    /// The same now or never.
    pub(crate) fn try_borrow(&self, count: usize, bytes: usize) -> Option<Loan> {
        let units = units(count, bytes);
        let permit = Arc::clone(&self.units).try_acquire_many_owned(units);
        Some(Loan {
            permit: permit.ok()?,
        })
    }
}

impl Loan {
    /// Gives back what is not needed for `count` texts of `bytes` in all.
    pub(crate) fn shrink(&mut self, count: usize, bytes: usize) {
        let needed = usize::try_from(units(count, bytes)).unwrap_or(usize::MAX);
        let spare = self.permit.num_permits().saturating_sub(needed);
        drop(self.permit.split(spare));
    }
}

fn units(count: usize, bytes: usize) -> u32 {
    let units = (count * FIXED + TIMES * bytes).div_ceil(UNIT);
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_lent_is_bounded_and_comes_back() {
        let memory = Memory::new(100 * 1024);
        let mut first = memory.borrow(1, 8 * 1024).await.unwrap();
        assert!(memory.try_borrow(1, 8 * 1024).is_none());
        first.shrink(1, 100);
        let second = memory.try_borrow(1, 8 * 1024);
        assert!(second.is_some());
        drop((first, second));
        assert!(memory.try_borrow(1, 10 * 1024).is_some());
    }
}
