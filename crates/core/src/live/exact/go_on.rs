//! A key that is stopped, since the queue has refused a version of it for good, goes on when an operator says so.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::forward::Delivered;
use crate::live::exact::Exact;
use crate::live::exact::read::{ReadError, Wanted, read};
use crate::live::exact::reported::Reported;
use crate::live::exact::run::{after, behind, from};
use crate::live::exact::store::{KeyClaim, KeyReturn, KeyState};
use crate::live::newest::{GRACE, MOST_PAUSE, RETENTION};
use crate::live::store::{LiveStoreError, in_time};

/// What becomes of the version that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is sent again: the queue takes it now.
    Retry,
    /// It is passed over.
    Skip,
}

/// Why a key does not go on.
#[derive(Debug, thiserror::Error)]
pub enum GoOnError {
    /// It is not stopped.
    #[error("the key is not stopped")]
    NotStopped,
    /// Its item, or the bucket, is not available.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<LiveStoreError> for GoOnError {
    fn from(error: LiveStoreError) -> Self {
        Self::Read(error.into())
    }
}

impl Exact<'_> {
    /// Lets a stopped key go on, and sends what has waited.
    ///
    /// # Errors
    /// [`GoOnError`], after which the key is as it was.
    pub async fn go_on(
        &self,
        (bucket, key): (&str, &str),
        refused: Refused,
        budget: Duration,
        random: &mut fastrand::Rng,
    ) -> Result<Delivered, GoOnError> {
        let end = Instant::now() + budget;
        let claim = KeyClaim {
            key: format!("{bucket}/{key}"),
            owner: format!("{}#{:08x}#go-on", self.request, self.owner),
            until: self.clock.now() + budget + GRACE,
            expires: self.clock.now() + RETENTION,
        };
        let state = loop {
            match in_time(self.store.claim(&claim, self.clock.now())).await {
                Ok(state) => break state,
                Err(error) if Instant::now() + MOST_PAUSE * 2 > end => return Err(error.into()),
                Err(_) => sleep(MOST_PAUSE).await,
            }
        };
        let found = self.go_on_from(key, &state, refused).await;
        let (state, newest, outcome) = match found {
            Ok((state, newest)) => (state, newest, Ok(())),
            Err(error) => (state, None, Err(error)),
        };
        let done = KeyReturn {
            key: claim.key.clone(),
            owner: claim.owner,
            state,
            ends: true,
            expires: self.clock.now() + RETENTION,
        };
        in_time(self.store.give_back(&done)).await?;
        outcome?;
        in_time(self.store.remove_stopped(&claim.key)).await?;
        let Some(newest) = newest else {
            return Ok(Delivered::default());
        };
        let newest = newest.event(bucket, key);
        let changes = [Reported {
            event: &newest,
            is_repeated: true,
        }];
        let left = end.saturating_duration_since(Instant::now());
        Ok(self.deliver(&changes, left, random).await)
    }

    /// The key's state from now on, and its newest version.
    async fn go_on_from(
        &self,
        key: &str,
        state: &KeyState,
        refused: Refused,
    ) -> Result<(KeyState, Option<super::version::Version>), GoOnError> {
        if state.stopped.is_none() {
            return Err(GoOnError::NotStopped);
        }
        let wanted = Wanted {
            sent: None,
            is_whole: true,
            dialect: self.dialect,
        };
        let listed = read(self.bucket, key, wanted, &AtomicU64::new(0)).await?;
        let is_current = state.generation >= self.stream.generation;
        let sent = state.sent.clone().filter(|_| is_current);
        let (sent, begun) = match refused {
            Refused::Retry => (sent, state.begun.clone()),
            Refused::Skip => {
                let run = match &sent {
                    Some(sent) => behind(&listed, sent, &[], !state.begun.is_empty()),
                    None => from(&listed, self.boundary(), &[]),
                };
                let run = run.with_begun(&listed, &state.begun);
                let one = run.places.len().min(1);
                let begun = match state.begun[..] {
                    [] => Vec::new(),
                    _ => run.beginning(&listed, one),
                };
                (after(&listed, sent, &run, one), begun)
            }
        };
        let state = KeyState {
            sent,
            begun,
            generation: self.stream.generation.max(state.generation),
            stopped: None,
            was_left: false,
            ..state.clone()
        };
        Ok((state, listed.versions.last().cloned()))
    }
}
