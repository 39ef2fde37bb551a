//! What came of a key's run: what is stored of it, and what its changes are told. No I/O.

use std::time::Duration;

use crate::failure::FailureKind;
use crate::forward::{Delivered, Undelivered};
use crate::live::exact::held::Held;
use crate::live::exact::hints::Hints;
use crate::live::exact::reported::{Reported, at};
use crate::live::exact::run::after;
use crate::live::exact::store::{KeyReturn, KeyState, Stopped};
use crate::live::store::LiveStoreError;
use crate::queue::error::SendError;
use crate::timestamp::Timestamp;

/// How much longer the item of a stopped key is kept: what an operator has to look at is not forgotten.
pub(super) const STOPPED_RETENTION: Duration = Duration::from_hours(20 * 16 * 24);

/// Code of the reason why a deletion was not sent whose key is stopped.
const KEY_STOPPED: &str = "KeyStopped";

/// What came of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Versions of the run that were confirmed.
    versions: usize,
    /// Deletions that were confirmed.
    deletions: usize,
    /// The first that was not, and why.
    refusal: Option<SendError>,
    /// Something may still arrive.
    is_unknown: bool,
    /// What the key's state is now.
    state: KeyState,
}

impl Held<'_> {
    /// What came of the run, given all messages that did not get through.
    pub(super) fn outcome(&self, leftover: &[Undelivered], generation: u64) -> Outcome {
        let versions = self.run.places.len();
        let is_read = matches!(self.listed, Some(Ok(_)));
        let first_deletions = self.deletions_first;
        let deletions = if is_read && !self.has_more {
            self.hints.deletions.len()
        } else {
            first_deletions
        };
        let messages = self.first_message..self.first_message + (versions + deletions) as u64;
        let mine: Vec<&Undelivered> = leftover
            .iter()
            .filter(|left| messages.contains(&left.number))
            .collect();
        // Nothing of a group gets through behind one that did not.
        let first = mine.iter().min_by_key(|left| left.number);
        let confirmed = first.map_or(versions + deletions, |left| {
            usize::try_from(left.number - self.first_message).unwrap_or(0)
        });
        let refusal = first.map(|left| left.refusal.clone());
        let confirmed_versions = confirmed.saturating_sub(first_deletions).min(versions);
        let stopped = match (&self.state.stopped, &self.listed, &refusal) {
            (None, Some(Ok(listed)), Some(refusal))
                if refusal.is_of_the_message()
                    && (first_deletions..first_deletions + versions).contains(&confirmed) =>
            {
                let place = self.run.places[confirmed_versions];
                Some(Stopped {
                    reason: refusal.to_string(),
                    version: listed.versions[place].identity(),
                })
            }
            (stopped, ..) => stopped.clone(),
        };
        let is_rewound = self.run.is_again || !self.state.begun.is_empty();
        let begun = match &self.listed {
            // A key that is stopped goes on there, whenever that is.
            Some(Ok(_)) if !is_rewound && stopped.is_none() => Vec::new(),
            Some(Ok(_)) if confirmed_versions == versions => self.next.clone(),
            Some(Ok(listed)) => self.run.beginning(listed, confirmed_versions),
            _ => self.state.begun.clone(),
        };
        let (sent, generation) = match &self.listed {
            Some(Ok(listed)) => {
                let before = self.sent(generation).cloned();
                let sent = after(listed, before, &self.run, confirmed_versions);
                (sent, generation.max(self.state.generation))
            }
            _ => (self.state.sent.clone(), self.state.generation),
        };
        let ended = self.state.ended_with(self.hints.unclear.iter().cloned());
        Outcome {
            versions: confirmed_versions,
            deletions: confirmed - confirmed_versions,
            refusal,
            is_unknown: mine.iter().any(|left| left.may_have_arrived),
            state: KeyState {
                sent,
                begun,
                generation,
                attempt: self.attempt,
                was_left: false,
                revision: self.state.revision,
                ended,
                stopped,
                skipped: self.state.skipped.clone(),
            },
        }
    }

    /// What is stored of it.
    pub(super) fn return_of(&self, outcome: &Outcome, expires: Timestamp) -> KeyReturn {
        KeyReturn {
            key: self.claim.key.clone(),
            owner: self.claim.owner.clone(),
            state: outcome.state.clone(),
            ends: !outcome.is_unknown,
            expires: match outcome.state.stopped {
                Some(_) => expires + STOPPED_RETENTION,
                None => expires,
            },
        }
    }

    /// Tells what came of the key's changes; `answer` is whether it was marked before it was given back.
    /// Answers what is left to do of it in this invocation.
    pub(super) fn settle(
        &self,
        changes: &[Reported<'_>],
        outcome: Outcome,
        answer: &Result<bool, LiveStoreError>,
        delivered: &mut Delivered,
    ) -> Option<Hints> {
        let mut hints = self.hints.clone();
        hints.unclear.clear();
        let versions = match &self.listed {
            Some(Ok(listed)) => &listed.versions[..],
            _ => &[],
        };
        for place in &self.run.places[..outcome.versions] {
            let reports = |number: &&u64| {
                at(changes, **number).is_some_and(|event| versions[*place].is_reported_by(event))
            };
            let told: Vec<u64> = hints.arrivals.iter().filter(reports).copied().collect();
            delivered.healed += u64::from(told.is_empty());
            hints.told.extend(told);
        }
        delivered.sent += (outcome.versions + outcome.deletions) as u64;
        let removed = hints.deletions.drain(..outcome.deletions);
        hints.removed.extend(removed);
        delivered.late.extend(&self.outdated);
        if let Some(stopped) = &outcome.state.stopped {
            return match answer {
                Ok(_) => {
                    self.settle_stopped(hints, &stopped.reason, delivered);
                    None
                }
                // Nobody knows that it is stopped.
                Err(LiveStoreError::Held) => Some(hints),
                Err(error) => {
                    delivered.leave(hints.numbers(), error);
                    None
                }
            };
        }
        if let Some(Err(error)) = &self.listed {
            // Whatever the reason, a permission that is missing too: the change is as good as before once it is
            // mended, so its source keeps it.
            let refusal = SendError {
                kind: FailureKind::Transient,
                code: "Listing".to_owned(),
                message: error.to_string(),
            };
            delivered.leave_all(hints.numbers(), &refusal);
            return None;
        }
        if let Some(refusal) = &outcome.refusal {
            if refusal.is_of_the_message() {
                // A removal: its key goes on without it.
                delivered.leave_all(hints.deletions.drain(..1), refusal);
                return Some(hints);
            }
            delivered.leave_all(hints.numbers(), refusal);
            return None;
        }
        match answer {
            Ok(false) if !self.has_more && !self.was_marked => {
                let told = hints.told;
                let late = hints.arrivals.into_iter().filter(|n| !told.contains(n));
                delivered.late.extend(late);
                None
            }
            // Somebody relies on this holder, or may.
            Ok(_) | Err(LiveStoreError::Held) => Some(hints),
            Err(error) => {
                delivered.leave(hints.numbers(), error);
                None
            }
        }
    }

    /// What the key's going on does not see by itself, its source keeps until then.
    fn settle_stopped(&self, hints: Hints, reason: &str, delivered: &mut Delivered) {
        (delivered.stopped).push((self.claim.key.clone(), reason.to_owned()));
        let told = hints.told;
        let dated_back = hints.dated_back.into_iter().filter(|n| !told.contains(n));
        delivered.leave_all(
            hints.deletions.into_iter().chain(dated_back),
            &key_stopped(reason),
        );
    }
}

fn key_stopped(reason: &str) -> SendError {
    SendError {
        kind: FailureKind::Transient,
        code: KEY_STOPPED.to_owned(),
        message: format!("the queue refused a version of this key for good: {reason}"),
    }
}
