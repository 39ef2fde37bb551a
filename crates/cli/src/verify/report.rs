//! How a comparison's end is told with pictures: a histogram on a terminal, and the page of `--report`.

use std::sync::{Arc, Mutex, PoisonError};

use bridge_core::clock::{Clock as _, SystemClock};
use bridge_history::verify::scope::Scope;

use crate::answer::terminal_width;
use crate::picture::bars;
use crate::picture::file::PageFile;
use crate::verify::options::VerifyArguments;
use crate::verify::page::Verified;
use crate::verify::tally::{Counted, Shared, Tally};
use crate::verify::told::Told;
use crate::{Usage, tell};

/// The file of `--report`, before anything is read or made.
///
/// # Errors
/// [`Usage`] when it cannot be had.
pub(super) fn file(arguments: &VerifyArguments) -> Result<Option<PageFile>, Usage> {
    let Some(path) = &arguments.report else {
        return Ok(None);
    };
    PageFile::check(path, arguments.overwrite).map(Some)
}

/// What is shown besides numbers, if anybody sees it.
pub(super) struct Pictures {
    page: Option<PageFile>,
    /// Cells of a line of the terminal that a person reads.
    width: Option<usize>,
    tally: Option<Shared>,
}

impl Pictures {
    pub(super) fn new(page: Option<PageFile>, arguments: &VerifyArguments, scope: &Scope) -> Self {
        let width = if arguments.json {
            None
        } else {
            terminal_width()
        };
        let prefix = &scope.filter.prefix;
        let tally = || Tally::new(prefix, arguments.exactly_once, SystemClock.now());
        let is_seen = page.is_some() || width.is_some();
        Self {
            page,
            width,
            tally: is_seen.then(|| Arc::new(Mutex::new(tally()))),
        }
    }

    /// Where findings are counted.
    pub(super) fn tally(&self) -> Option<Shared> {
        self.tally.clone()
    }

    /// Tells the end, and then writes the page.
    ///
    /// # Errors
    /// When standard output, or the page's file, does not take it.
    pub(super) fn tell(&self, told: &Told<'_>, arguments: &VerifyArguments) -> anyhow::Result<()> {
        let Some(tally) = &self.tally else {
            return told.tell(arguments.json, &[]);
        };
        let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = self.width.map(|width| histogram(&tally.wrong, width));
        told.tell(arguments.json, &lines.unwrap_or_default())?;
        let Some(file) = &self.page else {
            return Ok(());
        };
        let verified = Verified {
            told,
            tally: &tally,
            arguments,
            ended: SystemClock.now(),
        };
        file.write(&verified.page().html()?)?;
        tell(&format!("report in {}", file.path().display()));
        Ok(())
    }
}

/// What is wrong over time, in lines that fit.
fn histogram(wrong: &Counted, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(timeline) = wrong.hours.timeline(bars::MOST) {
        lines.push(format!("what is wrong by {}, UTC:", timeline.unit().word()));
        let columns = timeline.columns();
        let counts: Vec<_> = columns
            .map(|(name, counts)| (name, counts.iter().sum()))
            .collect();
        lines.extend(bars::histogram(&counts, width));
    }
    lines.extend(wrong.hours.beside());
    lines
}

#[cfg(test)]
mod tests {
    use bridge_core::timestamp::Timestamp;
    use bridge_history::verify::report::{Finding, Kind};

    use super::*;

    #[test]
    fn the_histogram_shows_what_is_wrong_by_the_finest_unit_that_fits() {
        let now = Timestamp::parse("2026-11-27T00:00:00Z").unwrap();
        let mut tally = Tally::new("", false, now);
        let mut add = |kind, time: &str| {
            let mut finding = Finding::new(kind);
            finding.time = Some(Timestamp::parse(time).unwrap());
            tally.add(&finding);
        };
        add(Kind::Missing, "2024-05-01T12:59:00Z");
        add(Kind::Changed, "2024-05-01T14:00:00Z");
        add(Kind::Missing, "2024-05-01T14:30:00Z");
        add(Kind::Unknown, "9999-01-01T00:00:00Z");
        // Lawful.
        add(Kind::Repeated, "2024-05-01T18:00:00Z");
        let lines = histogram(&tally.wrong, 31);
        let expected = [
            "what is wrong by hour, UTC:",
            "  2024-05-01 12:00 1 █████",
            "  2024-05-01 13:00 0",
            "  2024-05-01 14:00 2 ██████████",
            "of a time before S3 there was, or in the future: 1",
        ];
        assert_eq!(lines, expected);
    }
}
