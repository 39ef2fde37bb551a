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
use crate::follow::growing::{Came, DAY};
use crate::queue::SimQueue;

/// What came of it.
pub(super) struct Found<'a> {
    pub(super) job: &'a Job,
    pub(super) queue: &'a SimQueue,
    pub(super) bucket: &'a Bucket,
    pub(super) came: &'a Came,
    pub(super) stream: Stream,
    /// As what live was sent, at the end and at first.
    pub(super) order: LiveOrder,
    pub(super) first_order: LiveOrder,
    /// Where the history was asked to begin.
    pub(super) from: Option<Timestamp>,
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
        // Exact begins a generation of its own, where something live came before the hold or after it.
        let generations = match self.order {
            LiveOrder::Exact => 1..=3,
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
        self.check_end(&events[first..], places)?;
        self.check_whole(events, first, until)
    }

    /// With `exact`, what is sent of a key ends with its newest version, whatever came dated back.
    fn check_end(&self, events: &[Event], places: &Places) -> Result<(), String> {
        let last: BTreeMap<&str, &Event> = events.iter().map(|e| (e.key.as_str(), e)).collect();
        let is_live = |event: &&&Event| event.source == Source::Realtime;
        for event in last.values().filter(is_live) {
            let newest = self.bucket.newest(&event.key);
            let is_newest = newest.is_some_and(|newest| newest.version_id == event.version_id);
            if self.order == LiveOrder::Exact && !is_newest {
                let place = places.get(&identity(event));
                return Err(format!("{} ends with {place:?}: {event:?}", event.key));
            }
        }
        Ok(())
    }

    /// Nothing is missing; with `newest`, what is older than a change of its key that came may be, after the
    /// history. What is dated before a history's beginning may have been sent before it.
    fn check_whole(&self, events: &[Event], first: usize, until: Timestamp) -> Result<(), String> {
        let told: BTreeSet<_> = events[first..].iter().map(identity).collect();
        let told_before: BTreeSet<_> = events[..first].iter().map(identity).collect();
        let history = self.bucket.history();
        let may_be_left_out = |version: &ObjectVersion, is_before: bool| {
            let id = &(version.key.clone(), version.version_id.clone());
            let dated_back = self.stream.covered_dated_back;
            let dated_back = dated_back.filter(|_| is_dated_back(version));
            let Some((came, number)) = self.came.get(id) else {
                return is_before;
            };
            let is_later = |(other, (_, later)): (&(String, String), &(Timestamp, u64))| {
                other.0 == id.0 && later > number
            };
            let is_outdated = self.came.iter().any(is_later);
            let by_newest = |order: LiveOrder| order == LiveOrder::Newest && is_outdated;
            by_newest(self.order) && *came >= dated_back.unwrap_or(until)
                || is_before && (told_before.contains(id) || by_newest(self.first_order))
        };
        let missing = history.iter().find(|(position, version)| {
            let id = (version.key.clone(), version.version_id.clone());
            let is_before = self.from.is_some_and(|from| position.effective_time < from);
            !told.contains(&id) && !may_be_left_out(version, is_before)
        });
        let missing = missing.map(|(_, version)| version);
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
        let history = self.bucket.history().into_iter();
        let dated_back: BTreeSet<(String, String)> = history
            .filter(|(_, version)| is_dated_back(version))
            .map(|(_, version)| (version.key, version.version_id))
            .collect();
        // With `exact`, what is newer follows again behind what is dated back, with the times of the listing.
        let planned_until = |event: &Event, is_dated_back: bool| {
            let goes_again = dated_back.iter().any(|(key, _)| *key == event.key);
            match self.order {
                LiveOrder::Exact if goes_again => Timestamp(0),
                _ if is_dated_back => self.stream.covered_dated_back.unwrap_or(until),
                _ => until,
            }
        };
        for event in events {
            let id = identity(event);
            let place = *places
                .get(&id)
                .ok_or_else(|| format!("no such version: {event:?}"))?;
            let is_dated_back = dated_back.contains(&id);
            if let Some(sequence) = event.sequence {
                let seen = sequences.entry(&event.key).or_default();
                if sequence <= *seen {
                    continue;
                }
                *seen = sequence;
            } else if event.event_time + MOST_AHEAD < planned_until(event, is_dated_back) {
                return Err(format!("the history had it: {event:?}, until {until}"));
            }
            let seen = at.entry(&event.key).or_insert(place);
            let may_go_back = event.sequence.is_none()
                && match self.order {
                    LiveOrder::Notified => true,
                    LiveOrder::Newest => event.event_time < until || is_dated_back,
                    // A run goes again whole and in order.
                    LiveOrder::Exact => self.has_faults || is_dated_back,
                };
            if place < *seen && !may_go_back {
                return Err(format!("{} goes back from {seen} to {place}", event.key));
            }
            // Behind it with `exact`, what is newer follows again.
            let begins_anew = is_dated_back && self.order == LiveOrder::Exact;
            *seen = if begins_anew { place } else { place.max(*seen) };
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
        // `newest` goes by when a version came, not by where it is listed.
        let is_newest = self.order == LiveOrder::Newest;
        let number = |id: &(String, String)| {
            let number = self.came.get(id).map(|(_, number)| *number);
            number.and_then(|number| usize::try_from(number).ok())
        };
        let place_of = |id: &(String, String)| match number(id) {
            Some(number) if is_newest => number,
            _ => places[id],
        };
        let mut at: BTreeMap<&str, usize> = BTreeMap::new();
        for event in events.iter().filter(|e| e.source == Source::Realtime) {
            let place = place_of(&identity(event));
            let before = at.entry(&event.key).or_insert(place);
            let before = std::mem::replace(before, place.max(*before));
            if before > place && is_newest {
                return Err(format!("{} goes back to {place}", event.key));
            }
        }
        for (key, place) in at {
            let of_key = places.keys().filter(|(of, _)| of == key);
            let is_written = |id: &&(String, String)| self.came.contains_key(*id);
            let last = of_key.filter(is_written).map(place_of).max();
            // `newest` may have left out what is listed behind what came last.
            let is_same = self.order == self.first_order;
            if Some(place) != last && is_same {
                return Err(format!("{key} ends with {place} instead of {last:?}"));
            }
        }
        Ok(())
    }
}

/// Whether it may be listed with an older time than that of its coming.
fn is_dated_back(version: &ObjectVersion) -> bool {
    let is_of_rule = version.is_delete_marker && version.last_modified.0 % DAY == 0;
    let e_tag = version.e_tag.as_deref();
    is_of_rule || e_tag.is_some_and(|tag| tag.contains('-'))
}

fn identity(event: &Event) -> (String, String) {
    (event.key.clone(), event.version_id.clone())
}
