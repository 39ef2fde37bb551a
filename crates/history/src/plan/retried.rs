//! A plan store that is asked again.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bridge_core::retry::Retry;
use bytes::Bytes;

use crate::plan::store::{PlanError, PlanStore, Tag};

/// Tries again what the store inside says may pass. Writing replaces a whole object, so writing the same bytes
/// again is right also when only the answer was lost.
pub struct Retried {
    inner: Arc<dyn PlanStore>,
    retry: Retry,
    random: Mutex<fastrand::Rng>,
}

impl Retried {
    /// Asks `inner` as `retry` says; `random` is for jitter.
    #[must_use]
    pub fn new(inner: Arc<dyn PlanStore>, retry: Retry, random: fastrand::Rng) -> Self {
        Self {
            inner,
            retry,
            random: Mutex::new(random),
        }
    }

    fn random(&self) -> fastrand::Rng {
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fork()
    }
}

#[async_trait]
impl PlanStore for Retried {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        self.retry
            .run(&mut self.random(), || self.inner.put(name, bytes.clone()))
            .await
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        self.retry
            .run(&mut self.random(), || self.inner.get(name, range.clone()))
            .await
    }

    async fn tag(&self, name: &str) -> Result<Option<Tag>, PlanError> {
        self.retry
            .run(&mut self.random(), || self.inner.tag(name))
            .await
    }

    async fn get_tagged(
        &self,
        name: &str,
        range: Range<u64>,
        tag: &Tag,
    ) -> Result<Bytes, PlanError> {
        self.retry
            .run(&mut self.random(), || {
                self.inner.get_tagged(name, range.clone(), tag)
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use bridge_core::failure::FailureKind;
    use bridge_core::retry::Backoff;
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// Refuses its first calls.
    struct Refusing {
        refusals: u32,
        kind: FailureKind,
        calls: AtomicU32,
    }

    impl Refusing {
        fn answer(&self, doing: &'static str, name: &str) -> Result<(), PlanError> {
            if self.calls.fetch_add(1, Ordering::Relaxed) >= self.refusals {
                return Ok(());
            }
            Err(PlanError::Store {
                doing,
                name: name.to_owned(),
                reason: "SlowDown".to_owned(),
                kind: self.kind,
            })
        }
    }

    #[async_trait]
    impl PlanStore for Refusing {
        async fn put(&self, name: &str, _: Bytes) -> Result<(), PlanError> {
            self.answer("writing", name)
        }

        async fn get(&self, name: &str, _: Option<Range<u64>>) -> Result<Bytes, PlanError> {
            self.answer("reading", name).map(|()| Bytes::new())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_that_may_pass_costs_a_moment_and_one_that_does_not_is_told_at_once() {
        for (kind, calls) in [(FailureKind::Transient, 4), (FailureKind::Permanent, 1)] {
            let store = Arc::new(Refusing {
                refusals: 3,
                kind,
                calls: AtomicU32::new(0),
            });
            let retry = Retry {
                backoff: Backoff::default(),
                retry_timeout: Duration::from_mins(1),
                stop: CancellationToken::new(),
            };
            let is_retried = kind == FailureKind::Transient;
            let retried = Retried::new(store.clone(), retry, fastrand::Rng::with_seed(1));
            assert_eq!(retried.put("a", Bytes::new()).await.is_ok(), is_retried);
            assert_eq!(store.calls.swap(0, Ordering::Relaxed), calls);
            assert_eq!(retried.get("a", None).await.is_ok(), is_retried);
            assert_eq!(store.calls.load(Ordering::Relaxed), calls);
        }
    }
}
