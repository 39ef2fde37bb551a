//! A key while it is held: what is sent of it now. No I/O.

use std::collections::HashMap;

use crate::event::Event;
use crate::live::exact::hints::Hints;
use crate::live::exact::read::ReadError;
use crate::live::exact::reported::{Reported, at};
use crate::live::exact::run::{Listed, Run, Sent, behind, from};
use crate::live::exact::store::{KeyClaim, KeyReturn, KeyState};
use crate::live::exact::version::{Identity, NULL, Version};
use crate::live::store::LiveStoreError;
use crate::live::stream::Stream;
use crate::queue::message::{Message, Writer};
use crate::timestamp::Timestamp;

/// Versions of a key that are sent before it is given back and claimed again, so that not too much is sent
/// again if its holder dies.
const MOST_OF_A_RUN: usize = 500;

/// A key that this invocation holds.
#[derive(Debug)]
pub(super) struct Held<'k> {
    /// The key.
    pub(super) name: &'k str,
    pub(super) claim: KeyClaim,
    /// As it was claimed.
    pub(super) state: KeyState,
    pub(super) hints: Hints,
    /// What the bucket lists; `None` if it was not asked.
    pub(super) listed: Option<Result<Listed, ReadError>>,
    pub(super) run: Run,
    /// More is to be sent than this time.
    pub(super) has_more: bool,
    /// With what that begins.
    pub(super) next: Vec<Identity>,
    pub(super) attempt: u32,
    /// It was marked since it was read.
    pub(super) was_marked: bool,
    /// So many of the removals are sent before the versions.
    pub(super) deletions_first: usize,
    /// Removals of what is there again.
    pub(super) outdated: Vec<u64>,
    /// The number of its first message; the others follow.
    pub(super) first_message: u64,
}

impl<'k> Held<'k> {
    pub(super) fn new(name: &'k str, claim: KeyClaim, state: KeyState, hints: Hints) -> Self {
        Self {
            name,
            claim,
            attempt: state.attempt_of_claim(),
            state,
            hints,
            listed: None,
            run: Run::default(),
            has_more: false,
            next: Vec::new(),
            was_marked: false,
            deletions_first: 0,
            outdated: Vec::new(),
            first_message: 0,
        }
    }

    /// What the bucket lists, without what is passed over.
    pub(super) fn take(&mut self, mut listed: Result<Listed, ReadError>) {
        if let Ok(listed) = &mut listed {
            let skipped = &mut self.state.skipped;
            let is_skipped = |version: &Version| skipped.contains(&version.identity());
            // A run that was begun with one of them goes on behind it.
            let begun = &mut self.state.begun;
            let is_begun = |version: &Version| begun.contains(&version.identity());
            let first = listed.versions.iter().position(is_begun);
            let next =
                first.and_then(|place| listed.versions[place..].iter().find(|v| !is_skipped(v)));
            let next = next
                .map(Version::identity)
                .filter(|next| !begun.contains(next));
            begun.extend(next);
            let (out, versions) =
                (listed.versions.drain(..)).partition::<Vec<Version>, _>(is_skipped);
            listed.versions = versions;
            if !listed.is_cut {
                skipped.retain(|one| out.iter().any(|version| version.identity() == *one));
            }
        }
        self.listed = Some(listed);
    }

    /// How far it was sent, in this generation of the stream.
    pub(super) fn sent(&self, generation: u64) -> Option<&Sent> {
        let sent = self.state.sent.as_ref();
        sent.filter(|_| self.state.generation >= generation)
    }

    /// Decides what is sent now.
    pub(super) fn plan(&mut self, boundary: Timestamp, stream: &Stream, notified: &[&Event]) {
        let Some(Ok(listed)) = &self.listed else {
            return;
        };
        let run = match self.sent(stream.generation) {
            Some(sent) => behind(listed, sent, notified, !self.state.begun.is_empty()),
            None => from(listed, boundary, notified),
        };
        // What waits has no notification any more. But what a history held since does not wait.
        let is_older = self.state.generation < stream.generation;
        let held_by_history = stream.covered.filter(|_| is_older);
        let since = held_by_history.unwrap_or(Timestamp(i64::MIN));
        let mut run = run.with_begun(listed, &self.state.begun, since);
        if run.is_again {
            self.attempt = self.state.fresh_attempt(1);
        }
        self.has_more = run.places.len() > MOST_OF_A_RUN;
        self.next = run.beginning(listed, MOST_OF_A_RUN);
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

    /// Adds the key's messages: versions, and what was removed for good behind them. But a `null` version that is
    /// listed came after every removal of one: that is sent before it, or not at all any more.
    pub(super) fn write(
        &mut self,
        changes: &[Reported<'_>],
        writer: &Writer,
        messages: &mut Vec<Message>,
    ) {
        self.first_message = messages.len() as u64;
        self.sort_deletions(changes);
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
        let (first, others) = self.hints.deletions.split_at(self.deletions_first);
        let events = |numbers: &[u64]| -> Vec<Event> {
            let events = numbers.iter().filter_map(|number| at(changes, *number));
            events.cloned().collect()
        };
        let others = if self.has_more { &[] } else { others };
        let versions: Vec<Event> = versions.collect();
        for event in events(first)
            .into_iter()
            .chain(versions)
            .chain(events(others))
        {
            let mut message = writer.message(&event, messages.len() as u64);
            message.attempt = self.attempt;
            messages.push(message);
        }
    }

    /// Removals of a `null` version, if there is one: first, if that is sent now.
    fn sort_deletions(&mut self, changes: &[Reported<'_>]) {
        let Some(Ok(listed)) = &self.listed else {
            return;
        };
        let Some(null) = listed.versions.iter().position(Version::is_null) else {
            return;
        };
        let is_sent_now = self.run.places.contains(&null);
        let is_of_null =
            |number: &u64| at(changes, *number).is_some_and(|event| event.version_id == NULL);
        let deletions = std::mem::take(&mut self.hints.deletions);
        let (of_null, others) = deletions.into_iter().partition::<Vec<u64>, _>(is_of_null);
        if is_sent_now {
            self.deletions_first = of_null.len();
        }
        if is_sent_now || self.has_more {
            self.hints.deletions = of_null.into_iter().chain(others).collect();
        } else {
            self.hints.deletions = others;
            self.outdated = of_null;
        }
    }
}

/// No bucket's name holds a slash.
fn bucket_of(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}
