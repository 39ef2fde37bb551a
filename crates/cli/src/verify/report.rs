//! How a comparison's end is told with pictures: a histogram on a terminal, and the page of `--report`.

use std::path::{Path, absolute};
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
/// [`Usage`] when it cannot be had, or is another option's.
pub(super) fn file(arguments: &VerifyArguments) -> Result<Option<PageFile>, Usage> {
    let Some(path) = &arguments.report else {
        return Ok(None);
    };
    let mut others = arguments.files();
    if let Some((option, _)) = others.find(|(_, other)| is_same(path, other)) {
        return Err(Usage(format!(
            "--report: {} is the file of {option}, too: name another",
            path.display()
        )));
    }
    PageFile::check(path, arguments.overwrite).map(Some)
}

/// Whether two paths are of one file, also by links in front of it, or where it is not there yet.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let path = absolute(path).unwrap_or_else(|_| path.to_owned());
        path.canonicalize().unwrap_or_else(|_| {
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            let found = folder.zip(path.file_name());
            found.map_or(path.clone(), |(folder, name)| folder.join(name))
        })
    };
    place(one) == place(other)
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
    fn one_file_is_known_by_any_of_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        std::fs::write(&there, "").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        for (one, other, expected) in [
            (there.clone(), link.join("there"), true),
            (folder.path().join("new"), link.join("./new"), true),
            (
                folder.path().join("new"),
                folder.path().join("newer"),
                false,
            ),
            (there, folder.path().join("new"), false),
            ("report.html".into(), "./report.html".into(), true),
            ("-".into(), "report.html".into(), false),
        ] {
            assert_eq!(is_same(&one, &other), expected, "{one:?} {other:?}");
        }
    }

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
