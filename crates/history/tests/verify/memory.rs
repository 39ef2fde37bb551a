//! Files in memory, and a comparison of rows with lines.

use std::collections::HashMap;
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use bridge_core::event::Event;
use bridge_core::listing::version::PlannedVersion;
use bridge_history::scan::filter::Filter;
use bridge_history::verify::compare::compare;
use bridge_history::verify::intake::Intake;
use bridge_history::verify::report::{Finding, Findings, Kind, Report};
use bridge_history::verify::scope::Scope;
use bridge_history::verify::scratch::Scratch;
use bridge_history::verify::sorter::Sorter;

pub(crate) const BUCKET: &str = "ledger";

/// Files in memory.
#[derive(Default)]
pub(crate) struct Files {
    files: Arc<Mutex<HashMap<u64, Vec<u8>>>>,
}

impl Files {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.files.lock().unwrap().len()
    }
}

struct NewFile {
    files: Arc<Mutex<HashMap<u64, Vec<u8>>>>,
    number: u64,
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut files = self.files.lock().unwrap();
        files
            .get_mut(&self.number)
            .unwrap()
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Scratch for Files {
    fn create(&self, number: u64) -> io::Result<Box<dyn Write + Send>> {
        let before = self.files.lock().unwrap().insert(number, Vec::new());
        assert!(before.is_none(), "file {number} is written twice");
        let files = Arc::clone(&self.files);
        Ok(Box::new(NewFile { files, number }))
    }

    fn open(&self, number: u64) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.files.lock().unwrap()[&number].clone();
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        self.files.lock().unwrap().remove(&number).unwrap();
        Ok(())
    }
}

/// What was found: the report, every finding, and of each key with a gap its first missing rank.
pub(crate) struct Found {
    pub report: Report,
    pub all: Vec<Finding>,
    pub gaps: Vec<(String, u64)>,
}

impl Found {
    /// `key@version` of each finding of a kind, sorted.
    pub(crate) fn names(&self, kind: Kind) -> Vec<String> {
        let of_kind = self.all.iter().filter(|finding| finding.kind == kind);
        let mut names: Vec<_> = of_kind
            .map(|finding| {
                let [key, version] =
                    [&finding.key, &finding.version_id].map(|p| p.as_deref().unwrap_or_default());
                format!("{key}@{version}")
            })
            .collect();
        names.sort();
        names
    }

    /// How many of each kind, in the order of [`Kind::ALL`].
    pub(crate) fn counts(&self) -> [u64; 6] {
        Kind::ALL.map(|kind| self.report.count(kind))
    }
}

pub(crate) fn scope(change: impl FnOnce(&mut Scope)) -> Scope {
    let mut scope = Scope {
        bucket: BUCKET.to_owned(),
        filter: Filter::default(),
        is_until_given: false,
        is_frozen: false,
        has_order: true,
    };
    change(&mut scope);
    scope
}

/// Compares, with so little memory that nearly every record is a run of its own.
pub(crate) fn found(scope: &Scope, rows: &[PlannedVersion], lines: &[String]) -> Found {
    let files = Arc::new(Files::default());
    let scratch: Arc<dyn Scratch> = files.clone();
    let all = Mutex::new(vec![]);
    let keep = |finding: &Finding| {
        all.lock().unwrap().push(finding.clone());
        Ok(())
    };
    let mut findings = Findings::new(2, Some(Box::new(keep)));
    let mut sorter = Sorter::new(Arc::clone(&scratch), 2_000, 0);
    let mut intake = Intake::new(scope, &mut sorter, &mut findings);
    for line in lines {
        intake.line(line.as_bytes()).unwrap();
    }
    for row in rows {
        intake.row(row).unwrap();
    }
    let taken = sorter.finish().unwrap();
    let mut gaps = vec![];
    let mut gap = |key: &str, rank: u64| {
        gaps.push((key.to_owned(), rank));
        Ok(())
    };
    compare(&taken, scratch, scope, &mut findings, &mut gap).unwrap();
    let report = std::mem::take(&mut findings.report);
    drop(findings);
    for kind in Kind::ALL {
        let kept = report.examples.of(kind).len() as u64;
        assert_eq!(kept, report.count(kind).min(2), "{kind:?}");
    }
    Found {
        report,
        all: all.into_inner().unwrap(),
        gaps,
    }
}

/// A line of `format = bridge`.
pub(crate) fn line(event: &Event) -> String {
    serde_json::to_string(event).unwrap()
}
