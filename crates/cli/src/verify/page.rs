//! The page of a comparison, of `--report`: what is wrong, by hour and by prefix.
//!
//! - `findings`: the first of each kind

mod findings;

use std::path::Path;

use bridge_core::timestamp::Timestamp;
use bridge_history::verify::report::Kind;

use crate::numbers::{count, grouped};
use crate::picture::by_prefix::{self, PREFIXES};
use crate::picture::filter;
use crate::picture::number::second;
use crate::picture::over_time::{self, used};
use crate::picture::page::{Page, Part, Section};
use crate::picture::table::{Cell, Table};
use crate::picture::timeline::{MOST_COLUMNS, Unit};
use crate::verify::options::VerifyArguments;
use crate::verify::tally::{Counted, Tally};
use crate::verify::told::{NAMES, Told, title};

/// Hours that are named.
const HOURS: usize = 20;

/// What was compared, to be shown.
pub(super) struct Verified<'a> {
    /// What is told of it.
    pub(super) told: &'a Told<'a>,
    /// All that was found.
    pub(super) tally: &'a Tally,
    /// What was asked for.
    pub(super) arguments: &'a VerifyArguments,
    /// When it ended.
    pub(super) ended: Timestamp,
}

impl Verified<'_> {
    /// The page.
    pub(super) fn page(&self) -> Page {
        let (report, scope) = (self.told.report, self.told.scope);
        let is_right = report.is_right(self.told.exactly_once);
        let mut sections = vec![self.kinds()];
        sections.extend(counted(&self.tally.wrong, "Problems", "Problems over time"));
        sections.extend(findings::section(report));
        sections.extend(counted(
            &self.tally.lawful,
            "Repetitions",
            "Repetitions, which are allowed, over time",
        ));
        let notes: Vec<_> = self.told.notes().into_iter().map(Part::Text).collect();
        if !notes.is_empty() {
            sections.push(Section {
                title: "To know before you believe it".to_owned(),
                parts: notes,
            });
        }
        let mut figures = vec![
            (grouped(report.expected), "Versions of the bucket"),
            (grouped(report.compared), "Of these in the copy"),
        ];
        let is_shown = |kind: &&Kind| **kind == Kind::Missing || report.count(**kind) > 0;
        let found = Kind::ALL.iter().filter(is_shown);
        figures.extend(found.map(|kind| (grouped(report.count(*kind)), title(*kind))));
        Page {
            title: if is_right {
                format!("Nothing is missing: a copy of {}", scope.bucket)
            } else {
                format!("What is wrong with a copy of {}", scope.bucket)
            },
            facts: self.facts(),
            figures,
            sections,
            source: format!(
                "By verify of s3-sqs-bridge {}, ended {}: {} in {} against {}. {}All times are UTC: \
                 LastModified of what the bucket has, eventTime of what is unknown or repeated.",
                env!("CARGO_PKG_VERSION"),
                second(self.ended),
                count(report.events, "event"),
                count(report.lines, "line"),
                count(report.expected, "version"),
                if self.arguments.heal.is_some() {
                    "Written before anything was healed. "
                } else {
                    ""
                }
            ),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let (arguments, scope) = (self.arguments, self.told.scope);
        let filter = &scope.filter;
        let path = |path: &Path| path.display().to_string();
        let of = match (&arguments.events, &arguments.queue_url) {
            (Some(file), _) if file == Path::new("-") => "standard input".to_owned(),
            (Some(file), _) => path(file),
            (None, url) => url.clone().unwrap_or_default(),
        };
        let mut facts = vec![("Bucket", scope.bucket.clone()), ("Copy", of)];
        facts.extend(
            arguments
                .plan
                .as_deref()
                .map(|plan| ("Instead of the bucket", path(plan))),
        );
        facts.extend(filter::keys(filter));
        facts.extend(filter.from.map(|from| ("From", second(from))));
        facts.extend(filter.until.map(|until| {
            let given = if scope.is_until_given {
                ""
            } else {
                ", when this began"
            };
            ("Before", second(until) + given)
        }));
        facts.extend(filter::kinds(filter));
        let newest = self.told.report.newest;
        facts.extend(newest.map(|newest| ("Newest event", second(newest))));
        facts.push(("Digest", self.told.report.digest.clone()));
        facts
    }

    /// What came of it, and how many of each kind.
    fn kinds(&self) -> Section {
        let (report, exactly_once) = (self.told.report, self.told.exactly_once);
        let is_right = report.is_right(exactly_once);
        let rows = Kind::ALL.map(|kind| {
            vec![
                Cell::Text(format!("{}: {}", title(kind), meaning(kind, exactly_once))),
                Cell::Figure(grouped(report.count(kind))),
            ]
        });
        let table = Table {
            caption: "Findings by kind".to_owned(),
            titles: vec!["Kind", "How many"],
            rows: rows.into(),
        };
        let order = if self.told.scope.has_order {
            ""
        } else {
            " The queue keeps no order, so that was not compared."
        };
        let versions = count(report.expected, "version");
        let result = match (is_right, report.expected) {
            (true, 0) => Part::Warning(
                "Nothing was compared: the bucket has no version of what was asked for.".to_owned(),
            ),
            (true, _) => Part::Text(format!(
                "Nothing is missing, unknown, out of order or changed: {versions} of the bucket, delete markers too, \
                 and the copy has each of them.{order}"
            )),
            (false, _) => Part::Warning(format!(
                "Of {versions} of the bucket, delete markers too, the copy has {}.{order}",
                grouped(report.compared)
            )),
        };
        Section {
            title: if is_right { "Right" } else { "Wrong" }.to_owned(),
            parts: vec![result, Part::Table(table)],
        }
    }
}

/// By time, by hour and by prefix; nothing if there is none.
fn counted(counted: &Counted, what: &'static str, title: &str) -> Vec<Section> {
    let mut sections = Vec::new();
    if let Some(timeline) = counted.hours.timeline(MOST_COLUMNS) {
        let mut parts = vec![over_time::chart(&timeline, what, &NAMES)];
        // The chart's own figures are of hours already.
        if timeline.unit() != Unit::Hour {
            parts.push(Part::Table(largest(counted, what)));
        }
        sections.push(Section {
            title: format!("{title}, by {}", timeline.unit().word()),
            parts,
        });
    }
    if let Some(beside) = counted.hours.beside() {
        let text = format!("In no column, since {beside}.");
        match sections.last_mut() {
            Some(section) => section.parts.push(Part::Text(text)),
            None => sections.push(Section {
                title: title.to_owned(),
                parts: vec![Part::Text(text)],
            }),
        }
    }
    sections.extend(prefixes(counted, what));
    sections
}

fn largest(counted: &Counted, what: &'static str) -> Table {
    let rows = counted.hours.largest(HOURS);
    let kinds = used(rows.iter().map(|(_, counts)| counts));
    let unit = counted.hours.unit();
    let word = match unit {
        Unit::Hour => "Hour from",
        other => other.title(),
    };
    Table {
        caption: format!("Where {} are most, by {}", what.to_lowercase(), unit.word()),
        titles: titles(&[word], &kinds),
        rows: rows
            .iter()
            .map(|(name, counts)| over_time::row(name, counts, &kinds))
            .collect(),
    }
}

fn prefixes(counted: &Counted, what: &str) -> Option<Section> {
    let lines = counted.prefixes.lines(PREFIXES);
    let all: u64 = lines
        .iter()
        .filter(|line| line.depth == 0)
        .map(|line| line.weight.0.iter().sum::<u64>())
        .sum();
    let kinds = used(lines.iter().map(|line| &line.weight.0));
    let parts = by_prefix::parts(
        &lines,
        (&what.to_lowercase(), all),
        titles(&["Prefix", "Of all"], &kinds),
        |counts| kinds.iter().map(|kind| grouped(counts.0[*kind])).collect(),
    );
    (all > 0).then(|| Section {
        title: format!("{what} by prefix"),
        parts,
    })
}

/// These, and those of the kinds.
fn titles(first: &[&'static str], kinds: &[usize]) -> Vec<&'static str> {
    let kinds = kinds.iter().map(|kind| NAMES[*kind].1);
    first.iter().copied().chain(kinds).collect()
}

fn meaning(kind: Kind, exactly_once: bool) -> &'static str {
    match kind {
        Kind::Missing => "the bucket has it, the copy does not",
        Kind::Unknown => {
            "the copy has it, the bucket does not, or it tells of a removal of what is there"
        }
        Kind::Repeated if exactly_once => "the same change once more, which was to come once",
        Kind::Repeated => "the same change once more, which is allowed: delivery is at least once",
        Kind::OutOfOrder => "it came behind a newer version of its key",
        Kind::Changed => "it is not as the bucket lists it",
        Kind::Unreadable => "a line, or a part of one, that is no event",
    }
}
