//! How far a key has been sent, and what of its changes is still to be sent. No I/O.
//!
//! A change is a *state* of its key: a version or a delete marker that is the newest, or that no object is there
//! any more. The removal for good of one version among others is none, although it has a sequencer: it ends
//! that version, whatever else came of the key.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::event::{Change, Event, by_sequencer};

/// So many removals for good are remembered of a key, the last ones.
pub const MOST_REMOVED: usize = 10;

/// How far a key has been sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The sequencer of the newest state that the queue has confirmed.
    pub sent: Option<String>,
    /// Sequencers that holders wanted to send who never gave the key back: each of these states, and
    /// older ones of its batch, may be in the queue or not.
    pub intents: Vec<String>,
    /// Ids of versions whose removal the queue has confirmed, the last one last, [`MOST_REMOVED`] at most.
    pub removed: Vec<String>,
    /// Ids of versions whose removal holders wanted to send who never gave the key back: each may be in the
    /// queue or not.
    pub removing: Vec<String>,
}

/// What a holder is about to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intent {
    /// The sequencer of the newest state, if there is one.
    pub newest: Option<String>,
    /// Ids of the versions whose removal it is, [`MOST_REMOVED`] at most.
    pub removals: Vec<String>,
}

impl Intent {
    /// To send these changes of a key, each with its sequencer, in the order of their coming.
    #[must_use]
    pub fn of<'a>(changes: impl IntoIterator<Item = (&'a Event, &'a str)>) -> Self {
        let (mut newest, mut removals) = (None, Vec::new());
        for (event, sequencer) in changes {
            if is_removal(event) {
                removals.push(event.version_id.clone());
            } else if newest.is_none_or(|n| by_sequencer(sequencer, n) == Ordering::Greater) {
                newest = Some(sequencer);
            }
        }
        Self {
            newest: newest.map(str::to_owned),
            removals: last(removals),
        }
    }
}

/// Whether a change ends one version and tells no state of its key. A `null` version has no other beside it that
/// has its id: its removal is a state, as a write of it is.
#[must_use]
pub fn is_removal(event: &Event) -> bool {
    event.change() == Some(Change::Deleted) && event.version_id != "null"
}

/// The last ones, each once.
fn last(mut removals: Vec<String>) -> Vec<String> {
    removals.reverse();
    let mut seen = HashSet::new();
    removals.retain(|id| seen.insert(id.clone()));
    removals.truncate(MOST_REMOVED);
    removals.reverse();
    removals
}

/// What a claim found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// How far the key was sent.
    pub place: Place,
    /// Whether the item was claimed by this owner already: an answer was lost, and the intent that is
    /// found may be its own.
    pub is_own: bool,
    /// The item's revision with this claim: one higher than before.
    pub revision: u64,
}

/// What becomes of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent.
    Send,
    /// It, or a newer one of its key, or the removal of its version, is in the queue, or may be: a state
    /// built from the stream would go back.
    Late,
}

impl Claimed {
    /// How far the key may have been sent by others than the holder of this claim, who wants to send
    /// `intent`.
    #[must_use]
    pub fn before(self, intent: &Intent) -> Place {
        let mut place = self.place;
        if self.is_own {
            // One only: a holder that never came back may have wanted to send the same.
            let is_same = |other: &String| Some(other) == intent.newest.as_ref();
            if let Some(own) = place.intents.iter().rposition(is_same) {
                place.intents.remove(own);
            }
        }
        place
    }
}

impl Place {
    /// Whether a change may be sent: a removal, if it was not; a state, if it is newer than all that was sent or
    /// may have been, and its version's removal was not and may not have been. The newest of those that may have
    /// been sent goes again, since it may not have been.
    #[must_use]
    pub fn verdict(&self, event: &Event, sequencer: &str) -> Verdict {
        let is_removed = self.removed.contains(&event.version_id);
        let may_be_removed = is_removed || self.removing.contains(&event.version_id);
        if is_removal(event) {
            return if is_removed {
                Verdict::Late
            } else {
                Verdict::Send
            };
        }
        if may_be_removed {
            return Verdict::Late;
        }
        let is_newer = |other: &String| by_sequencer(sequencer, other) == Ordering::Greater;
        let is_not_older = |other: &String| by_sequencer(sequencer, other) != Ordering::Less;
        if self.sent.iter().all(is_newer) && self.intents.iter().all(is_not_older) {
            Verdict::Send
        } else {
            Verdict::Late
        }
    }

    /// The place once the queue has confirmed what was `sent` under a claim. The newest state of it is not
    /// older than any of the intents, or it would not have been sent, and so settles them.
    #[must_use]
    pub fn confirmed(self, sent: Intent) -> Self {
        let (newest, intents) = match sent.newest {
            Some(newest) => (Some(newest), Vec::new()),
            None => (self.sent, self.intents),
        };
        let may_be_there = |id: &String| !sent.removals.contains(id);
        let removing = self.removing.into_iter().filter(may_be_there).collect();
        let removed = self
            .removed
            .into_iter()
            .chain(sent.removals.iter().cloned());
        Self {
            sent: newest,
            intents,
            removed: last(removed.collect()),
            removing: last(removing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::event::{Source, event_id};
    use crate::timestamp::Timestamp;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn place(sent: &str, intents: &[&str]) -> Place {
        Place {
            sent: Some(sent.to_owned()).filter(|sent| !sent.is_empty()),
            intents: texts(intents),
            ..Place::default()
        }
    }

    fn event(name: &str, version_id: &str) -> Event {
        Event {
            event_id: event_id("b", "k", version_id, Change::Created),
            source: Source::Realtime,
            event_name: name.to_owned(),
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            version_id: version_id.to_owned(),
            event_time: Timestamp(0),
            sequencer: None,
            size: None,
            e_tag: None,
            is_latest: None,
            job_id: None,
            sequence: None,
        }
    }

    const PUT: &str = "ObjectCreated:Put";
    const MARKER: &str = "ObjectRemoved:DeleteMarkerCreated";
    const DELETE: &str = "ObjectRemoved:Delete";
    const EXPIRED: &str = "LifecycleExpiration:Delete";

    #[test]
    fn only_what_is_newer_is_sent_and_what_may_have_been_sent_goes_again() {
        use Verdict::{Late, Send};
        for (place, sequencer, expected) in [
            (place("", &[]), "05", Send),
            (place("05", &[]), "04", Late),
            (place("05", &[]), "05", Late),   // told twice
            (place("05", &[]), "0500", Late), // S3 pads with zeros
            (place("05", &[]), "0501", Send),
            (place("05", &["07"]), "06", Late),
            (place("05", &["07"]), "07", Send), // its sender died: it may be missing
            (place("05", &["07"]), "08", Send),
            (place("05", &["07", "09"]), "07", Late),
            (place("05", &["07", "09"]), "09", Send),
            (place("07", &["07"]), "07", Late),
        ] {
            let put = event(PUT, "v");
            let verdict = place.verdict(&put, sequencer);
            assert_eq!(verdict, expected, "{place:?} {sequencer}");
        }
    }

    #[test]
    fn a_removal_is_sent_once_and_ends_its_version_and_no_other() {
        use Verdict::{Late, Send};
        let place = Place {
            removed: texts(&["gone"]),
            removing: texts(&["going"]),
            ..place("05", &["07"])
        };
        for (name, version_id, sequencer, expected) in [
            (DELETE, "v", "01", Send), // older than what was sent: it is no state
            (EXPIRED, "v", "01", Send),
            (DELETE, "v", "09", Send),
            (DELETE, "gone", "09", Late),  // told twice
            (DELETE, "going", "09", Send), // its sender died: it may be missing
            (PUT, "gone", "09", Late),     // it would come back
            (PUT, "going", "09", Late),
            (MARKER, "gone", "09", Late),
            (PUT, "v", "09", Send),
            (DELETE, "null", "04", Late), // a state
            (DELETE, "null", "09", Send),
        ] {
            let verdict = place.verdict(&event(name, version_id), sequencer);
            assert_eq!(verdict, expected, "{name} {version_id} {sequencer}");
        }
    }

    #[test]
    fn what_was_confirmed_settles_what_may_have_been_sent() {
        let changes = [
            (event(PUT, "v1"), "06"),
            (event(DELETE, "v0"), "09"),
            (event(MARKER, "v2"), "08"),
            (event(PUT, "v3"), "07"),
        ];
        let sent = Intent::of(changes.iter().map(|(event, sequencer)| (event, *sequencer)));
        assert_eq!(sent.newest.as_deref(), Some("08"));
        let before = Place {
            removed: texts(&["old"]),
            removing: texts(&["v0", "other"]),
            ..place("05", &["07"])
        };
        let expected = Place {
            removed: texts(&["old", "v0"]),
            removing: texts(&["other"]),
            ..place("08", &[])
        };
        assert_eq!(before.clone().confirmed(sent), expected);
        assert_eq!(before.clone().confirmed(Intent::default()), before);

        // A removal alone raises nothing.
        let removal = event(DELETE, "v0");
        let sent = Intent::of([(&removal, "09")]);
        let after = before.clone().confirmed(sent);
        assert_eq!((after.sent, after.intents), (before.sent, before.intents));
    }

    #[test]
    fn the_last_removals_are_remembered() {
        let removals: Vec<Event> = (0..15).map(|n| event(DELETE, &format!("v{n}"))).collect();
        let sent = Intent::of(removals.iter().map(|removal| (removal, "09")));
        let place = Place::default().confirmed(sent);
        assert_eq!(place.removed.len(), MOST_REMOVED);
        assert_eq!(place.removed.last().map(String::as_str), Some("v14"));
        // One that is told again, after a crash, is the last one.
        let again = Intent::of([(&removals[5], "09")]);
        let place = place.confirmed(again);
        let last = place.removed.last().map(String::as_str);
        assert_eq!((place.removed.len(), last), (MOST_REMOVED, Some("v5")));
    }

    #[test]
    fn a_claim_that_is_repeated_does_not_take_its_own_intent_for_another_ones() {
        let found = |is_own| Claimed {
            place: place("05", &["07", "09"]),
            is_own,
            revision: 1,
        };
        let intent = Intent {
            newest: Some("09".to_owned()),
            removals: Vec::new(),
        };
        assert_eq!(found(true).before(&intent), place("05", &["07"]));
        assert_eq!(found(false).before(&intent), place("05", &["07", "09"]));
        let twice = Claimed {
            place: place("05", &["09", "09"]),
            ..found(true)
        };
        assert_eq!(twice.before(&intent), place("05", &["09"]), "another one's");
    }
}
