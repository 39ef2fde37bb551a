//! How a comparison's end is told.

use std::fmt::Write as _;
use std::time::Duration;

use bridge_core::text::{MOST_SHOWN, shown};
use bridge_core::timestamp::Timestamp;
use bridge_history::verify::report::{Finding, Kind, Report};
use bridge_history::verify::scope::Scope;
use serde_json::{Value, json};

use crate::answer::answer;
use crate::numbers::{count, grouped};
use crate::picture::over_time::Names;

/// What is told.
pub(super) struct Told<'a> {
    /// What was found.
    pub(super) report: &'a Report,
    /// What was compared.
    pub(super) scope: &'a Scope,
    /// Whether repetitions are wrong.
    pub(super) exactly_once: bool,
}

impl Told<'_> {
    /// On standard output; for a terminal, with what is wrong over time.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(super) fn tell(&self, json: bool, over_time: &[String]) -> anyhow::Result<()> {
        if json {
            answer(&self.json()?.to_string())
        } else {
            answer(self.text(over_time).trim_end())
        }
    }

    fn json(&self) -> anyhow::Result<Value> {
        let mut told = serde_json::to_value(self.report)?;
        told["right"] = json!(self.report.is_right(self.exactly_once));
        told["bucket"] = json!(self.scope.bucket);
        for (name, time) in [
            ("from", self.scope.filter.from),
            ("until", self.scope.filter.until),
        ] {
            if let Some(time) = time {
                told[name] = json!(time);
            }
        }
        Ok(told)
    }

    fn text(&self, over_time: &[String]) -> String {
        let (report, filter) = (self.report, &self.scope.filter);
        let is_right = report.is_right(self.exactly_once);
        let mut text = format!(
            "{}: {} of {} of bucket {} are in {}",
            if is_right { "right" } else { "WRONG" },
            grouped(report.compared),
            count(report.expected, "version"),
            self.scope.bucket,
            count(report.events, "event")
        );
        if let Some(until) = filter.until {
            let given = if self.scope.is_until_given {
                ""
            } else {
                ", when this began"
            };
            // Writing to a text cannot fail.
            let _ = write!(text, " (until {until}{given})");
        }
        text.push('\n');
        for kind in Kind::ALL {
            let _ = writeln!(text, "{:>12}  {}", grouped(report.count(kind)), name(kind));
            for finding in report.examples.of(kind) {
                let _ = writeln!(text, "              {}", line(finding));
            }
            let more = report.count(kind) - report.examples.of(kind).len() as u64;
            if more > 0 {
                let _ = writeln!(text, "              … and {} more", grouped(more));
            }
        }
        for line in over_time.iter().chain(&self.notes()) {
            let _ = writeln!(text, "{line}");
        }
        let _ = writeln!(text, "digest of what was compared: {}", report.digest);
        text
    }

    /// What a reader should know before he believes the figures.
    pub(super) fn notes(&self) -> Vec<String> {
        let report = self.report;
        let mut notes = Vec::new();
        if let Some(newest) = report.newest
            && report.missing_after_newest > 0
        {
            // The end of the second in which it happened.
            let second = Timestamp(newest.0 - newest.0.rem_euclid(1000));
            let until = second + Duration::from_secs(1);
            notes.push(format!(
                "{} of the missing are newer than everything in the file. If it was closed then, and the bucket went \
                 on, compare with --until {until}",
                report.missing_after_newest
            ));
        }
        if report.repeated > 0 && !self.exactly_once {
            notes.push(
                "repetitions are lawful: delivery is at least once (--exactly-once takes them for wrong)".to_owned(),
            );
        }
        for (number, what) in [
            (
                report.outside,
                "events are of other keys, times or kinds: not compared",
            ),
            (
                report.other_bucket,
                "events are of other buckets: not compared",
            ),
            (
                report.removed_for_good,
                "versions are gone from the bucket, as the file itself tells",
            ),
            (
                report.replaced,
                "overwrites of objects without versions: the bucket has only the last",
            ),
            (report.no_change, "records tell of no change"),
        ] {
            if number > 0 {
                notes.push(format!("{} {what}", grouped(number)));
            }
        }
        notes
    }
}

/// In the order of [`Kind::ALL`].
pub(super) const NAMES: [Names; Kind::ALL.len()] = [
    ("missing", "Missing"),
    ("unknown", "Unknown"),
    ("repeated", "Repeated"),
    ("out of order", "Out of order"),
    ("changed", "Changed"),
    ("unreadable", "Unreadable"),
];

fn name(kind: Kind) -> &'static str {
    NAMES[kind as usize].0
}

/// A kind, where it stands as a title.
pub(super) fn title(kind: Kind) -> &'static str {
    NAMES[kind as usize].1
}

/// A finding on one line, without anything that a terminal obeys.
fn line(finding: &Finding) -> String {
    let mut text = String::new();
    if let Some(line) = finding.line {
        let _ = write!(text, "line {line}: ");
    }
    if let (Some(key), Some(version)) = (&finding.key, &finding.version_id) {
        let _ = write!(text, "{key:?} version {version}");
    }
    if let Some(time) = finding.time {
        let _ = write!(text, " of {time}");
    }
    let more = more(finding);
    if !more.is_empty() {
        let comma = if finding.key.is_some() { ", " } else { "" };
        let _ = write!(text, "{comma}{more}");
    }
    shown(&text, MOST_SHOWN)
}

/// What else is known of a finding than where it is: not escaped.
pub(super) fn more(finding: &Finding) -> String {
    let other = finding.other_line.map(|other| {
        let what = match finding.kind {
            Kind::Repeated => "first in line",
            _ => "behind a newer version in line",
        };
        format!("{what} {other}")
    });
    let differences = finding.differences.iter().map(|differs| {
        format!(
            "{} {} instead of {}",
            differs.fact, differs.file, differs.bucket
        )
    });
    let parts = other
        .into_iter()
        .chain(differences)
        .chain(finding.reason.clone());
    parts.collect::<Vec<_>>().join(", ")
}
