//! A key that is stopped, since the queue has refused a version of it for good, goes on when an operator says so.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::forward::Delivered;
use crate::live::exact::Exact;
use crate::live::exact::hints::Hints;
use crate::live::exact::outcome::STOPPED_RETENTION;
use crate::live::exact::read::{ReadError, Wanted, read};
use crate::live::exact::reported::Reported;
use crate::live::exact::store::{KeyClaim, KeyReturn, KeyState, OPERATOR};
use crate::live::newest::{GRACE, MOST_PAUSE, MOST_RETRY, RETENTION};
use crate::live::store::{LiveStoreError, in_time};
use crate::timestamp::Timestamp;

/// What becomes of the version that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is sent again: the queue takes it now.
    Retry,
    /// It is passed over, for good.
    Skip,
}

/// Why a key does not go on.
#[derive(Debug, thiserror::Error)]
pub enum GoOnError {
    /// It is not stopped.
    #[error("the key is not stopped")]
    NotStopped,
    /// So many versions have been passed over that no more can be remembered.
    #[error(
        "{MOST_SKIPPED} versions of the key are passed over, more cannot be: remove the refused version"
    )]
    TooMany,
    /// Its item, or the bucket, is not available.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<LiveStoreError> for GoOnError {
    fn from(error: LiveStoreError) -> Self {
        Self::Read(error.into())
    }
}

/// So many versions of a key can be passed over.
const MOST_SKIPPED: usize = 100;

impl Exact<'_> {
    /// Lets a stopped key go on, and sends what has waited. While some of that is left over, the key is still
    /// named as stopped, and this may be asked for again.
    ///
    /// # Errors
    /// [`GoOnError`], after which this may be asked for again.
    pub async fn go_on(
        &self,
        (bucket, key): (&str, &str),
        refused: Refused,
        budget: Duration,
        random: &mut fastrand::Rng,
    ) -> Result<Delivered, GoOnError> {
        let end = Instant::now() + budget;
        let name = format!("{bucket}/{key}");
        let is_named = in_time(self.store.stopped()).await?.contains(&name);
        let was_stopped = self.remove_stop(&name, refused, end, random).await?;
        if !was_stopped && !is_named {
            return Err(GoOnError::NotStopped);
        }
        let newest = Wanted {
            sent: None,
            since: Timestamp(i64::MAX),
            ids: &[],
            begun: None,
            dialect: self.dialect,
        };
        let listed = read(self.bucket, key, newest, &AtomicU64::new(0)).await?;
        let newest = listed.versions.last();
        let newest = newest.map(|version| version.event(bucket, key));
        let changes = newest.iter().map(|event| Reported {
            event,
            is_repeated: true,
        });
        let changes: Vec<_> = changes.collect();
        let left = end.saturating_duration_since(Instant::now());
        // Whenever it came, it is nothing that goes beside the others.
        let waiting = changes.iter().map(|change| {
            let hints = Hints {
                arrivals: vec![0],
                dated_back: change.is_dated_back().then_some(0).into_iter().collect(),
                is_repeated: true,
                ..Hints::default()
            };
            (key, hints)
        });
        let (waiting, time) = (waiting.collect(), (left, end));
        let delivered = self
            .deliver_keys(&changes, waiting, time, random, Delivered::default())
            .await;
        if delivered.leftover.is_empty() && delivered.stopped.is_empty() {
            let call = || in_time(self.store.remove_stopped(&name));
            self.retry(MOST_RETRY).run(random, call).await?;
        }
        Ok(delivered)
    }

    /// Takes from a key's item that it is stopped; whether it was.
    async fn remove_stop(
        &self,
        name: &str,
        refused: Refused,
        end: Instant,
        random: &mut fastrand::Rng,
    ) -> Result<bool, GoOnError> {
        let left = end.saturating_duration_since(Instant::now());
        let claim = KeyClaim {
            key: name.to_owned(),
            owner: format!("{OPERATOR}{}#{:08x}", self.request, self.owner),
            until: self.clock.now() + left + GRACE,
            expires: self.clock.now() + RETENTION,
        };
        let mut is_unclear = false;
        let state = loop {
            match in_time(self.store.claim(&claim, self.clock.now())).await {
                Ok(state) => break state,
                Err(error) if Instant::now() + MOST_PAUSE * 2 > end => return Err(error.into()),
                Err(error) => is_unclear |= error != LiveStoreError::Held,
            }
            sleep(MOST_PAUSE).await;
        };
        let (state, went_on) = going_on(state, refused);
        let done = KeyReturn {
            key: claim.key,
            state: KeyState {
                ended: state.ended_with(is_unclear.then(|| claim.owner.clone())),
                ..state
            },
            owner: claim.owner,
            ends: true,
            expires: match went_on {
                Ok(_) => claim.expires,
                Err(_) => claim.expires + STOPPED_RETENTION,
            },
        };
        let is_unclear = AtomicBool::new(false);
        let call = || async {
            match in_time(self.store.give_back(&done)).await {
                // So it was given back before, and that answer was lost.
                Err(LiveStoreError::Held) if is_unclear.load(Ordering::Relaxed) => Ok(false),
                answer => {
                    is_unclear.store(answer.is_err(), Ordering::Relaxed);
                    answer
                }
            }
        };
        self.retry(MOST_RETRY).run(random, call).await?;
        went_on
    }
}

/// The state of a key from now on, and whether it was stopped. What the holder before has sent may be in the queue:
/// that is not forgotten.
fn going_on(state: KeyState, refused: Refused) -> (KeyState, Result<bool, GoOnError>) {
    let mut next = KeyState {
        attempt: state.attempt_of_claim(),
        was_left: false,
        ..state
    };
    let Some(stopped) = &next.stopped else {
        return (next, Ok(false));
    };
    if refused == Refused::Skip && !next.skipped.contains(&stopped.version) {
        if next.skipped.len() == MOST_SKIPPED {
            return (next, Err(GoOnError::TooMany));
        }
        next.skipped.push(stopped.version.clone());
    }
    next.stopped = None;
    (next, Ok(true))
}
