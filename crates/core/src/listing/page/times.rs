//! Times as listings write them.

use crate::timestamp::Timestamp;

/// Reads times. Versions written together are listed together, so the day is often the last one's.
#[derive(Default)]
pub(super) struct Times {
    day: String,
    midnight: Timestamp,
}

impl Times {
    /// S3 writes `2024-05-01T12:00:00.000Z` and nothing else; any other form of RFC 3339 is read
    /// by the library.
    pub(super) fn parse(&mut self, text: &str) -> Result<Timestamp, String> {
        let Some((day, clock)) = text.split_at_checked(11) else {
            return Timestamp::parse(text).map_err(|e| e.to_string());
        };
        let Some(since_midnight) = millis_of_clock(clock.as_bytes()) else {
            return Timestamp::parse(text).map_err(|e| e.to_string());
        };
        if day != self.day {
            self.midnight =
                Timestamp::parse(&format!("{day}00:00:00Z")).map_err(|e| e.to_string())?;
            day.clone_into(&mut self.day);
        }
        Ok(Timestamp(self.midnight.0 + since_midnight))
    }
}

/// Milliseconds of `12:00:00.000Z` or `12:00:00Z`.
fn millis_of_clock(clock: &[u8]) -> Option<i64> {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |value, digit| {
            digit
                .is_ascii_digit()
                .then(|| value * 10 + i64::from(digit - b'0'))
        })
    };
    let (seconds, rest) = clock.split_at_checked(8)?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *seconds else {
        return None;
    };
    let (hours, minutes, seconds) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    let millis = match rest {
        [b'Z'] => 0,
        [b'.', digits @ .., b'Z'] if digits.len() == 3 => number(digits)?,
        _ => return None,
    };
    (hours < 24 && minutes < 60 && seconds < 60)
        .then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_any_form_are_read_as_the_library_reads_them() {
        let mut times = Times::default();
        for text in [
            "2024-05-01T12:34:56.789Z",
            "2024-05-01T00:00:00Z",
            "2024-02-29T23:59:59.000Z",
            "2024-05-01T12:00:00.123456Z",
            "2024-05-01T14:00:00+02:00",
            "1969-12-31T23:59:59.999Z",
        ] {
            assert_eq!(
                times.parse(text),
                Ok(Timestamp::parse(text).unwrap()),
                "{text}"
            );
        }
        for text in [
            "2023-02-29T00:00:00Z",
            "2024-05-01T24:30:00Z",
            "2024-05-01",
            "",
        ] {
            assert!(times.parse(text).is_err(), "{text}");
        }
    }
}
