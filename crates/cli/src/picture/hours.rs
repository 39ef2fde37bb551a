//! Counts by hour, in whatever order the times come, in bounded memory.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bridge_core::timestamp::Timestamp;
use jiff::civil::DateTime;

use crate::numbers::grouped;
use crate::picture::timeline::{Timeline, Unit, civil};

/// Begins that are known at the same time: hours of nearly two years, some MiB.
const MOST: usize = 16_384;

/// Where there are more of one, the next is counted by: what columns of so long a time are made of anyway. The last
/// has fewer than [`MOST`] that a calendar can write, from [`FIRST`] on.
const UNITS: [Unit; 4] = [Unit::Hour, Unit::Day, Unit::Month, Unit::Year];

/// No change of S3 is older than it. Source: AWS, "Announcing Amazon S3", 2006-03-14.
const FIRST: Timestamp = Timestamp(1_142_294_400_000);

/// How far a clock may be ahead of this one, ms.
const AHEAD: i64 = 86_400_000;

/// Counts of some kinds by hour, UTC.
#[derive(Debug)]
pub(crate) struct Hours<const KINDS: usize> {
    /// In [`UNITS`].
    unit: usize,
    /// Times that are believed.
    plausible: RangeInclusive<Timestamp>,
    counts: BTreeMap<DateTime, [u64; KINDS]>,
    /// Of other times.
    beside: u64,
}

impl<const KINDS: usize> Hours<KINDS> {
    /// A time is believed from S3's first day to a day behind `now`: a made-up one must not stretch a chart to
    /// where nothing else is seen.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            unit: 0,
            plausible: FIRST..=Timestamp(now.0.saturating_add(AHEAD)),
            counts: BTreeMap::new(),
            beside: 0,
        }
    }

    /// Counts one of a kind in.
    pub(crate) fn add(&mut self, time: Timestamp, kind: usize) {
        if !self.plausible.contains(&time) {
            self.beside += 1;
            return;
        }
        let time = civil(time);
        let mut begin = self.unit().begin(time);
        while !self.counts.contains_key(&begin)
            && self.counts.len() >= MOST
            && self.unit + 1 < UNITS.len()
        {
            self.unit += 1;
            self.join();
            begin = self.unit().begin(time);
        }
        self.counts.entry(begin).or_insert([0; KINDS])[kind] += 1;
    }

    /// By the present unit.
    fn join(&mut self) {
        let unit = self.unit();
        for (begin, counts) in std::mem::take(&mut self.counts) {
            let sums = self.counts.entry(unit.begin(begin)).or_insert([0; KINDS]);
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }

    /// What is counted by: an hour, or more where there are too many.
    pub(crate) fn unit(&self) -> Unit {
        UNITS[self.unit]
    }

    /// How many have times that cannot be, in words, if there are any.
    pub(crate) fn beside(&self) -> Option<String> {
        let number = grouped(self.beside);
        (self.beside > 0)
            .then(|| format!("of a time before S3 there was, or in the future: {number}"))
    }

    /// From the first to the last, in `most` columns at most; nothing if there is none.
    pub(crate) fn timeline(&self, most: usize) -> Option<Timeline<KINDS>> {
        let (first, _) = self.counts.first_key_value()?;
        let (last, _) = self.counts.last_key_value()?;
        let mut timeline = Timeline::within(*first, *last, self.unit(), most);
        for (begin, counts) in &self.counts {
            timeline.add_all(*begin, counts);
        }
        Some(timeline)
    }

    /// Those with most, so many at most, the largest first.
    pub(crate) fn largest(&self, most: usize) -> Vec<(String, [u64; KINDS])> {
        let mut all: Vec<_> = self.counts.iter().collect();
        all.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.iter().sum::<u64>()));
        let named = all.into_iter().take(most);
        named
            .map(|(begin, counts)| (self.unit().name(*begin), *counts))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn hours() -> Hours<2> {
        Hours::new(time("2026-11-27T00:00:00Z"))
    }

    fn columns(hours: &Hours<2>, most: usize) -> Vec<(String, [u64; 2])> {
        let timeline = hours.timeline(most).unwrap();
        timeline.columns().filter(|c| c.1 != [0, 0]).collect()
    }

    fn named(name: &str, counts: [u64; 2]) -> (String, [u64; 2]) {
        (name.to_owned(), counts)
    }

    #[test]
    fn each_is_in_its_hour_whatever_comes_first() {
        let mut hours = hours();
        for (at, kind) in [
            ("2024-05-02T23:59:59.999Z", 1),
            ("2024-05-01T12:00:00Z", 0),
            ("2024-05-02T23:00:00Z", 1),
            ("2024-05-01T11:59:59.999Z", 0),
        ] {
            hours.add(time(at), kind);
        }
        let expected = [
            named("2024-05-01 11:00", [1, 0]),
            named("2024-05-01 12:00", [1, 0]),
            named("2024-05-02 23:00", [0, 2]),
        ];
        assert_eq!(columns(&hours, 120), expected);
        // All hours between the first and the last are columns.
        assert_eq!(hours.timeline(120).unwrap().columns().count(), 37);
        let days = [named("2024-05-01", [2, 0]), named("2024-05-02", [0, 2])];
        assert_eq!(columns(&hours, 36), days);
        assert_eq!(hours.largest(2), [expected[2].clone(), expected[0].clone()]);
    }

    #[test]
    fn a_chart_is_no_finer_than_an_hour() {
        let mut hours = hours();
        hours.add(time("2024-05-01T12:34:56Z"), 0);
        assert_eq!(columns(&hours, 120), [named("2024-05-01 12:00", [1, 0])]);
    }

    #[test]
    fn times_that_cannot_be_stretch_nothing_and_are_counted() {
        let mut hours = hours();
        for at in [
            i64::MIN,
            0,
            FIRST.0 - 1,
            time("2026-11-28T00:00:01Z").0,
            i64::MAX,
        ] {
            hours.add(Timestamp(at), 0);
        }
        assert_eq!((hours.beside, hours.timeline(120).is_none()), (5, true));
        hours.add(FIRST, 0);
        hours.add(time("2026-11-28T00:00:00Z"), 0);
        assert_eq!((hours.beside, hours.largest(9).len()), (5, 2));
    }

    #[test]
    fn of_too_many_hours_days_are_kept_then_months_then_years_and_none_is_lost() {
        let mut random = fastrand::Rng::with_seed(7);
        // Nearly all that can be, in any order: memory is bounded, and columns are as by each time itself.
        for (now, span, unit) in [
            ("2026-11-27T00:00:00Z", 680 * 24, Unit::Hour),
            ("2026-11-27T00:00:00Z", 20 * 365 * 24, Unit::Day),
            ("2200-01-01T00:00:00Z", 190 * 365 * 24, Unit::Month),
            ("9999-12-01T00:00:00Z", 7_900 * 365 * 24, Unit::Year),
        ] {
            let now = time(now);
            let mut hours = Hours::<2>::new(now);
            let times: Vec<_> = (0..250_000)
                .map(|at| now.0 - random.i64(0..span) * HOUR - at % HOUR)
                .collect();
            for at in &times {
                hours.add(Timestamp(*at), 1);
                assert!(hours.counts.len() <= MOST);
            }
            assert_eq!(hours.unit(), unit);
            let mut timeline = hours.timeline(120).unwrap();
            let counted: u64 = timeline.columns().map(|(_, counts)| counts[1]).sum();
            assert_eq!((counted, hours.beside), (250_000, 0));
            let before: Vec<_> = timeline.columns().collect();
            for at in &times {
                timeline.add(Timestamp(*at), 0);
            }
            for ((name, by_time), (_, by_hour)) in timeline.columns().zip(before) {
                assert_eq!(by_time[0], by_hour[1], "{unit:?} {name}");
            }
        }
    }
}
