//! What was found, counted by hour and by prefix as it is found, in bounded memory.

use std::sync::{Arc, Mutex, PoisonError};

use bridge_core::timestamp::Timestamp;
use bridge_history::verify::report::{Finding, Kind, Sink};

use crate::picture::heavy::Additive;
use crate::picture::hours::Hours;
use crate::picture::prefixes::Prefixes;
use crate::verify::findings_file::Writer;

/// Kinds of findings, as in [`Kind::ALL`]. What is unreadable has neither time nor key, so it is in no count here.
pub(super) const KINDS: usize = Kind::ALL.len();

/// How many of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts(pub(super) [u64; KINDS]);

impl Additive for Counts {
    fn events(&self) -> u64 {
        self.0.iter().sum()
    }

    fn add(&mut self, other: Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }

    fn take(&mut self, part: Self) {
        for (sum, count) in self.0.iter_mut().zip(part.0) {
            *sum -= count;
        }
    }
}

/// Findings by hour and by prefix.
#[derive(Debug)]
pub(super) struct Counted {
    /// By the time of the change.
    pub(super) hours: Hours<KINDS>,
    /// By its key.
    pub(super) prefixes: Prefixes<Counts>,
}

impl Counted {
    fn new(prefix: &str, now: Timestamp) -> Self {
        Self {
            hours: Hours::new(now),
            prefixes: Prefixes::new(prefix),
        }
    }

    fn add(&mut self, finding: &Finding) {
        let kind = finding.kind as usize;
        if let Some(time) = finding.time {
            self.hours.add(time, kind);
        }
        if let Some(key) = &finding.key {
            let mut counts = Counts::default();
            counts.0[kind] = 1;
            self.prefixes.add(key, counts);
        }
    }
}

/// All findings; lawful ones apart, as they may be so many that nothing else is seen beside them.
#[derive(Debug)]
pub(super) struct Tally {
    /// What is wrong.
    pub(super) wrong: Counted,
    /// Repetitions, where they are not wrong.
    pub(super) lawful: Counted,
    exactly_once: bool,
}

impl Tally {
    /// Of keys that begin with `prefix`.
    pub(super) fn new(prefix: &str, exactly_once: bool, now: Timestamp) -> Self {
        Self {
            wrong: Counted::new(prefix, now),
            lawful: Counted::new(prefix, now),
            exactly_once,
        }
    }

    /// Counts one in.
    pub(super) fn add(&mut self, finding: &Finding) {
        if finding.kind == Kind::Repeated && !self.exactly_once {
            self.lawful.add(finding);
        } else {
            self.wrong.add(finding);
        }
    }
}

/// A tally that is counted while something is found.
pub(super) type Shared = Arc<Mutex<Tally>>;

/// Who is told each finding: the file of `--findings`, and the tally. Nobody, if there is neither: then findings that
/// are no examples are only counted.
pub(super) fn sink(file: Option<Writer>, tally: Option<Shared>) -> Option<Sink<'static>> {
    if file.is_none() && tally.is_none() {
        return None;
    }
    let mut file = file;
    Some(Box::new(move |finding| {
        if let Some(tally) = &tally {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(finding);
        }
        match &mut file {
            Some(file) => file.write(finding),
            None => Ok(()),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::prefixes::Of;

    fn finding(kind: Kind, key: &str, time: &str) -> Finding {
        let mut finding = Finding::new(kind);
        finding.key = Some(key.to_owned());
        finding.time = Some(Timestamp::parse(time).unwrap());
        finding
    }

    fn tally(exactly_once: bool) -> Tally {
        let now = Timestamp::parse("2026-11-27T00:00:00Z").unwrap();
        let mut tally = Tally::new("", exactly_once, now);
        for (kind, key, time) in [
            (Kind::Missing, "a/1", "2024-05-01T12:10:00Z"),
            (Kind::Missing, "a/2", "2024-05-01T12:20:00Z"),
            (Kind::Changed, "b/1", "2024-05-01T13:00:00Z"),
            (Kind::Repeated, "a/1", "2024-05-01T12:30:00Z"),
        ] {
            tally.add(&finding(kind, key, time));
        }
        tally.add(&Finding::new(Kind::Unreadable));
        tally
    }

    fn hours(counted: &Counted) -> Vec<(String, [u64; KINDS])> {
        counted.hours.largest(9)
    }

    #[test]
    fn each_kind_is_counted_in_its_hour_and_below_its_prefix() {
        let tally = tally(true);
        let expected = [
            ("2024-05-01 12:00".to_owned(), [2, 0, 1, 0, 0, 0]),
            ("2024-05-01 13:00".to_owned(), [0, 0, 0, 0, 1, 0]),
        ];
        assert_eq!(hours(&tally.wrong), expected);
        let lines = tally.wrong.prefixes.lines(9).into_iter();
        let lines: Vec<_> = lines.map(|line| (line.of, line.weight.0)).collect();
        let expected = [
            (Of::Prefix("a/".to_owned()), [2, 0, 1, 0, 0, 0]),
            (Of::Prefix("b/".to_owned()), [0, 0, 0, 0, 1, 0]),
        ];
        assert_eq!(lines, expected);
        assert!(hours(&tally.lawful).is_empty());
    }

    #[test]
    fn what_is_lawful_stands_apart() {
        let tally = tally(false);
        let repeated = [("2024-05-01 12:00".to_owned(), [0, 0, 1, 0, 0, 0])];
        assert_eq!(hours(&tally.lawful), repeated);
        assert_eq!(hours(&tally.wrong)[0].1, [2, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn without_anybody_who_wants_all_findings_are_only_counted() {
        assert!(sink(None, None).is_none());
        let shared = Arc::new(Mutex::new(tally(false)));
        let mut sink = sink(None, Some(Arc::clone(&shared))).unwrap();
        sink(&finding(Kind::Unknown, "c/1", "2024-05-01T12:00:00Z")).unwrap();
        let tally = shared.lock().unwrap();
        assert_eq!(hours(&tally.wrong)[0].1, [2, 1, 0, 0, 0, 0]);
    }
}
