//! What is counted by time, as a chart and its figures.

use crate::numbers::grouped;
use crate::picture::chart::Chart;
use crate::picture::page::Part;
use crate::picture::table::{Cell, Table};
use crate::picture::timeline::Timeline;

/// A kind, in a legend and as a title.
pub(crate) type Names = (&'static str, &'static str);

/// The chart of a timeline, with those of its kinds that there are; `what` is counted: "Events".
pub(crate) fn chart<const KINDS: usize>(
    timeline: &Timeline<KINDS>,
    what: &'static str,
    kinds: &[Names; KINDS],
) -> Part {
    let word = timeline.unit().word();
    let columns: Vec<_> = timeline.columns().collect();
    let used = used(columns.iter().map(|(_, counts)| counts));
    let kinds: Vec<_> = used.iter().map(|kind| (*kind, kinds[*kind])).collect();
    let all: u64 = columns.iter().flat_map(|(_, counts)| counts).sum();
    let most = columns
        .iter()
        .max_by_key(|(_, counts)| counts.iter().sum::<u64>());
    let description = most.map_or_else(String::new, |(name, counts)| {
        format!(
            "{} {} in {} columns of a {word}; most of them, {}, in that of {name}",
            grouped(all),
            what.to_lowercase(),
            columns.len(),
            grouped(counts.iter().sum())
        )
    });
    let numbers = kinds.iter().map(|(kind, (legend, _))| {
        let numbers = columns.iter().map(|(_, counts)| counts[*kind]);
        (*legend, numbers.collect())
    });
    let chart = Chart {
        title: format!("{what} by {word}"),
        description,
        unit: what,
        columns: columns.iter().map(|(name, _)| name.clone()).collect(),
        kinds: numbers.collect(),
    };
    let rows = columns
        .iter()
        .filter(|(_, counts)| counts.iter().any(|n| *n > 0));
    let titles = kinds.iter().map(|(_, (_, title))| *title);
    let table = Table {
        caption: format!("{what} by {word}"),
        titles: std::iter::once(timeline.unit().title())
            .chain(titles)
            .collect(),
        rows: rows
            .map(|(name, counts)| row(name, counts, &used))
            .collect(),
    };
    Part::Chart(chart, table)
}

/// The kinds of which there is any.
pub(crate) fn used<'a, const KINDS: usize>(
    counts: impl Iterator<Item = &'a [u64; KINDS]>,
) -> Vec<usize> {
    let mut sums = [0u64; KINDS];
    for counts in counts {
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    (0..KINDS).filter(|kind| sums[*kind] > 0).collect()
}

/// A time, and its figures of these kinds.
pub(crate) fn row<const KINDS: usize>(
    name: &str,
    counts: &[u64; KINDS],
    kinds: &[usize],
) -> Vec<Cell> {
    let figures = kinds
        .iter()
        .map(|kind| Cell::Figure(grouped(counts[*kind])));
    std::iter::once(Cell::Text(name.to_owned()))
        .chain(figures)
        .collect()
}
