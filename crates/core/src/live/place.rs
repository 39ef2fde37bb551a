//! How far a key has been sent, and what of its changes is still to be sent. No I/O.

use std::cmp::Ordering;

use crate::event::by_sequencer;

/// How far a key has been sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The sequencer of the newest change that the queue has confirmed.
    pub sent: Option<String>,
    /// Sequencers that holders wanted to send who never gave the key back: each of these changes, and
    /// older ones of its batch, may be in the queue or not.
    pub intents: Vec<String>,
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
    /// It, or a newer one of its key, is in the queue, or may be: a state built from the stream would
    /// go back.
    Late,
}

impl Claimed {
    /// How far the key may have been sent by others than the holder of this claim, who wants to send
    /// `intent`.
    #[must_use]
    pub fn before(self, intent: &str) -> Place {
        let mut place = self.place;
        if self.is_own {
            place.intents.retain(|other| other != intent);
        }
        place
    }
}

impl Place {
    /// Whether a change may be sent: if it is newer than all that was sent or may have been. The newest of
    /// those that may have been sent goes again, since it may not have been.
    #[must_use]
    pub fn verdict(&self, sequencer: &str) -> Verdict {
        let is_newer = |other: &String| by_sequencer(sequencer, other) == Ordering::Greater;
        let is_not_older = |other: &String| by_sequencer(sequencer, other) != Ordering::Less;
        if self.sent.iter().all(is_newer) && self.intents.iter().all(is_not_older) {
            Verdict::Send
        } else {
            Verdict::Late
        }
    }

    /// The place once the queue has confirmed `sequencer`, the newest of what was sent under a claim: it is
    /// not older than any of the intents, or it would not have been sent, and so settles them.
    #[must_use]
    pub fn confirmed(sequencer: String) -> Self {
        Self {
            sent: Some(sequencer),
            intents: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(sent: &str, intents: &[&str]) -> Place {
        Place {
            sent: Some(sent.to_owned()).filter(|sent| !sent.is_empty()),
            intents: intents.iter().map(|i| (*i).to_owned()).collect(),
        }
    }

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
            assert_eq!(place.verdict(sequencer), expected, "{place:?} {sequencer}");
        }
    }

    #[test]
    fn a_claim_that_is_repeated_does_not_take_its_own_intent_for_another_ones() {
        let found = |is_own| Claimed {
            place: place("05", &["07", "09"]),
            is_own,
            revision: 1,
        };
        assert_eq!(found(true).before("09"), place("05", &["07"]));
        assert_eq!(found(false).before("09"), place("05", &["07", "09"]));
    }
}
