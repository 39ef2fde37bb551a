//! A key while it is held: what is sent of it, and what came of that. No I/O.

use std::collections::HashMap;

use crate::event::Event;
use crate::failure::FailureKind;
use crate::forward::{Delivered, Undelivered};
use crate::live::exact::read::ReadError;
use crate::live::exact::reported::{Reported, at};
use crate::live::exact::run::{Listed, Run, Sent, after, behind, from};
use crate::live::exact::store::{KeyClaim, KeyReturn, KeyState};
use crate::live::newest::RETENTION;
use crate::live::store::LiveStoreError;
use crate::queue::error::SendError;
use crate::queue::message::{Message, Writer};
use crate::timestamp::Timestamp;

/// Versions of a key that are sent before it is given back and claimed again, so that not too much is sent
/// again if its holder dies.
const MOST_OF_A_RUN: usize = 500;

/// Owners of claims that may still arrive are remembered, so many of them.
const MOST_ENDED: usize = 20;

/// Code of the reason why a deletion was not sent whose key is stopped.
const KEY_STOPPED: &str = "KeyStopped";

/// What notifications reported of a key, by numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// That a version or a marker came.
    pub(super) arrivals: Vec<u64>,
    /// That one was removed for good: no listing shows it.
    pub(super) deletions: Vec<u64>,
    /// Removals that this invocation has sent. Their source must bring them again nevertheless if this holder
    /// cannot do what others rely on.
    removed: Vec<u64>,
    /// A version dated back is among them, which nobody looks for who does not know of it.
    pub(super) is_dated_back: bool,
    /// One that its source has handed over before is among them.
    pub(super) is_repeated: bool,
    /// Owners of claims that were not answered, and may take effect later.
    pub(super) unclear: Vec<String>,
    /// Hints whose version has been sent by this invocation.
    told: Vec<u64>,
}

impl Hints {
    /// All numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> + use<'_> {
        let removals = self.deletions.iter().chain(&self.removed);
        self.arrivals.iter().chain(removals).copied()
    }

    /// Whether another holder does all that is to be done: it looks for what is new, and will come again itself
    /// if it dies.
    pub(super) fn may_be_handed_over(&self) -> bool {
        let is_clear = self.unclear.is_empty();
        is_clear && self.deletions.is_empty() && !self.is_dated_back && !self.is_repeated
    }
}

/// A key that this invocation holds.
#[derive(Debug)]
pub(super) struct Held<'k> {
    /// The key.
    pub(super) name: &'k str,
    claim: KeyClaim,
    /// As it was claimed.
    pub(super) state: KeyState,
    pub(super) hints: Hints,
    /// What the bucket lists; `None` if it was not asked.
    pub(super) listed: Option<Result<Listed, ReadError>>,
    run: Run,
    /// More is to be sent than this time.
    has_more: bool,
    attempt: u32,
    /// It was marked since it was read.
    was_marked: bool,
    /// The number of its first message; the others follow.
    first_message: u64,
}

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

impl<'k> Held<'k> {
    pub(super) fn new(name: &'k str, claim: KeyClaim, state: KeyState, hints: Hints) -> Self {
        // A number that no claim of this key had before.
        let attempt = if state.was_left {
            attempt_of(state.revision, 0)
        } else {
            state.attempt
        };
        Self {
            name,
            claim,
            state,
            hints,
            listed: None,
            run: Run::default(),
            has_more: false,
            attempt,
            was_marked: false,
            first_message: 0,
        }
    }

    /// How far it was sent, in this generation of the stream.
    pub(super) fn sent(&self, generation: u64) -> Option<&Sent> {
        let sent = self.state.sent.as_ref();
        sent.filter(|_| self.state.generation >= generation)
    }

    /// Decides what is sent now.
    pub(super) fn plan(&mut self, boundary: Timestamp, generation: u64, notified: &[&Event]) {
        let Some(Ok(listed)) = &self.listed else {
            return;
        };
        let mut run = match self.sent(generation) {
            Some(sent) => behind(listed, sent, notified, !self.state.begun.is_empty()),
            None => from(listed, boundary, notified),
        };
        if self.state.generation >= generation {
            run = run.with_begun(listed, &self.state.begun);
        }
        if run.is_again {
            self.attempt = attempt_of(self.state.revision, 1);
        }
        self.has_more = run.places.len() > MOST_OF_A_RUN;
        run.places.truncate(MOST_OF_A_RUN);
        self.run = run;
    }

    /// What is stored before the run is sent, if anything.
    pub(super) fn note(&self, generation: u64, expires: Timestamp) -> Option<KeyReturn> {
        let Some(Ok(listed)) = &self.listed else {
            return None;
        };
        let state = KeyState {
            sent: self.sent(generation).cloned(),
            begun: self.run.beginning(listed, 0),
            generation: generation.max(self.state.generation),
            attempt: self.attempt,
            ..self.state.clone()
        };
        let note = KeyReturn {
            key: self.claim.key.clone(),
            owner: self.claim.owner.clone(),
            state,
            ends: false,
            expires,
        };
        Some(note).filter(|_| self.run.is_to_be_noted)
    }

    /// What came of that: a run that is not noted is not sent.
    pub(super) fn noted(&mut self, answer: Result<bool, LiveStoreError>) {
        match answer {
            Ok(is_marked) => {
                self.was_marked |= is_marked;
                if let Some(Ok(listed)) = &self.listed {
                    self.state.begun = self.run.beginning(listed, 0);
                }
            }
            Err(error) => {
                self.listed = Some(Err(error.into()));
                self.run = Run::default();
                self.has_more = false;
            }
        }
    }

    /// Adds the key's messages: versions, and what was removed for good behind them.
    pub(super) fn write(
        &mut self,
        changes: &[Reported<'_>],
        writer: &Writer,
        messages: &mut Vec<Message>,
    ) {
        self.first_message = messages.len() as u64;
        let Some(Ok(listed)) = &self.listed else {
            return;
        };
        let hints = self.hints.arrivals.iter();
        let reported: HashMap<&str, Vec<&Event>> =
            hints
                .filter_map(|n| at(changes, *n))
                .fold(HashMap::new(), |mut reported, event| {
                    let of_id = reported.entry(event.version_id.as_str()).or_default();
                    of_id.push(event);
                    reported
                });
        let versions = self.run.places.iter().map(|place| {
            let version = &listed.versions[*place];
            let events = reported.get(version.id.as_str()).into_iter().flatten();
            let mut events = events.filter(|event| version.is_reported_by(event));
            match events.next() {
                Some(event) => (*event).clone(),
                None => version.event(bucket_of(&self.claim.key), self.name),
            }
        });
        let deletions = self.hints.deletions.iter();
        let deletions = deletions.filter_map(|number| at(changes, *number)).cloned();
        let deletions = deletions.filter(|_| !self.has_more);
        for event in versions.chain(deletions) {
            let mut message = writer.message(&event, messages.len() as u64);
            message.attempt = self.attempt;
            messages.push(message);
        }
    }

    /// What came of the run, given all messages that did not get through.
    pub(super) fn outcome(&self, leftover: &[Undelivered], generation: u64) -> Outcome {
        let versions = self.run.places.len();
        let is_read = matches!(self.listed, Some(Ok(_)));
        let deletions = if is_read && !self.has_more {
            self.hints.deletions.len()
        } else {
            0
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
        let stopped = match (&self.state.stopped, &refusal) {
            (None, Some(refusal)) if refusal.is_of_the_message() => Some(refusal.to_string()),
            (stopped, _) => stopped.clone(),
        };
        let confirmed_versions = confirmed.min(versions);
        let is_rewound = self.run.is_again || !self.state.begun.is_empty();
        let begun = match &self.listed {
            Some(Ok(_)) if !is_rewound => Vec::new(),
            Some(Ok(listed)) => self.run.beginning(listed, confirmed_versions),
            _ => self.state.begun.clone(),
        };
        let before = self.sent(generation).cloned();
        let sent = match &self.listed {
            Some(Ok(listed)) => after(listed, before, &self.run, confirmed_versions),
            _ => before,
        };
        let mut ended = self.state.ended.clone();
        ended.extend(self.hints.unclear.iter().cloned());
        let too_many = ended.len().saturating_sub(MOST_ENDED);
        ended.drain(..too_many);
        Outcome {
            versions: confirmed_versions,
            deletions: confirmed - confirmed_versions,
            refusal,
            is_unknown: mine.iter().any(|left| left.may_have_arrived),
            state: KeyState {
                sent,
                begun,
                generation: generation.max(self.state.generation),
                attempt: self.attempt,
                was_left: false,
                revision: self.state.revision,
                ended,
                stopped,
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
            // What an operator has to look at is not forgotten.
            expires: match outcome.state.stopped {
                Some(_) => expires + 20 * RETENTION,
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
        if let Some(reason) = &outcome.state.stopped {
            (delivered.stopped).push((self.claim.key.clone(), reason.clone()));
            delivered.leave_all(hints.deletions.iter().copied(), &key_stopped(reason));
            return None;
        }
        if let Some(Err(error)) = &self.listed {
            let refusal = SendError {
                kind: FailureKind::Transient,
                code: "Listing".to_owned(),
                message: error.to_string(),
            };
            delivered.leave_all(hints.numbers(), &refusal);
            return None;
        }
        if let Some(refusal) = &outcome.refusal {
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
}

fn key_stopped(reason: &str) -> SendError {
    SendError {
        kind: FailureKind::Transient,
        code: KEY_STOPPED.to_owned(),
        message: format!("the queue refused a version of this key for good: {reason}"),
    }
}

/// Of a claim, the number of a fresh attempt. Attempts of half a minute's claims must differ, no more: SQS
/// forgets deduplication ids after five minutes.
fn attempt_of(revision: u64, raised: u32) -> u32 {
    let low = u32::try_from(revision % (1 << 30)).unwrap_or(0);
    (low << 1) + raised
}

/// No bucket's name holds a slash.
fn bucket_of(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}
