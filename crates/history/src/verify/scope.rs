//! What is to be compared.

use bridge_core::event::Change;
use bridge_core::listing::version::PlannedVersion;
use bridge_core::timestamp::Timestamp;

use crate::scan::filter::{Events, Filter};

/// What is to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Of which bucket.
    pub bucket: String,
    /// Which versions a consumer must have.
    pub filter: Filter,
    /// Whether `until` was asked for; else it is when the comparison began, and tells nothing of what is unknown.
    pub is_until_given: bool,
    /// The versions are of a plan from earlier: what was removed since is in it.
    pub is_frozen: bool,
    /// Whether events came as they were sent. What hands them over without order says nothing of theirs.
    pub has_order: bool,
}

impl Scope {
    /// Which versions are listed: all of the keys, also of other times and kinds, so that an event of them is not
    /// taken for one that nobody knows. The present state is a choice that only a listing can make.
    #[must_use]
    pub fn listed(&self) -> Filter {
        if self.filter.current_only {
            return self.filter.clone();
        }
        Filter {
            prefix: self.filter.prefix.clone(),
            suffix: self.filter.suffix.clone(),
            ..Filter::default()
        }
    }

    /// Whether a listed version is one that a consumer must have.
    pub(super) fn expects(&self, row: &PlannedVersion) -> bool {
        self.filter.keeps(&row.borrowed())
    }

    /// Whether a listed version is sent again behind one that is missing: also those that came since the comparison
    /// began, as a key is healed up to its newest version.
    pub(super) fn heals(&self, row: &PlannedVersion) -> bool {
        !self.leaves_out(&row.version.key, row.borrowed().change())
    }

    /// Whether an event is about something else, going by its key and kind. Removals for good tell of both kinds.
    pub(super) fn leaves_out(&self, key: &str, change: Change) -> bool {
        let is_other_kind = match self.filter.events {
            Events::All => false,
            Events::Created => change == Change::Removed,
            Events::Removed => change == Change::Created,
        };
        is_other_kind || !self.filter.takes_key(key)
    }

    /// Whether an event of no listed version is of another time: its version was removed, and nobody can tell its
    /// effective time any more.
    pub(super) fn is_of_another_time(&self, time: Timestamp) -> bool {
        let until = self.filter.until.filter(|_| self.is_until_given);
        self.filter.from.is_some_and(|from| time < from) || until.is_some_and(|until| time >= until)
    }
}
