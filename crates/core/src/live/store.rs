//! Port: the live table, which holds how far each key has been sent and who sends it now.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::failure::{Failure, FailureKind};
use crate::live::place::{Claimed, Intent, Place};
use crate::timestamp::Timestamp;

/// What a claim says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// `bucket/key`: no bucket's name holds a slash.
    pub key: String,
    /// Who claims: different for each invocation, also of the same request.
    pub owner: String,
    /// What the holder is about to send. It is stored with the claim, before anything is sent: whoever
    /// follows a holder that died knows how far it may have got.
    pub intent: Intent,
    /// When the item may be forgotten if nothing more becomes of it.
    pub expires: Timestamp,
    /// Until when nobody else may have the key, unless it is given back. Nothing that the holder sends
    /// may arrive after it.
    pub until: Timestamp,
}

/// What ends a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// As in its [`Claim`].
    pub key: String,
    /// Who holds it.
    pub owner: String,
    /// What the claim was answered with ([`Claimed::revision`]). A return that is late on its way must not
    /// end a claim that came after it, not even one of the same owner, which was late itself.
    pub revision: u64,
    /// How far the key has been sent.
    pub place: Place,
    /// When the place may be forgotten.
    pub expires: Timestamp,
}

/// Why a key could not be claimed, or given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveStoreError {
    /// Another invocation holds it; or (giving it back) has taken it since.
    #[error("another invocation holds the key")]
    Held,
    /// The store's refusal; the write may or may not have gone through.
    #[error("live table: {reason}")]
    Store {
        /// What was tried, and the store's reason.
        reason: String,
        /// Whether another attempt may succeed.
        kind: FailureKind,
    },
}

impl Failure for LiveStoreError {
    fn kind(&self) -> FailureKind {
        match self {
            // Looking again at once is no use.
            Self::Held => FailureKind::Permanent,
            Self::Store { kind, .. } => *kind,
        }
    }
}

/// Port: how far each key has been sent. Every write is one conditional update of the key's item.
#[async_trait]
pub trait LiveStore: Send + Sync {
    /// Claims a key, if nobody holds it or its holder's time is over at `now`, and adds the intent to
    /// those that are there. A claim that is repeated by its own owner goes through. Answers what the
    /// item held before, and its revision, which each claim raises by one.
    ///
    /// # Errors
    /// [`LiveStoreError::Held`]; [`LiveStoreError::Store`], after which the claim may stand.
    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Claimed, LiveStoreError>;

    /// Ends a claim and stores the key's place.
    ///
    /// # Errors
    /// [`LiveStoreError::Held`] when this claim does not stand any more, which a repeated call answers
    /// too; [`LiveStoreError::Store`].
    async fn give_back(&self, done: &Return) -> Result<(), LiveStoreError>;
}

/// The longest that one call of the live table may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// A call that ends by itself or by the clock.
pub(super) async fn in_time<T>(
    call: impl Future<Output = Result<T, LiveStoreError>>,
) -> Result<T, LiveStoreError> {
    timeout(STORE_TIMEOUT, call).await.unwrap_or_else(|_| {
        Err(LiveStoreError::Store {
            reason: format!("no answer within {} s", STORE_TIMEOUT.as_secs()),
            kind: FailureKind::Transient,
        })
    })
}
