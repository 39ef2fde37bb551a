//! What is kept of a key, and what claims, marks and returns do to it. No I/O.

use bridge_core::live::exact::run::Sent;
use bridge_core::live::exact::store::{KeyClaim, KeyReturn, KeyState, OPERATOR, Stopped};
use bridge_core::live::exact::version::Identity;
use bridge_core::live::place::{Claimed, Place};
use bridge_core::live::store::{Claim, LiveStoreError, Return};
use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// A key. `newest` and `exact` keep different things, and share its claim: where the choice has changed, both may meet.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Item {
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Holder>,
    revision: u64,
    /// When it may be forgotten, seconds since 1970.
    pub(super) expires: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<Newest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<Exact>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holder {
    owner: String,
    until: i64,
    is_exact: bool,
    #[serde(default)]
    is_marked: bool,
    /// The process that has it.
    #[serde(default)]
    process: u64,
}

/// What `newest` keeps.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Newest {
    sent: Option<String>,
    intents: Vec<String>,
    removed: Vec<String>,
    removing: Vec<String>,
}

/// What `exact` keeps.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Exact {
    sent: Option<Sent>,
    begun: Vec<Identity>,
    generation: u64,
    attempt: u32,
    ended: Vec<String>,
    stopped: Option<Stopped>,
    skipped: Vec<Identity>,
}

impl Item {
    /// Whether somebody else than `owner` holds it at `now`.
    fn is_held(&self, owner: &str, now: Timestamp) -> bool {
        let other = |held: &Holder| held.owner != owner && held.until >= now.0;
        self.claim.as_ref().is_some_and(other)
    }

    /// Ends a claim that another process than `process` has left. That it was left stays known.
    pub(super) fn end_claim_of_others(&mut self, process: u64) {
        if let Some(held) = &mut self.claim
            && held.process != process
        {
            held.until = i64::MIN;
        }
    }

    /// Claims it for `newest`, in this process.
    pub(super) fn claim(
        &mut self,
        claim: &Claim,
        now: Timestamp,
        process: u64,
    ) -> Result<Claimed, LiveStoreError> {
        if self.is_held(&claim.owner, now) {
            return Err(LiveStoreError::Held);
        }
        let is_own = self
            .claim
            .as_ref()
            .is_some_and(|held| held.owner == claim.owner);
        let newest = self.newest.get_or_insert_default();
        let place = Place {
            sent: newest.sent.clone(),
            intents: newest.intents.clone(),
            removed: newest.removed.clone(),
            removing: newest.removing.clone(),
        };
        newest.intents.extend(claim.intent.newest.clone());
        newest
            .removing
            .extend(claim.intent.removals.iter().cloned());
        self.claim = Some(Holder {
            owner: claim.owner.clone(),
            until: claim.until.0,
            is_exact: false,
            is_marked: false,
            process,
        });
        self.expires = claim.expires.0 / 1000;
        self.revision += 1;
        Ok(Claimed {
            place,
            is_own,
            revision: self.revision,
        })
    }

    /// Ends a claim of `newest`.
    pub(super) fn give_back(&mut self, done: &Return) -> Result<(), LiveStoreError> {
        self.check(&done.owner, done.revision)?;
        let Place {
            sent,
            intents,
            removed,
            removing,
        } = done.place.clone();
        self.newest = Some(Newest {
            sent,
            intents,
            removed,
            removing,
        });
        self.claim = None;
        self.expires = done.expires.0 / 1000;
        Ok(())
    }

    /// Claims it for `exact`, in this process.
    pub(super) fn claim_key(
        &mut self,
        claim: &KeyClaim,
        now: Timestamp,
        process: u64,
    ) -> Result<KeyState, LiveStoreError> {
        let exact = self.exact.clone().unwrap_or_default();
        if self.is_held(&claim.owner, now) || exact.ended.contains(&claim.owner) {
            return Err(LiveStoreError::Held);
        }
        let held = Holder {
            owner: claim.owner.clone(),
            until: claim.until.0,
            is_exact: true,
            is_marked: false,
            process,
        };
        let was_left = self.claim.replace(held).is_some();
        self.expires = claim.expires.0 / 1000;
        self.revision += 1;
        Ok(KeyState {
            sent: exact.sent,
            begun: exact.begun,
            generation: exact.generation,
            attempt: exact.attempt,
            was_left,
            revision: self.revision,
            ended: exact.ended,
            stopped: exact.stopped,
            skipped: exact.skipped,
        })
    }

    /// Marks it, if somebody holds it for `exact` who is neither an operator nor of this request.
    pub(super) fn mark(&mut self, request: &str, now: Timestamp) -> bool {
        let Some(held) = &mut self.claim else {
            return false;
        };
        let may_be_marked = held.is_exact
            && held.until >= now.0
            && !held.owner.starts_with(request)
            && !held.owner.starts_with(OPERATOR);
        held.is_marked |= may_be_marked;
        may_be_marked
    }

    /// Stores what `exact` says of it, and ends its claim or not. Answers whether it was marked.
    pub(super) fn give_back_key(&mut self, done: &KeyReturn) -> Result<bool, LiveStoreError> {
        self.check(&done.owner, done.state.revision)?;
        let state = done.state.clone();
        self.exact = Some(Exact {
            sent: state.sent,
            begun: state.begun,
            generation: state.generation,
            attempt: state.attempt,
            ended: state.ended,
            stopped: state.stopped,
            skipped: state.skipped,
        });
        self.expires = done.expires.0 / 1000;
        let held = self.claim.as_mut();
        let is_marked = held.is_some_and(|held| std::mem::take(&mut held.is_marked));
        if done.ends {
            self.claim = None;
        }
        Ok(is_marked)
    }

    /// Whether this claim stands.
    fn check(&self, owner: &str, revision: u64) -> Result<(), LiveStoreError> {
        let is_owner = self.claim.as_ref().is_some_and(|held| held.owner == owner);
        if is_owner && self.revision == revision {
            Ok(())
        } else {
            Err(LiveStoreError::Held)
        }
    }
}
