//! Events over time, by kind.

use bridge_core::timestamp::Timestamp;
use jiff::civil::{DateTime, date};
use jiff::tz::Offset;
use jiff::{Span, ToSpan as _};

/// Columns of a chart, at most: more are no wider than a line.
pub(crate) const MOST_COLUMNS: usize = 120;

/// How long a column is, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// From Monday on.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

const UNITS: [Unit; 7] = [
    Unit::Second,
    Unit::Minute,
    Unit::Hour,
    Unit::Day,
    Unit::Week,
    Unit::Month,
    Unit::Year,
];

impl Unit {
    /// In words, behind "by".
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// What a column's begin is, as a title.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Second | Self::Minute | Self::Hour => "From",
            Self::Day => "Day",
            Self::Week => "Week from Monday",
            Self::Month => "Month",
            Self::Year => "Year",
        }
    }

    /// How a column's begin is written.
    fn pattern(self) -> &'static str {
        match self {
            Self::Second => "%Y-%m-%d %H:%M:%S",
            Self::Minute | Self::Hour => "%Y-%m-%d %H:%M",
            Self::Day | Self::Week => "%Y-%m-%d",
            Self::Month => "%Y-%m",
            Self::Year => "%Y",
        }
    }

    fn length(self) -> Span {
        match self {
            Self::Second => 1.second(),
            Self::Minute => 1.minute(),
            Self::Hour => 1.hour(),
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Year => 1.year(),
        }
    }

    /// A column's begin, as it is written.
    pub(crate) fn name(self, begin: DateTime) -> String {
        begin.strftime(self.pattern()).to_string()
    }

    /// The begin of the column that a time is in.
    pub(crate) fn begin(self, time: DateTime) -> DateTime {
        let (day, hour, minute) = (time.date(), time.hour(), time.minute());
        match self {
            Self::Second => day.at(hour, minute, time.second(), 0),
            Self::Minute => day.at(hour, minute, 0, 0),
            Self::Hour => day.at(hour, 0, 0, 0),
            Self::Day => day.at(0, 0, 0, 0),
            Self::Week => {
                let since_monday = day.weekday().to_monday_zero_offset();
                let monday = day.checked_sub(i64::from(since_monday).days());
                monday.unwrap_or(day).at(0, 0, 0, 0)
            }
            Self::Month => day.first_of_month().at(0, 0, 0, 0),
            Self::Year => date(day.year(), 1, 1).at(0, 0, 0, 0),
        }
    }

    /// Where columns begin, from `first` to `last`; `None` if they are more than `most`. Years are as many as
    /// need be in one.
    fn columns(self, first: DateTime, last: DateTime, most: usize) -> Option<Vec<DateTime>> {
        let (begin, end) = (self.begin(first), self.begin(last));
        let length = if self == Self::Year {
            let years = usize::from(begin.year().abs_diff(end.year())) + 1;
            self.length() * i64::try_from(years.div_ceil(most)).unwrap_or(i64::MAX)
        } else {
            self.length()
        };
        let mut columns = vec![begin];
        let mut next = begin;
        while let Ok(column) = next.checked_add(length)
            && column <= end
        {
            if columns.len() == most {
                return None;
            }
            columns.push(column);
            next = column;
        }
        Some(columns)
    }
}

/// Counts of some kinds of events by column.
#[derive(Debug)]
pub(crate) struct Timeline<const KINDS: usize> {
    unit: Unit,
    begins: Vec<DateTime>,
    counts: Vec<[u64; KINDS]>,
}

impl<const KINDS: usize> Timeline<KINDS> {
    /// From `first` to `last`, in the finest columns that are not too many.
    pub(crate) fn new(first: Timestamp, last: Timestamp) -> Self {
        let (first, last) = (civil(first), civil(last.max(first)));
        Self::within(first, last, Unit::Second, MOST_COLUMNS)
    }

    /// From `first` to `last`, in columns of `finest` or more, and no more of them than `most`.
    pub(crate) fn within(first: DateTime, last: DateTime, finest: Unit, most: usize) -> Self {
        let fits = |unit: Unit| Some((unit, unit.columns(first, last, most)?));
        let mut units = UNITS.into_iter().skip_while(|unit| *unit != finest);
        let found = units.find_map(fits);
        let (unit, begins) = found.unwrap_or((Unit::Year, vec![first]));
        let counts = vec![[0; KINDS]; begins.len()];
        Self {
            unit,
            begins,
            counts,
        }
    }

    /// Counts an event of a kind in. Events outside are counted in the column that is nearest.
    pub(crate) fn add(&mut self, time: Timestamp, kind: usize) {
        self.at(civil(time))[kind] += 1;
    }

    /// Counts several in.
    pub(crate) fn add_all(&mut self, time: DateTime, counts: &[u64; KINDS]) {
        for (sum, count) in self.at(time).iter_mut().zip(counts) {
            *sum += count;
        }
    }

    fn at(&mut self, time: DateTime) -> &mut [u64; KINDS] {
        let behind = self.begins.partition_point(|begin| *begin <= time);
        &mut self.counts[behind.saturating_sub(1)]
    }

    /// How long a column is; the last unit may be several of it.
    pub(crate) fn unit(&self) -> Unit {
        self.unit
    }

    /// Each column's begin, and its counts.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (String, [u64; KINDS])> {
        let begins = self.begins.iter().zip(&self.counts);
        begins.map(|(begin, counts)| (self.unit.name(*begin), *counts))
    }
}

/// Times outside jiff's range are held at its ends.
pub(crate) fn civil(time: Timestamp) -> DateTime {
    let nearest = jiff::Timestamp::from_millisecond(time.0).unwrap_or(if time.0 < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    Offset::UTC.to_datetime(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_unit_follows_the_span_and_every_event_is_in_a_column() {
        for (first, last, unit, columns, label) in [
            (
                "2024-05-01T12:00:05.500Z",
                "2024-05-01T12:00:05.500Z",
                Unit::Second,
                1,
                "2024-05-01 12:00:05",
            ),
            (
                "2024-05-01T12:00:05Z",
                "2024-05-01T12:40:00Z",
                Unit::Minute,
                41,
                "2024-05-01 12:00",
            ),
            (
                "2024-05-01T12:10:00Z",
                "2024-05-03T12:00:00Z",
                Unit::Hour,
                49,
                "2024-05-01 12:00",
            ),
            (
                "2024-02-01T12:00:00Z",
                "2024-03-01T12:00:00Z",
                Unit::Day,
                30,
                "2024-02-01",
            ),
            (
                "2023-01-01T00:00:00Z",
                "2024-12-31T23:59:59.999Z",
                Unit::Week,
                106,
                "2022-12-26",
            ),
            (
                "2020-01-31T00:00:00Z",
                "2024-12-31T00:00:00Z",
                Unit::Month,
                60,
                "2020-01",
            ),
            (
                "1990-01-31T00:00:00Z",
                "2024-12-31T00:00:00Z",
                Unit::Year,
                35,
                "1990",
            ),
            (
                "-009999-12-31T00:00:00Z",
                "9999-06-30T00:00:00Z",
                Unit::Year,
                120,
                "-9999",
            ),
        ] {
            let (first, last) = (time(first), time(last));
            let mut timeline = Timeline::<2>::new(first, last);
            assert_eq!(timeline.unit(), unit, "{last}");
            for (at, kind) in [(first, 0), (last, 1), (first, 1)] {
                timeline.add(at, kind);
            }
            let found: Vec<_> = timeline.columns().collect();
            assert_eq!(
                (found.len(), found[0].0.as_str()),
                (columns, label),
                "{last}"
            );
            assert_eq!(found[0].1[0], 1, "{last}");
            assert_eq!(
                found[columns - 1].1[1],
                1 + u64::from(columns == 1),
                "{last}"
            );
        }
    }

    #[test]
    fn what_is_outside_is_in_the_nearest_column() {
        let mut timeline =
            Timeline::<1>::new(time("2024-05-01T00:00:00Z"), time("2024-05-09T00:00:00Z"));
        timeline.add(Timestamp(i64::MIN), 0);
        timeline.add(Timestamp(i64::MAX), 0);
        let found: Vec<_> = timeline.columns().map(|(_, counts)| counts[0]).collect();
        assert_eq!(
            (found[0], found.iter().rev().find(|c| **c > 0)),
            (1, Some(&1))
        );
        // The other way round, as in a damaged manifest.
        let turned = Timeline::<1>::new(Timestamp(5), Timestamp(1));
        assert_eq!(turned.columns().count(), 1);
    }
}
