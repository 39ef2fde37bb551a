//! The first findings of each kind, as tables.

use bridge_core::text::{MOST_SHOWN, shown};
use bridge_history::verify::report::{Finding, Kind, Report};

use crate::numbers::grouped;
use crate::picture::number::second;
use crate::picture::page::{Part, Section};
use crate::picture::table::{Cell, Table};
use crate::verify::told::{more, title};

/// Bytes of a version's id that are shown: S3's have 32, a copy may claim any.
const MOST_ID: usize = 100;

/// What may be told of a finding.
const TITLES: [&str; 5] = ["Key", "Version", "Time", "Line", "What"];

/// None if nothing was found, or none was kept.
pub(super) fn section(report: &Report) -> Option<Section> {
    let mut parts = Vec::new();
    for kind in Kind::ALL {
        let (kept, all) = (report.examples.of(kind), report.count(kind));
        if kept.is_empty() {
            continue;
        }
        let of = if kept.len() as u64 == all {
            String::new()
        } else {
            let order = if kind == Kind::Unreadable {
                "line"
            } else {
                "key"
            };
            format!(", the first {} of {} by {order}", kept.len(), grouped(all))
        };
        parts.push(Part::Text(format!("{}{of}:", title(kind))));
        parts.push(Part::Table(table(kind, kept)));
    }
    (!parts.is_empty()).then(|| Section {
        title: "Which".to_owned(),
        parts,
    })
}

/// With the columns that say something.
fn table(kind: Kind, findings: &[Finding]) -> Table {
    let rows: Vec<_> = findings.iter().map(cells).collect();
    let is_told = |at: &usize| rows.iter().any(|row| row[*at].is_some());
    let told: Vec<usize> = (0..TITLES.len()).filter(is_told).collect();
    let chosen = rows.iter().map(|row| {
        let chosen = told.iter().map(|at| row[*at].clone());
        chosen
            .map(|cell| cell.unwrap_or(Cell::Text(String::new())))
            .collect()
    });
    Table {
        caption: title(kind).to_owned(),
        titles: told.iter().map(|at| TITLES[*at]).collect(),
        rows: chosen.collect(),
    }
}

fn cells(finding: &Finding) -> [Option<Cell>; TITLES.len()] {
    let text = |text: &str, most| Cell::Text(shown(text, most));
    let what = more(finding);
    [
        finding.key.as_ref().map(|key| Cell::Key(key.clone(), 0)),
        finding.version_id.as_ref().map(|id| text(id, MOST_ID)),
        finding.time.map(|time| Cell::Text(second(time))),
        finding.line.map(|line| Cell::Figure(grouped(line))),
        (!what.is_empty()).then(|| text(&what, MOST_SHOWN)),
    ]
}
