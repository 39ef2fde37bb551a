//! The sorted records of both sides, version by version.

use std::io;
use std::sync::Arc;

use bridge_core::event::{Change, event_id};
use bridge_core::timestamp::Timestamp;

use crate::verify::order::KeyOrder;
use crate::verify::part::text;
use crate::verify::record::{Arrival, Of, Record};
use crate::verify::report::{Finding, Findings, Kind};
use crate::verify::scope::Scope;
use crate::verify::scratch::Scratch;
use crate::verify::sorter::Sorted;
use crate::verify::version::{Row, Version};

/// Who is told which keys lack something: the key, and the rank of its first version that is missing.
pub type Gaps<'a> = &'a mut (dyn FnMut(&str, u64) -> io::Result<()> + Send);

/// Compares what was taken in.
///
/// # Errors
/// What keeps records from being read, and what `gaps` or the findings' sink fails with.
pub fn compare(
    sorted: &Sorted,
    scratch: Arc<dyn Scratch>,
    scope: &Scope,
    findings: &mut Findings<'_>,
    gaps: Gaps<'_>,
) -> io::Result<()> {
    let mut comparison = Comparison {
        scope,
        findings,
        gaps,
        order: KeyOrder::new(scratch),
        key: None,
        key_text: String::new(),
        version: Version::default(),
        first_missing: None,
        digest: 0,
    };
    let mut merge = sorted.merge()?;
    while let Some(bytes) = merge.next_record()? {
        comparison.record(&Record::read(bytes))?;
    }
    comparison.end()
}

struct Comparison<'a, 'f> {
    scope: &'a Scope,
    findings: &'a mut Findings<'f>,
    gaps: Gaps<'a>,
    order: KeyOrder,
    /// As it sorts; `None` before the first.
    key: Option<Vec<u8>>,
    key_text: String,
    version: Version,
    /// Of the key.
    first_missing: Option<u64>,
    digest: u128,
}

impl Comparison<'_, '_> {
    fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        if self.key.as_deref() != Some(record.key) {
            self.end_key()?;
            self.key = Some(record.key.to_vec());
            self.key_text = text(record.key);
            self.version.begin(record.version);
        } else if self.version.id != record.version {
            self.end_version()?;
            self.version.begin(record.version);
        }
        match record.of {
            Of::Bucket { .. } => {
                self.version.row = Row::of(record, |row| self.scope.expects(row));
                Ok(())
            }
            Of::Consumer { overwrite, arrival } => {
                let first = self
                    .version
                    .first_of_repeat(record.change, overwrite, arrival);
                match record.change {
                    Change::Deleted => self.removal(first, record, arrival),
                    Change::Created | Change::Removed => self.coming(first, record, arrival),
                }
            }
        }
    }

    /// The file tells that the version was removed for good. An object without versions may have come again since.
    fn removal(
        &mut self,
        first: Option<Arrival>,
        record: &Record<'_>,
        arrival: Arrival,
    ) -> io::Result<()> {
        self.version.removed_at = self.version.removed_at.max(Some(record.facts.time));
        if first.is_some() {
            return self.repeated(first, record, arrival);
        }
        if self.version.row.is_some() && !self.version.is_null() && !self.scope.is_frozen {
            let reason = "it tells that this version was removed for good, and the bucket has it";
            return self.unknown(record, arrival, Some(reason));
        }
        Ok(())
    }

    /// The file tells that the version came.
    fn coming(
        &mut self,
        first: Option<Arrival>,
        record: &Record<'_>,
        arrival: Arrival,
    ) -> io::Result<()> {
        let Some(row) = &self.version.row else {
            return match (first, self.version.is_removed(record.facts.time)) {
                (Some(_), _) => self.repeated(first, record, arrival),
                (None, true) => {
                    self.findings.report.removed_for_good += 1;
                    Ok(())
                }
                (None, false) if self.scope.is_of_another_time(record.facts.time) => {
                    self.findings.report.outside += 1;
                    Ok(())
                }
                (None, false) => self.unknown(record, arrival, None),
            };
        };
        if !row.is_expected {
            self.findings.report.outside += 1;
            return Ok(());
        }
        if self.version.is_null()
            && !row.is_told_by(record.change, &record.facts, self.scope.is_frozen)
        {
            return self.overwritten(first, record, arrival);
        }
        if row.change != record.change {
            if first.is_some() {
                return self.repeated(first, record, arrival);
            }
            let reason = "the bucket lists this version as another kind of change";
            return self.unknown(record, arrival, Some(reason));
        }
        let differences = row.differences(&record.facts);
        let time = row.last_modified;
        if !differences.is_empty() {
            self.found(Kind::Changed, record.change, time, arrival, |finding| {
                finding.differences = differences;
            })?;
        }
        self.version.came(arrival);
        if first.is_some() {
            return self.repeated(first, record, arrival);
        }
        Ok(())
    }

    /// An event of an object without versions tells of another content than the bucket has: one that was replaced,
    /// unless it claims the very time of what is there.
    fn overwritten(
        &mut self,
        first: Option<Arrival>,
        record: &Record<'_>,
        arrival: Arrival,
    ) -> io::Result<()> {
        if first.is_some() {
            return self.repeated(first, record, arrival);
        }
        let same =
            |row: &&Row| row.change == record.change && row.last_modified == record.facts.time;
        if let Some(row) = self.version.row.as_ref().filter(same)
            && self.version.stand_in.is_none()
        {
            let differences = row.differences(&record.facts);
            self.version.stand_in = Some((arrival, differences));
            return Ok(());
        }
        self.findings.report.replaced += 1;
        Ok(())
    }

    fn end_version(&mut self) -> io::Result<()> {
        let Some(row) = self.version.row.take().filter(|row| row.is_expected) else {
            return Ok(());
        };
        self.findings.report.expected += 1;
        match (self.version.delivered, self.version.stand_in.take()) {
            (None, Some((arrival, differences))) => {
                self.version.came(arrival);
                self.found(
                    Kind::Changed,
                    row.change,
                    row.last_modified,
                    arrival,
                    |finding| {
                        finding.differences = differences;
                    },
                )?;
            }
            (Some(_), Some(_)) => self.findings.report.replaced += 1,
            (_, None) => {}
        }
        let Some(delivered) = self.version.delivered else {
            return self.missing(&row);
        };
        self.findings.report.compared += 1;
        let id = event_id(
            &self.scope.bucket,
            &self.key_text,
            &self.version.id_text(),
            row.change,
        );
        let id = u128::from_str_radix(&id, 16).unwrap_or_default();
        self.digest = self.digest.wrapping_add(id);
        if !self.scope.has_order {
            return Ok(());
        }
        // Which of several overwrites with one content it was, nobody can tell: what is late behind the last of them,
        // or stands before the first, is so behind or before each.
        self.order
            .push(row.rank, row.last_modified, delivered, &self.version.id)
    }

    fn missing(&mut self, row: &Row) -> io::Result<()> {
        if self.scope.is_frozen && self.version.is_removed(row.last_modified) {
            self.findings.report.removed_for_good += 1;
            return Ok(());
        }
        self.first_missing = Some(
            self.first_missing
                .map_or(row.rank, |rank| rank.min(row.rank)),
        );
        if self
            .findings
            .report
            .newest
            .is_none_or(|newest| row.effective_time > newest)
        {
            self.findings.report.missing_after_newest += 1;
        }
        let (key, id) = (&self.key_text, &self.version);
        self.findings.add(Kind::Missing, |finding| {
            finding.key = Some(key.clone());
            finding.version_id = Some(id.id_text());
            finding.change = Some(row.change);
            finding.time = Some(row.last_modified);
        })
    }

    fn end_key(&mut self) -> io::Result<()> {
        if self.key.is_none() {
            return Ok(());
        }
        self.end_version()?;
        let (key, findings) = (&self.key_text, &mut *self.findings);
        self.order.end(|late| {
            findings.add(Kind::OutOfOrder, |finding| {
                finding.key = Some(key.clone());
                finding.version_id = Some(text(late.version));
                finding.time = Some(late.time);
                finding.line = Some(late.first.line());
                finding.other_line = Some(late.newer.line());
            })
        })?;
        match self.first_missing.take() {
            Some(rank) => (self.gaps)(key, rank),
            None => Ok(()),
        }
    }

    fn end(mut self) -> io::Result<()> {
        self.end_key()?;
        self.findings.report.digest = format!("{:032x}", self.digest);
        Ok(())
    }

    fn repeated(
        &mut self,
        first: Option<Arrival>,
        record: &Record<'_>,
        arrival: Arrival,
    ) -> io::Result<()> {
        let time = record.facts.time;
        self.found(Kind::Repeated, record.change, time, arrival, |finding| {
            finding.other_line = first.map(Arrival::line);
        })
    }

    fn unknown(
        &mut self,
        record: &Record<'_>,
        arrival: Arrival,
        reason: Option<&str>,
    ) -> io::Result<()> {
        let time = record.facts.time;
        self.found(Kind::Unknown, record.change, time, arrival, |finding| {
            finding.reason = reason.map(str::to_owned);
        })
    }

    /// A finding of an event of this version.
    fn found(
        &mut self,
        kind: Kind,
        change: Change,
        time: Timestamp,
        arrival: Arrival,
        more: impl FnOnce(&mut Finding),
    ) -> io::Result<()> {
        let (key, version) = (&self.key_text, &self.version);
        self.findings.add(kind, |finding| {
            finding.key = Some(key.clone());
            finding.version_id = Some(version.id_text());
            finding.change = Some(change);
            finding.time = Some(time);
            finding.line = Some(arrival.line());
            more(finding);
        })
    }
}
