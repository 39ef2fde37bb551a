//! Numbers for people: whole ones, with the right word behind them.

use std::time::Duration;

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 page`, `2 pages`: of a word whose plural ends in `s`.
pub(crate) fn count(number: u64, word: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {word}{end}", grouped(number))
}

/// `1 entry`, `20 entries`: what a listing has, versions and delete markers.
pub(crate) fn entries(number: u64) -> String {
    let word = if number == 1 { "entry" } else { "entries" };
    format!("{} {word}", grouped(number))
}

/// `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: the two largest units.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (large, small) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => ((seconds / 60, "min"), (seconds % 60, "s")),
        3_600..86_400 => ((seconds / 3_600, "h"), (seconds % 3_600 / 60, "min")),
        _ => ((seconds / 86_400, "d"), (seconds % 86_400 / 3_600, "h")),
    };
    match small.0 {
        0 => format!("{} {}", large.0, large.1),
        rest => format!("{} {} {rest} {}", large.0, large.1, small.1),
    }
}

/// How long something took: `under 0.1 s`, `2.4 s`; from ten seconds on as [`time`].
pub(crate) fn took(took: Duration) -> String {
    if took < Duration::from_millis(100) {
        return "under 0.1 s".to_owned();
    }
    if took < Duration::from_secs(10) {
        return format!("{:.1} s", took.as_secs_f64());
    }
    time(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_words_fit_them() {
        let grouped: Vec<_> = [0, 999, 1_000, 12_345, 1_234_567].map(grouped).into();
        assert_eq!(grouped, ["0", "999", "1,000", "12,345", "1,234,567"]);
        let counts: Vec<_> = [0, 1, 2_000].map(|number| count(number, "page")).into();
        assert_eq!(counts, ["0 pages", "1 page", "2,000 pages"]);
        for (seconds, told) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(time(Duration::from_secs(seconds)), told);
        }
        for (millis, told) in [
            (0, "under 0.1 s"),
            (99, "under 0.1 s"),
            (240, "0.2 s"),
            (9_900, "9.9 s"),
            (10_400, "10 s"),
            (65_000, "1 min 5 s"),
        ] {
            assert_eq!(took(Duration::from_millis(millis)), told);
        }
    }
}
