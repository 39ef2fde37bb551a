//! What is known of one version while its records are looked at.

use bridge_core::event::Change;
use bridge_core::listing::version::PlannedVersion;
use bridge_core::timestamp::Timestamp;

use crate::verify::record::{Arrival, Facts, Of, Record, tag_text, text};
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

    /// Whether an event of an object without versions tells of this very one, and not of one that it replaced: a tag
    /// or a size says so where both have it.
    pub(super) fn has_content_of(&self, change: Change, facts: &Facts<'_>) -> bool {
        let same_size = || both(self.size, facts.size).is_none_or(|(a, b)| a == b);
        let same_tag = both(self.e_tag.as_deref(), facts.e_tag).map(|(a, b)| a == b);
        self.change == change && same_tag.unwrap_or_else(same_size)
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
    /// The file tells of its removal for good.
    pub(super) is_removed: bool,
    /// The change before the one that is looked at.
    last: LastChange,
    /// The first and the last delivery of its coming.
    pub(super) delivered: Option<(Arrival, Arrival)>,
    /// How many changes tell of what the bucket has: more than one only without versions.
    pub(super) changes: u64,
    /// Without versions: an event of the same time with another content, and what differs.
    pub(super) stand_in: Option<(Arrival, Vec<Difference>)>,
}

impl Version {
    /// Another one begins.
    pub(super) fn begin(&mut self, id: &[u8]) {
        self.id.clear();
        self.id.extend_from_slice(id);
        self.row = None;
        self.is_removed = false;
        self.last.change = None;
        self.delivered = None;
        self.changes = 0;
        self.stand_in = None;
    }

    /// It tells no overwrites apart.
    pub(super) fn is_null(&self) -> bool {
        self.id == b"null"
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
