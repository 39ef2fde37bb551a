//! Which versions of a key are sent next, and what is known of the key afterwards. No I/O.
//!
//! A run is what a holder sends of a key: from some version to the newest that is listed, oldest first.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::live::exact::version::{Identity, Version};
use crate::live::newest::RETENTION;
use crate::timestamp::Timestamp;

/// So many of the first versions of a run are written down.
const MOST_BEGUN: usize = 8;

/// Of so many versions dated back it is known by name that they were sent.
const MOST_NAMED: usize = 200;

/// Of so many older ones too, which came later than all of those.
const MOST_LATE: usize = 20;

/// How far a key has been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The version that was sent last.
    pub last: Identity,
    /// It has no id of its own: another `null` version than this one has replaced it.
    #[serde(default)]
    pub last_is_null: bool,
    /// Its effective time.
    pub effective_time: Timestamp,
    /// The versions of that effective time that were sent, the last included: if it is gone from the bucket,
    /// they and the time tell what was sent.
    pub of_that_time: Vec<Identity>,
    /// Versions [dated back](Version::is_dated_back) that were sent, oldest first: an upload in parts that
    /// ends late appears below what was sent.
    pub dated_back: Vec<Identity>,
    /// Of these, those that were in the bucket when nothing was known of the key, and were taken to be sent
    /// long ago. One of them that a notification reports was not.
    pub assumed: Vec<Identity>,
    /// Those of before it were sent too, and are not named any more, unless a notification reports one.
    pub named_since: Timestamp,
    /// Those of before it that were sent since, as a notification reported them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<Identity>,
}

/// A key as the bucket lists it, at least from its newest version down to what was sent last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Oldest first.
    pub versions: Vec<Version>,
    /// Whether older ones than these were not read.
    pub is_cut: bool,
}

/// What is to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// Places in [`Listed::versions`], oldest first.
    pub places: Vec<usize>,
    /// Versions that were sent before are sent again behind one that is older: SQS must not take them for
    /// repetitions.
    pub is_again: bool,
    /// It begins further back than anybody can tell who does not know of this notification: where it begins is
    /// stored before it is sent, so that it is repeated whole if its holder dies.
    pub is_to_be_noted: bool,
}

impl Run {
    /// From one place to the newest.
    fn whole(listed: &Listed, first: usize) -> Vec<usize> {
        (first..listed.versions.len()).collect()
    }

    /// The versions with which the run goes on behind the first `count`: some, since the first may be removed.
    #[must_use]
    pub fn beginning(&self, listed: &Listed, count: usize) -> Vec<Identity> {
        let places = self.places.iter().skip(count).take(MOST_BEGUN);
        places
            .map(|place| listed.versions[*place].identity())
            .collect()
    }

    /// Begins further back, with a run that was begun and not ended, or what of it is not before `since`.
    #[must_use]
    pub fn with_begun(self, listed: &Listed, begun: &[Identity], since: Timestamp) -> Self {
        if begun.is_empty() {
            return self;
        }
        let is_begun = |version: &Version| begun.contains(&version.identity());
        let begun = listed.versions.iter().position(is_begun);
        let is_since = |place: &usize| listed.versions[*place].effective_time >= since;
        let begun = begun.and_then(|first| (first..listed.versions.len()).find(is_since));
        match begun.filter(|begun| self.places.first().is_none_or(|first| begun < first)) {
            Some(begun) => Self {
                places: Self::whole(listed, begun),
                is_again: true,
                is_to_be_noted: false,
            },
            None => self,
        }
    }
}

impl Sent {
    /// Whether a version dated back was sent, or is taken to be.
    fn knows(&self, version: &Version) -> bool {
        version.last_modified < self.named_since || self.dated_back.contains(&version.identity())
    }

    /// Whether a version has come since, though it is not listed behind what was sent.
    fn lacks(&self, version: &Version, notified: &[&Event]) -> bool {
        let identity = version.identity();
        if !version.is_dated_back() {
            // S3 puts writes of one moment into an order of its own, which need not be that of their coming.
            let is_of_that_time = version.effective_time == self.effective_time
                && version.last_modified == self.effective_time;
            return is_of_that_time && !self.of_that_time.contains(&identity);
        }
        let is_only_assumed = if self.dated_back.contains(&identity) {
            self.assumed.contains(&identity)
        } else {
            !self.late.contains(&identity)
        };
        let is_reported = || notified.iter().any(|event| version.is_reported_by(event));
        is_only_assumed && (!self.knows(version) || is_reported())
    }

    /// Where the version stands that was sent last.
    fn place(&self, listed: &Listed) -> Option<usize> {
        let is_last = |version: &Version| version.identity() == self.last;
        listed.versions.iter().rposition(is_last)
    }
}

/// What is to be sent of a key of which something was sent: what stands behind it. If it is gone from the bucket,
/// its time decides. A version dated back that came since is sent where it is listed, and what is newer again
/// behind it. While such a run `is_unended`, what is named as sent may have to be sent again.
#[must_use]
pub fn behind(listed: &Listed, sent: &Sent, notified: &[&Event], is_unended: bool) -> Run {
    let versions = &listed.versions;
    let place = sent.place(listed);
    let of_that_time: HashSet<&Identity> = sent.of_that_time.iter().collect();
    let replaces_last =
        |index: usize| place.is_none() && sent.last_is_null && versions[index].is_null();
    let is_new = |index: usize| {
        if let Some(place) = place {
            return index > place;
        }
        if replaces_last(index) {
            return true;
        }
        let (version, identity) = (&versions[index], versions[index].identity());
        let is_behind = version.effective_time > sent.effective_time
            || version.effective_time == sent.effective_time && !of_that_time.contains(&identity);
        // An upload that came below it since may have raised its time.
        is_behind && (is_unended || !sent.dated_back.contains(&identity))
    };
    let first = (0..versions.len())
        .find(|index| is_new(*index) || sent.lacks(&versions[*index], notified))
        .unwrap_or(versions.len());
    let places = Run::whole(listed, first);
    // What was written as before within a second looks like a repetition.
    let looks_sent =
        |index: usize| replaces_last(index) && of_that_time.contains(&versions[index].identity());
    let is_again = places
        .iter()
        .any(|index| !is_new(*index) || looks_sent(*index));
    Run {
        places,
        is_again,
        is_to_be_noted: is_again,
    }
}

/// What is to be sent of a key of which nothing is known to be sent: from the oldest of these on, leaving out
/// none: what is not before `boundary`; what stands directly before it and may have come later than its time
/// says; what `notified` reports.
#[must_use]
pub fn from(listed: &Listed, boundary: Timestamp, notified: &[&Event]) -> Run {
    let versions = &listed.versions;
    let of_boundary = versions
        .iter()
        .position(|version| version.effective_time >= boundary);
    let oldest_upload = boundary - RETENTION;
    let of_boundary = of_boundary.map(|first| {
        let may_be_later =
            |version: &&Version| version.is_dated_back() && version.last_modified >= oldest_upload;
        let before = versions[..first].iter().rev().take_while(may_be_later);
        first - before.count()
    });
    let is_notified = |version: &Version| notified.iter().any(|e| version.is_reported_by(e));
    let of_hint = versions.iter().position(is_notified);
    let first = of_boundary.into_iter().chain(of_hint).min();
    Run {
        places: Run::whole(listed, first.unwrap_or(versions.len())),
        is_again: false,
        is_to_be_noted: first < of_boundary || of_boundary.is_none(),
    }
}

/// What is known of a key once the first `count` versions of a run have been confirmed.
#[must_use]
pub fn after(listed: &Listed, before: Option<Sent>, run: &Run, count: usize) -> Option<Sent> {
    let versions = &listed.versions;
    let confirmed = &run.places[..count];
    let Some(last) = confirmed.last().copied() else {
        return before;
    };
    let effective_time = versions[last].effective_time;
    let of_that_time: BTreeSet<Identity> = versions[..=last]
        .iter()
        .filter(|version| version.effective_time == effective_time)
        .map(Version::identity)
        .chain(before.iter().flat_map(|sent| {
            // Not all that were sent are listed, where older pages were not read.
            let is_same = sent.effective_time == effective_time;
            sent.of_that_time.iter().filter(move |_| is_same).cloned()
        }))
        .collect();
    let of_that_time = of_that_time.into_iter().collect();
    let mut dated_back: Vec<Identity> = Vec::new();
    let mut named_since = match &before {
        Some(sent) => sent.named_since,
        // What was not read is too old to be anything but sent.
        None if listed.is_cut => Timestamp(versions[0].last_modified.0 + 1),
        None => Timestamp(0),
    };
    let is_known = |place: usize, version: &Version| match &before {
        Some(sent) => sent.knows(version) || confirmed.binary_search(&place).is_ok(),
        None => place <= last,
    };
    let listed_here: Vec<&Version> = (0..)
        .zip(versions)
        .filter(|(place, version)| version.is_dated_back() && is_known(*place, version))
        .map(|(_, version)| version)
        .collect();
    if listed.is_cut {
        let here: HashSet<Identity> = listed_here.iter().map(|v| v.identity()).collect();
        let named = before.iter().flat_map(|sent| &sent.dated_back);
        dated_back.extend(named.filter(|named| !here.contains(named)).cloned());
    }
    let unlisted = dated_back.len();
    dated_back.extend(listed_here.iter().map(|version| version.identity()));
    if dated_back.len() > MOST_NAMED {
        let dropped = dated_back.len() - MOST_NAMED;
        dated_back.drain(..dropped);
        named_since = match dropped.checked_sub(unlisted) {
            Some(place) => listed_here
                .get(place)
                .map_or(named_since, |oldest| named_since.max(oldest.last_modified)),
            // Whose name was dropped is older than what was read; how much, nobody knows.
            None => named_since.max(Timestamp(versions[0].last_modified.0 + 1)),
        };
    }
    let was_sent: HashSet<Identity> = confirmed.iter().map(|p| versions[*p].identity()).collect();
    let assumed = match &before {
        Some(sent) => sent.assumed.clone(),
        None => dated_back.clone(),
    };
    let assumed = assumed
        .into_iter()
        .filter(|one| !was_sent.contains(one) && dated_back.contains(one));
    let mut late = before.as_ref().map_or(Vec::new(), |sent| sent.late.clone());
    let first = &versions[confirmed[0]];
    let is_late = |sent: &Sent| first.is_dated_back() && first.last_modified < sent.named_since;
    if before.as_ref().is_some_and(is_late) && !late.contains(&first.identity()) {
        late.push(first.identity());
        late.drain(..late.len().saturating_sub(MOST_LATE));
    }
    Some(Sent {
        assumed: assumed.collect(),
        late,
        last: versions[last].identity(),
        last_is_null: versions[last].is_null(),
        effective_time,
        of_that_time,
        dated_back,
        named_since,
    })
}

#[cfg(test)]
mod tests;
