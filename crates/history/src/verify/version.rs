//! What is known of one version while its records are looked at.

use bridge_core::event::Change;
use bridge_core::listing::version::PlannedVersion;
use bridge_core::timestamp::Timestamp;

use crate::verify::part::{tag_text, text};
use crate::verify::record::{Arrival, Facts, Of, Record};
use crate::verify::report::Difference;

/// As the bucket lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) change: Change,
    pub(super) rank: u64,
    pub(super) effective_time: Timestamp,
    pub(super) last_modified: Timestamp,
    size: Option<u64>,
    /// As a record has it.
    e_tag: Option<Vec<u8>>,
    /// Whether it is within what was asked for.
    pub(super) is_expected: bool,
}

impl Row {
    /// Of a record of the bucket's; `keeps` says whether it was asked for.
    pub(super) fn of(
        record: &Record<'_>,
        keeps: impl FnOnce(&PlannedVersion) -> bool,
    ) -> Option<Self> {
        let Of::Bucket {
            rank,
            effective_time,
        } = record.of
        else {
            return None;
        };
        Some(Self {
            change: record.change,
            rank,
            effective_time,
            last_modified: record.facts.time,
            size: record.facts.size,
            e_tag: record.facts.e_tag.map(<[u8]>::to_vec),
            is_expected: record.row().is_some_and(|row| keeps(&row)),
        })
    }

    /// Whether an event of an object without versions tells of this very one, and not of another that had its place:
    /// a tag or a size says so where both have it, and the time.
    pub(super) fn is_told_by(&self, change: Change, facts: &Facts<'_>, is_frozen: bool) -> bool {
        let same_size = || both(self.size, facts.size).is_none_or(|(a, b)| a == b);
        let same_tag = both(self.e_tag.as_deref(), facts.e_tag).map(|(a, b)| a == b);
        self.change == change
            && same_tag.unwrap_or_else(same_size)
            && !self.is_of_another_time(facts, is_frozen)
    }

    /// Whether an event's time is one that this overwrite cannot have: the same content may come again. What is
    /// newer than the bucket is no overwrite, but altered; it may be one behind a plan from earlier.
    fn is_of_another_time(&self, facts: &Facts<'_>, is_frozen: bool) -> bool {
        if facts.time_is_listed() {
            return facts.time < self.last_modified || is_frozen && facts.time > self.last_modified;
        }
        is_before(facts.time, self.last_modified)
    }

    /// What of an event is not as the bucket lists it, of what both have.
    pub(super) fn differences(&self, facts: &Facts<'_>) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut differ = |fact, bucket: String, file: String| {
            differences.push(Difference { fact, bucket, file });
        };
        if let Some((bucket, file)) = both(self.size, facts.size).filter(|(a, b)| a != b) {
            differ("size", bucket.to_string(), file.to_string());
        }
        let tags = both(self.e_tag.as_deref(), facts.e_tag);
        if let Some((bucket, file)) = tags.filter(|(a, b)| a != b) {
            differ("eTag", tag_text(bucket), tag_text(file));
        }
        if facts.time_is_listed() && facts.time != self.last_modified {
            differ(
                "eventTime",
                self.last_modified.to_string(),
                facts.time.to_string(),
            );
        }
        if !facts.id_is_right() {
            let [bucket, file] = ["that of this change", "another"].map(str::to_owned);
            differ("eventId", bucket, file);
        }
        differences
    }
}

/// Whether a time is of an earlier second: a bucket's times are whole seconds, those of notifications are not.
fn is_before(one: Timestamp, other: Timestamp) -> bool {
    one.0.div_euclid(1000) < other.0.div_euclid(1000)
}

fn both<T>(one: Option<T>, other: Option<T>) -> Option<(T, T)> {
    one.zip(other)
}

/// A change that was told, and where first.
#[derive(Debug, Default)]
struct LastChange {
    change: Option<Change>,
    /// As it sorts.
    overwrite: Vec<u8>,
    first: Option<Arrival>,
}

/// One version.
#[derive(Debug, Default)]
pub(super) struct Version {
    /// As it sorts.
    pub(super) id: Vec<u8>,
    pub(super) row: Option<Row>,
    /// When it was removed for good, the last time, as the file tells.
    pub(super) removed_at: Option<Timestamp>,
    /// The change before the one that is looked at.
    last: LastChange,
    /// The first and the last delivery of its coming.
    pub(super) delivered: Option<(Arrival, Arrival)>,
    /// Without versions: an event of the same time with another content, and what differs.
    pub(super) stand_in: Option<(Arrival, Vec<Difference>)>,
}

impl Version {
    /// Another one begins.
    pub(super) fn begin(&mut self, id: &[u8]) {
        self.id.clear();
        self.id.extend_from_slice(id);
        self.row = None;
        self.removed_at = None;
        self.last.change = None;
        self.delivered = None;
        self.stand_in = None;
    }

    /// It tells no overwrites apart.
    pub(super) fn is_null(&self) -> bool {
        self.id == b"null"
    }

    /// Whether the file tells that what came at `time` was removed for good. A version comes once; an object without
    /// versions may have come again behind its removal.
    pub(super) fn is_removed(&self, time: Timestamp) -> bool {
        let removed = self.removed_at;
        removed.is_some_and(|removed| !self.is_null() || !is_before(removed, time))
    }

    /// A delivery of its coming.
    pub(super) fn came(&mut self, arrival: Arrival) {
        let (first, last) = self.delivered.unwrap_or((arrival, arrival));
        self.delivered = Some((first.min(arrival), last.max(arrival)));
    }

    /// For people.
    pub(super) fn id_text(&self) -> String {
        text(&self.id)
    }

    /// The first delivery of this change, if it is the one that came before.
    pub(super) fn first_of_repeat(
        &mut self,
        change: Change,
        overwrite: &[u8],
        arrival: Arrival,
    ) -> Option<Arrival> {
        if self.last.change == Some(change) && self.last.overwrite == overwrite {
            return self.last.first;
        }
        self.last.change = Some(change);
        self.last.overwrite.clear();
        self.last.overwrite.extend_from_slice(overwrite);
        self.last.first = Some(arrival);
        None
    }
}
