//! What is counted by prefix, as a table.

use crate::numbers::grouped;
use crate::picture::heavy::Additive;
use crate::picture::page::Part;
use crate::picture::prefixes::{Line, Of};
use crate::picture::table::{Cell, Table};

/// Prefixes that are named.
pub(crate) const PREFIXES: usize = 20;

/// A table of these lines, and what it leaves open. `what` is counted, in all so many; below the titles stand a
/// prefix, its part of all, and its `figures`.
pub(crate) fn parts<W: Additive>(
    lines: &[Line<W>],
    (what, all): (&str, u64),
    titles: Vec<&'static str>,
    figures: impl Fn(&W) -> Vec<String>,
) -> Vec<Part> {
    let rows = lines.iter().map(|line| {
        let least = if line.missed > 0 { "≥ " } else { "" };
        let figures = figures(&line.weight).into_iter();
        let figures = figures.map(|text| Cell::Figure(format!("{least}{text}")));
        [of(line), part(line.weight.events(), all)]
            .into_iter()
            .chain(figures)
            .collect()
    });
    let mut parts = vec![Part::Table(Table {
        caption: format!("Prefixes with most {what}"),
        titles,
        rows: rows.collect(),
    })];
    let missed = lines.iter().map(|line| line.missed).max().unwrap_or(0);
    if missed > 0 {
        parts.push(Part::Text(format!(
            "There are more prefixes than are counted at a time: a figure behind ≥ is at least so much, and \
             misses {} {what} at most.",
            grouped(missed)
        )));
    }
    parts
}

fn of<W>(line: &Line<W>) -> Cell {
    match &line.of {
        Of::Prefix(prefix) => Cell::Key(prefix.clone(), line.depth),
        Of::WithoutSlash => Cell::Text("keys without a slash".to_owned()),
        Of::Others => Cell::Text("all others".to_owned()),
    }
}

fn part(events: u64, all: u64) -> Cell {
    #[expect(clippy::cast_precision_loss, reason = "a bar's length")]
    let part = events as f64 / all.max(1) as f64;
    Cell::Part(part)
}
