//! Whether notifications are received: not while the queue of events gets its history first.

use async_trait::async_trait;
use bridge_history::job::live::{LivePortError, Mapping, Switched};
use tokio::sync::watch;

/// On, or off; here what the event source mapping is on Lambda.
#[derive(Debug, Clone)]
pub(crate) struct Receiving(watch::Sender<bool>);

impl Receiving {
    /// On.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(true))
    }

    /// Waits until it is on.
    pub(crate) async fn wait(&self) {
        // Its sender is here.
        let _ = self.0.subscribe().wait_for(|is_on| *is_on).await;
    }
}

#[async_trait]
impl Mapping for Receiving {
    async fn switch(&self, on: bool) -> Result<Switched, LivePortError> {
        self.0.send_replace(on);
        Ok(Switched::Done)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_goes_on_when_it_is_on_again() {
        let receiving = Receiving::new();
        receiving.wait().await;
        receiving.switch(false).await.unwrap();
        let soon = Duration::from_secs(1);
        assert!(timeout(soon, receiving.wait()).await.is_err());
        let other = receiving.clone();
        let waiting = tokio::spawn(async move { other.wait().await });
        receiving.switch(true).await.unwrap();
        timeout(soon, waiting).await.unwrap().unwrap();
    }
}
