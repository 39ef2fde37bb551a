//! What a comparison found.

use std::io;

use bridge_core::event::Change;
use bridge_core::timestamp::Timestamp;
use serde::Serialize;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The bucket has it, the file does not.
    Missing,
    /// The file has it, the bucket does not, and no removal for good is in the file; or the file has a removal of
    /// what is there.
    Unknown,
    /// The same change once more. Delivery is at least once.
    Repeated,
    /// Its first delivery stands behind a newer version of its key, which does not come again behind it.
    OutOfOrder,
    /// It is not as the bucket lists it.
    Changed,
    /// A line, or a record in it, that is no event.
    Unreadable,
}

impl Kind {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 6] = [
        Self::Missing,
        Self::Unknown,
        Self::Repeated,
        Self::OutOfOrder,
        Self::Changed,
        Self::Unreadable,
    ];
}

/// One thing that was found. What is not known, or says nothing for this kind, is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which kind.
    pub kind: Kind,
    /// The key, decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// What happened to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// `LastModified` of what the bucket has (missing, out of order, changed), `eventTime` of what the file tells
    /// (unknown, repeated).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The line of the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The other line: the first delivery of what is repeated, or the newer version's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_line: Option<u64>,
    /// What differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Finding {
    /// Of a kind, with nothing known.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            key: None,
            version_id: None,
            change: None,
            time: None,
            line: None,
            other_line: None,
            differences: Vec::new(),
            reason: None,
        }
    }
}

/// A fact that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name in an event.
    pub fact: &'static str,
    /// As the bucket lists it.
    pub bucket: String,
    /// As the file has it.
    pub file: String,
}

/// The first findings of each kind: by key, but unreadable lines by line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "they are of the kind that they are called")]
pub struct Examples {
    pub missing: Vec<Finding>,
    pub unknown: Vec<Finding>,
    pub repeated: Vec<Finding>,
    pub out_of_order: Vec<Finding>,
    pub changed: Vec<Finding>,
    pub unreadable: Vec<Finding>,
}

impl Examples {
    /// Those of a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &[Finding] {
        match kind {
            Kind::Missing => &self.missing,
            Kind::Unknown => &self.unknown,
            Kind::Repeated => &self.repeated,
            Kind::OutOfOrder => &self.out_of_order,
            Kind::Changed => &self.changed,
            Kind::Unreadable => &self.unreadable,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Vec<Finding> {
        match kind {
            Kind::Missing => &mut self.missing,
            Kind::Unknown => &mut self.unknown,
            Kind::Repeated => &mut self.repeated,
            Kind::OutOfOrder => &mut self.out_of_order,
            Kind::Changed => &mut self.changed,
            Kind::Unreadable => &mut self.unreadable,
        }
    }
}

/// The result: counts, the first findings of each kind, and a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Versions and delete markers of the bucket within what was asked for.
    pub expected: u64,
    /// Of these, those that the file has.
    pub compared: u64,
    /// Of these, those that it lacks.
    pub missing: u64,
    /// Of the missing, those that are newer than everything in the file.
    pub missing_after_newest: u64,
    /// See [`Kind::Unknown`].
    pub unknown: u64,
    /// Deliveries of a change behind its first one.
    pub repeated: u64,
    /// See [`Kind::OutOfOrder`].
    pub out_of_order: u64,
    /// Deliveries that are not as the bucket lists them.
    pub changed: u64,
    /// See [`Kind::Unreadable`].
    pub unreadable: u64,
    /// Lines of the file.
    pub lines: u64,
    /// Changes that they tell, each delivery counted.
    pub events: u64,
    /// Of these, those outside of what was asked for.
    pub outside: u64,
    /// Of these, those of other buckets.
    pub other_bucket: u64,
    /// Changes of versions that the bucket has no more, as the file itself tells.
    pub removed_for_good: u64,
    /// Changes of objects without versions that were overwritten since.
    pub replaced: u64,
    /// Records that tell of no change: test events, tags, restores.
    pub no_change: u64,
    /// The newest `eventTime` of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
    /// The sum of the ids ([`event_id`](bridge_core::event::event_id)) of what was compared, as numbers, without
    /// what exceeds 128 bits: 32 hexadecimal digits, the same in any order. Two who compared the same changes have
    /// the same.
    pub digest: String,
    /// The first of each kind.
    pub examples: Examples,
}

impl Report {
    /// How many of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Missing => self.missing,
            Kind::Unknown => self.unknown,
            Kind::Repeated => self.repeated,
            Kind::OutOfOrder => self.out_of_order,
            Kind::Changed => self.changed,
            Kind::Unreadable => self.unreadable,
        }
    }

    fn count_mut(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Missing => &mut self.missing,
            Kind::Unknown => &mut self.unknown,
            Kind::Repeated => &mut self.repeated,
            Kind::OutOfOrder => &mut self.out_of_order,
            Kind::Changed => &mut self.changed,
            Kind::Unreadable => &mut self.unreadable,
        }
    }

    /// Whether nothing is wrong. Repetitions are lawful, unless each change must have come once.
    #[must_use]
    pub fn is_right(&self, exactly_once: bool) -> bool {
        let kinds = Kind::ALL
            .iter()
            .filter(|kind| **kind != Kind::Repeated || exactly_once);
        kinds.map(|kind| self.count(*kind)).sum::<u64>() == 0
    }
}

/// Who is told each finding, as it is found.
pub type Sink<'a> = Box<dyn FnMut(&Finding) -> io::Result<()> + Send + 'a>;

/// Counts findings, keeps the first, and hands each to whoever wants all.
pub struct Findings<'a> {
    /// So far.
    pub report: Report,
    /// Kept of each kind.
    most: usize,
    sink: Option<Sink<'a>>,
}

impl<'a> Findings<'a> {
    /// Keeps `most` of each kind.
    #[must_use]
    pub fn new(most: usize, sink: Option<Sink<'a>>) -> Self {
        Self {
            report: Report::default(),
            most,
            sink,
        }
    }

    /// Counts one, and makes it only if somebody sees it.
    ///
    /// # Errors
    /// Who wants all could not take it.
    pub(super) fn add(&mut self, kind: Kind, finding: impl FnOnce(&mut Finding)) -> io::Result<()> {
        *self.report.count_mut(kind) += 1;
        let kept = self.report.examples.of_mut(kind);
        if kept.len() >= self.most && self.sink.is_none() {
            return Ok(());
        }
        let mut found = Finding::new(kind);
        finding(&mut found);
        if let Some(sink) = &mut self.sink {
            sink(&found)?;
        }
        if kept.len() < self.most {
            kept.push(found);
        }
        Ok(())
    }
}
