//! How many events may be handed out and not yet be behind the checkpoint.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Room for events between the checkpoint and the last one that was handed out: it bounds memory, how
/// far the fastest lane may be ahead of the slowest, and what is sent again after a death.
#[derive(Debug, Clone)]
pub struct Window(Arc<Semaphore>);

impl Window {
    /// Room for `events`.
    #[must_use]
    pub fn new(events: usize) -> Self {
        Self(Arc::new(Semaphore::new(events)))
    }

    /// Waits until there is room for `events`, and takes it. Dropped while it waits, it takes none.
    pub async fn take(&self, events: u32) {
        // The semaphore is never closed, so this cannot fail. The room taken outlives the permit: the
        // checkpoint gives it back when it passes the events.
        if let Ok(permit) = self.0.acquire_many(events).await {
            permit.forget();
        }
    }

    /// Gives room back for `events` that the checkpoint has passed.
    pub fn give_back(&self, events: usize) {
        self.0.add_permits(events);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn who_finds_no_room_waits_until_the_checkpoint_gives_it_back() {
        let window = Window::new(3);
        assert!(window.take(2).now_or_never().is_some());
        assert!(window.take(2).now_or_never().is_none(), "one is left");
        window.give_back(1);
        assert!(window.take(2).now_or_never().is_some());
        assert!(window.take(1).now_or_never().is_none());
    }
}
