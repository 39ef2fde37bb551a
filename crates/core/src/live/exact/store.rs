//! Port: the live table as `exact` uses it. One item a key, each write one conditional update.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::live::exact::run::Sent;
use crate::live::exact::version::Identity;
use crate::live::store::LiveStoreError;
use crate::timestamp::Timestamp;

/// An operator's claims have owners that begin so. Nothing is handed over to one of them: nobody would bring it
/// again if it died.
pub const OPERATOR: &str = "operator#";

/// What a claim says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyClaim {
    /// `bucket/key`: no bucket's name holds a slash.
    pub key: String,
    /// Who claims: different for each claim, the same when one is repeated.
    pub owner: String,
    /// Until when nobody else may have the key, unless it is given back. Nothing that the holder sends
    /// may arrive after it.
    pub until: Timestamp,
    /// When the item may be forgotten if nothing more becomes of it.
    pub expires: Timestamp,
}

/// What a claim found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyState {
    /// How far the key was sent; `None` if nothing is known.
    pub sent: Option<Sent>,
    /// The first versions of a run that was begun, and may not have been ended; none if there is no such run.
    pub begun: Vec<Identity>,
    /// The stream's generation when it was sent ([`crate::live::stream::Stream::generation`]).
    pub generation: u64,
    /// Part of the deduplication ids ([`crate::queue::message::Message::attempt`]).
    pub attempt: u32,
    /// The holder before did not give the key back: what it sent, or part of it, may be in the queue. So may be
    /// that of an earlier attempt to make this claim.
    pub was_left: bool,
    /// The item's revision with this claim: one higher than before.
    pub revision: u64,
    /// Owners whose claim must not take effect any more.
    pub ended: Vec<String>,
    /// Why nothing of the key is sent until an operator lets it go on.
    pub stopped: Option<Stopped>,
    /// Versions that an operator has passed over: they are never sent.
    pub skipped: Vec<Identity>,
}

/// The queue has refused a version for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The queue's reason.
    pub reason: String,
    /// Which version.
    pub version: Identity,
}

/// So many owners of claims that may still arrive are remembered.
const MOST_ENDED: usize = 20;

impl KeyState {
    /// The number of a claim's attempt: one that no claim of this key had before, if what was sent under the last
    /// one may be in the queue.
    #[must_use]
    pub fn attempt_of_claim(&self) -> u32 {
        if self.was_left {
            self.fresh_attempt(0)
        } else {
            self.attempt
        }
    }

    /// The number of an attempt of this claim alone, `raised` or not. Attempts of half a minute's claims must differ,
    /// no more: SQS forgets deduplication ids after five minutes.
    #[must_use]
    pub fn fresh_attempt(&self, raised: u32) -> u32 {
        let low = u32::try_from(self.revision % (1 << 30)).unwrap_or(0);
        (low << 1) + raised
    }

    /// The owners that have ended, and these.
    #[must_use]
    pub fn ended_with(&self, owners: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut ended = self.ended.clone();
        ended.extend(owners);
        let too_many = ended.len().saturating_sub(MOST_ENDED);
        ended.drain(..too_many);
        ended
    }
}

/// What ends a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReturn {
    /// As in its [`KeyClaim`].
    pub key: String,
    /// Who holds it.
    pub owner: String,
    /// The state from now on, with the revision that the claim was answered with.
    pub state: KeyState,
    /// Whether the claim ends now. Otherwise it ends by itself: something that was sent under it may still
    /// arrive.
    pub ends: bool,
    /// When the item may be forgotten.
    pub expires: Timestamp,
}

/// Port: how far each key has been sent, and who sends it now.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Claims a key, if nobody holds it or its holder's time is over at `now`, and removes its mark. A claim
    /// that is repeated by its own owner goes through, unless that owner is among those that ended.
    ///
    /// # Errors
    /// [`LiveStoreError::Held`]; [`LiveStoreError::Store`], after which the claim may stand.
    async fn claim(&self, claim: &KeyClaim, now: Timestamp) -> Result<KeyState, LiveStoreError>;

    /// Marks a key that somebody holds: the holder lists it again. Answers whether somebody does, whose name
    /// does not begin with `request`: such a one is an earlier attempt of the same request, and dead; nor with
    /// [`OPERATOR`].
    ///
    /// # Errors
    /// [`LiveStoreError::Store`], after which it may be marked.
    async fn mark(&self, key: &str, request: &str, now: Timestamp) -> Result<bool, LiveStoreError>;

    /// Stores a key's state, and ends the claim. Answers whether the key was marked meanwhile; the mark is
    /// removed.
    ///
    /// # Errors
    /// [`LiveStoreError::Held`] when this claim does not stand any more, which a repeated call answers
    /// too; [`LiveStoreError::Store`].
    async fn give_back(&self, done: &KeyReturn) -> Result<bool, LiveStoreError>;

    /// Notes that a key is stopped; nothing changes where that is known.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    async fn add_stopped(&self, key: &str) -> Result<(), LiveStoreError>;

    /// Notes that a key goes on.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    async fn remove_stopped(&self, key: &str) -> Result<(), LiveStoreError>;

    /// All keys that are stopped, as `bucket/key`.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    async fn stopped(&self) -> Result<Vec<String>, LiveStoreError>;
}
