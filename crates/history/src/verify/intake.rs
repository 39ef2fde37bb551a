//! Both sides, made into records.

use std::io;

use bridge_core::event::{Event, change_id, event_id};
use bridge_core::listing::version::{MOST_TEXT, PlannedVersion};

use crate::verify::message::{Told, read_line};
use crate::verify::record::{Arrival, Seen, write_row};
use crate::verify::report::{Findings, Kind};
use crate::verify::scope::Scope;
use crate::verify::sorter::Sorter;

/// Takes the lines of a consumer's file, then the rows of the bucket.
pub struct Intake<'a, 'f> {
    scope: &'a Scope,
    sorter: &'a mut Sorter,
    findings: &'a mut Findings<'f>,
    record: Vec<u8>,
}

impl<'a, 'f> Intake<'a, 'f> {
    /// Counts in `findings`.
    #[must_use]
    pub fn new(scope: &'a Scope, sorter: &'a mut Sorter, findings: &'a mut Findings<'f>) -> Self {
        Self {
            scope,
            sorter,
            findings,
            record: Vec::new(),
        }
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// What keeps records from being written.
    pub fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.findings.report.lines += 1;
        let number = self.findings.report.lines;
        let read = read_line(line);
        self.findings.report.no_change += read.no_change;
        for reason in read.unreadable {
            self.unreadable(reason)?;
        }
        for (place, told) in (0..).zip(&read.told) {
            match Arrival::new(number, place) {
                Some(arrival) => self.event(told, arrival)?,
                None => self.unreadable("more events than a message can hold".to_owned())?,
            }
        }
        Ok(())
    }

    /// Counts a line, or a part of the last one, that cannot be read.
    ///
    /// # Errors
    /// Who wants all findings could not take it.
    pub fn unreadable(&mut self, reason: String) -> io::Result<()> {
        let line = self.findings.report.lines;
        self.findings.add(Kind::Unreadable, |finding| {
            finding.line = Some(line);
            finding.reason = Some(reason);
        })
    }

    fn event(&mut self, told: &Told, arrival: Arrival) -> io::Result<()> {
        let (event, report) = (&told.event, &mut self.findings.report);
        if let Some(reason) = too_long(event) {
            return self.unreadable(reason);
        }
        report.events += 1;
        if event.bucket != self.scope.bucket {
            report.other_bucket += 1;
            return Ok(());
        }
        if self.scope.leaves_out(&event.key, told.change) {
            report.outside += 1;
            return Ok(());
        }
        report.newest = report.newest.max(Some(event.event_time));
        let change = change_id(event);
        let overwrite = change
            .rsplit_once(':')
            .filter(|_| event.version_id == "null")
            .map_or("", |(_, overwrite)| overwrite);
        let id = event_id(&event.bucket, &event.key, &event.version_id, told.change);
        let seen = Seen {
            key: &event.key,
            version_id: &event.version_id,
            change: told.change,
            overwrite,
            arrival,
            time: event.event_time,
            time_is_listed: told.time_is_listed,
            id_is_right: event.event_id == id,
            size: event.size,
            e_tag: event.e_tag.as_deref(),
        };
        seen.write(&mut self.record);
        self.sorter.push(&self.record)
    }

    /// Takes a version that the bucket lists.
    ///
    /// # Errors
    /// What keeps records from being written.
    pub fn row(&mut self, row: &PlannedVersion) -> io::Result<()> {
        write_row(&row.borrowed(), &mut self.record);
        self.sorter.push(&self.record)
    }
}

/// Why no bucket can have what an event names: a listing refuses it, too.
fn too_long(event: &Event) -> Option<String> {
    let tag = event.e_tag.as_deref().unwrap_or_default();
    let parts = [
        ("key", event.key.len()),
        ("versionId", event.version_id.len()),
        ("eTag", tag.len()),
    ];
    let (name, bytes) = parts.into_iter().find(|(_, bytes)| *bytes > MOST_TEXT)?;
    Some(format!(
        "its {name} has {bytes} bytes, allowed are {MOST_TEXT}"
    ))
}
