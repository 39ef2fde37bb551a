//! Points in time, in milliseconds: the finest that S3 and SQS use.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use jiff::fmt::temporal::DateTimePrinter;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::{MOST_SHOWN, quoted, shown};

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Milliseconds since 1970-01-01T00:00:00Z; as text always `2024-05-01T12:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// A text that is not an RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is not a time like 2024-05-01T12:00:00Z: {}",
    quoted(found),
    shown(reason, MOST_SHOWN)
)]
pub struct TimeError {
    found: String,
    reason: String,
}

impl Timestamp {
    /// Reads RFC 3339; finer digits than milliseconds are cut off.
    ///
    /// # Errors
    /// [`TimeError`] with what was found.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_millisecond()))
            .map_err(|e| TimeError {
                found: text.to_owned(),
                reason: e.to_string(),
            })
    }

    /// Whether a text can tell it: those of years behind 9999, or before -9999, are told as the last, or the first.
    #[must_use]
    pub fn is_told(self) -> bool {
        jiff::Timestamp::from_millisecond(self.0).is_ok()
    }

    /// The month, `2024-05`, for summaries.
    #[must_use]
    pub fn month(self) -> String {
        self.format("%Y-%m")
    }

    /// The day, `20240501`, for names.
    #[must_use]
    pub fn day(self) -> String {
        self.format("%Y%m%d")
    }

    fn format(self, pattern: &str) -> String {
        self.instant().strftime(pattern).to_string()
    }

    /// Times outside jiff's range (years -9999 to 9999) are held at its ends.
    fn instant(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }

    /// How long after `earlier` this is; zero if it is before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

/// Whole milliseconds are added; the result is held at the largest time there is.
impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PRINTER
            .print_timestamp(&self.instant(), jiff::fmt::StdFmtWrite(f))
            .map_err(|_| fmt::Error)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_always_three_digits_and_reads_back() {
        for (text, millis) in [
            ("2024-05-01T12:00:00.000Z", 1_714_564_800_000),
            ("2024-05-01T12:00:07.123Z", 1_714_564_807_123),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap(), Timestamp(millis));
            assert_eq!(Timestamp(millis).to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2024-05-01T14:00:00.9999+02:00").unwrap(),
            Timestamp(1_714_564_800_999)
        );
    }

    #[test]
    fn a_duration_is_added_and_found_again() {
        let (noon, hour) = (Timestamp(1_714_564_800_000), Duration::from_hours(1));
        assert_eq!((noon + hour).since(noon), hour);
        assert_eq!(noon.since(noon + hour), Duration::ZERO);
        assert_eq!(noon + Duration::MAX, Timestamp(i64::MAX));
        assert_eq!(
            Timestamp(i64::MAX).since(Timestamp(i64::MIN)).as_millis(),
            i64::MAX as u128
        );
    }

    #[test]
    fn what_is_no_time_is_named() {
        let error = Timestamp::parse("yesterday").unwrap_err().to_string();
        assert!(error.contains("\"yesterday\""), "{error}");
    }
}
