//! What must have come of a job that live changes follow.

use std::collections::{BTreeMap, BTreeSet};

use bridge_core::event::{Event, Source};
use bridge_core::listing::version::ObjectVersion;
use bridge_core::live::hold::MOST_AHEAD;
use bridge_core::live::stream::{LiveOrder, Stream};
use bridge_core::timestamp::Timestamp;
use bridge_history::job::phase::Phase;
use bridge_history::job::state::Job;

use crate::bucket::Bucket;
use crate::queue::SimQueue;

/// What came of it.
pub(super) struct Found<'a> {
    pub(super) job: &'a Job,
    pub(super) queue: &'a SimQueue,
    pub(super) bucket: &'a Bucket,
    pub(super) stream: Stream,
    /// As what live was sent.
    pub(super) order: LiveOrder,
    /// Calls failed, or invocations were killed.
    pub(super) has_faults: bool,
}

/// Of each version its place in its key's history.
type Places = BTreeMap<(String, String), usize>;

impl Found<'_> {
    /// The stream must be free, the queue must hold the history and then what happened, no key's older change
    /// behind a newer one but for the repeats around `until`. How many messages there were.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(&self) -> Result<usize, String> {
        let arrived = self.queue.arrived();
        // With `exact`, what was before it began goes as it comes, whoever holds its key.
        let meets = |violation: &&String| {
            self.order == LiveOrder::Exact && violation.starts_with("two requests")
        };
        let mut violations = arrived.violations.iter();
        if let Some(violation) = violations.find(|violation| !meets(violation)) {
            return Err(violation.clone());
        }
        if let Some(hold) = &self.stream.hold {
            return Err(format!("the stream is held: {hold:?}"));
        }
        let events: Result<Vec<Event>, _> = arrived
            .messages
            .iter()
            .map(|(_, message)| serde_json::from_str(&message.body))
            .collect();
        let events = events.map_err(|error| error.to_string())?;
        let places = self.places();
        if self.job.phase == Phase::Done {
            self.check_done(&events, &places)?;
        } else {
            self.check_cancelled(&events, &places)?;
        }
        Ok(events.len())
    }

    fn places(&self) -> Places {
        let mut places = Places::new();
        let mut of_key: BTreeMap<String, usize> = BTreeMap::new();
        for (_, version) in self.bucket.history() {
            let place = of_key.entry(version.key.clone()).or_default();
            places.insert((version.key, version.version_id), *place);
            *place += 1;
        }
        places
    }

    fn check_done(&self, events: &[Event], places: &Places) -> Result<(), String> {
        let until = self.job.options.filter.until.ok_or("there is no until")?;
        let Stream {
            boundary,
            covered,
            generation,
            ..
        } = self.stream;
        // Exact began a generation of its own, where something live came before the hold.
        let generations = match self.order {
            LiveOrder::Exact => 1..=2,
            _ => 1..=1,
        };
        if (boundary, covered) != (Some(until), Some(until)) || !generations.contains(&generation) {
            return Err(format!("until is {until}, the stream {:?}", self.stream));
        }
        let is_replayed = |event: &&Event| event.source == Source::Reseed;
        let replayed: BTreeSet<u64> = events
            .iter()
            .filter(is_replayed)
            .filter_map(|event| event.sequence)
            .collect();
        let all: BTreeSet<u64> = (1..=self.job.checkpoint.sequence).collect();
        if replayed != all {
            return Err(format!("{} of {} replayed", replayed.len(), all.len()));
        }
        let first = events.iter().position(|event| is_replayed(&event));
        let last = events.iter().rposition(|event| is_replayed(&event));
        let first = first.unwrap_or(0);
        if let Some(last) = last
            && let Some(between) = events[first..last].iter().find(|event| !is_replayed(event))
        {
            return Err(format!("live amid the history: {between:?}"));
        }
        self.check_order(&events[first..], places, until)?;
        self.check_whole(&events[first..], until)
    }

    /// Nothing is missing; with `newest`, what is older than a change of its key that came may be, after the
    /// history.
    fn check_whole(&self, events: &[Event], until: Timestamp) -> Result<(), String> {
        let told: BTreeSet<_> = events.iter().map(identity).collect();
        let history = self.bucket.history();
        let may_be_left_out = |version: &ObjectVersion| {
            let newest = self.bucket.newest(&version.key);
            let is_last = newest.is_some_and(|last| last.version_id == version.version_id);
            self.order == LiveOrder::Newest && version.last_modified >= until && !is_last
        };
        let missing = history.iter().map(|(_, version)| version).find(|version| {
            let version_of_key = (version.key.clone(), version.version_id.clone());
            !told.contains(&version_of_key) && !may_be_left_out(version)
        });
        match missing {
            Some(missing) => Err(format!("missing, until {until}: {missing:?}")),
            None => Ok(()),
        }
    }

    /// No key goes back. A replay that was interrupted for longer than SQS remembers may repeat itself, which
    /// sequences tell; live may repeat what was written in the last seconds of the history, and with
    /// `notified` anything that came swapped.
    fn check_order(
        &self,
        events: &[Event],
        places: &Places,
        until: Timestamp,
    ) -> Result<(), String> {
        let mut at: BTreeMap<&str, usize> = BTreeMap::new();
        let mut sequences: BTreeMap<&str, u64> = BTreeMap::new();
        for event in events {
            let place = *places
                .get(&identity(event))
                .ok_or_else(|| format!("no such version: {event:?}"))?;
            if let Some(sequence) = event.sequence {
                let seen = sequences.entry(&event.key).or_default();
                if sequence <= *seen {
                    continue;
                }
                *seen = sequence;
            } else if event.event_time + MOST_AHEAD < until {
                return Err(format!("the history had it: {event:?}, until {until}"));
            }
            let seen = at.entry(&event.key).or_insert(place);
            let may_go_back = event.sequence.is_none()
                && match self.order {
                    LiveOrder::Notified => true,
                    LiveOrder::Newest => event.event_time < until,
                    // A run goes again whole and in order.
                    LiveOrder::Exact => self.has_faults,
                };
            if place < *seen && !may_go_back {
                return Err(format!("{} goes back from {seen} to {place}", event.key));
            }
            *seen = place.max(*seen);
        }
        Ok(())
    }

    /// Live goes on as if nothing had been: no key goes back, and each ends with its last change.
    fn check_cancelled(&self, events: &[Event], places: &Places) -> Result<(), String> {
        let is_exact = self.order == LiveOrder::Exact;
        let has_begun = is_exact && self.stream.generation == 1;
        if (self.stream.boundary, self.stream.generation) != (None, 0) && !has_begun {
            return Err(format!("cancelled, but the stream is {:?}", self.stream));
        }
        let mut at: BTreeMap<&str, usize> = BTreeMap::new();
        for event in events.iter().filter(|e| e.source == Source::Realtime) {
            let place = places[&identity(event)];
            let before = at.entry(&event.key).or_insert(place);
            let before = std::mem::replace(before, place.max(*before));
            if before > place && self.order == LiveOrder::Newest {
                return Err(format!("{} goes back to {place}", event.key));
            }
        }
        for (key, place) in at {
            let last = places.keys().filter(|(of, _)| of == key).count() - 1;
            if place != last {
                return Err(format!("{key} ends with {place} instead of {last}"));
            }
        }
        Ok(())
    }
}

fn identity(event: &Event) -> (String, String) {
    (event.key.clone(), event.version_id.clone())
}
