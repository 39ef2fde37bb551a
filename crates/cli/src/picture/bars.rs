//! A histogram of lines, for a terminal.

use crate::numbers::grouped;

/// Lines of a histogram, at most: what a terminal shows at a time.
pub(crate) const MOST: usize = 36;

/// Cells of a bar below which it says nothing.
const LEAST_BAR: usize = 4;

/// An eighth of a cell to seven.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A line for each name (in ASCII) with its count and a bar, at most `width` cells wide. Where there is
/// no room for bars there are none.
pub(crate) fn histogram(counts: &[(String, u64)], width: usize) -> Vec<String> {
    let texts: Vec<_> = counts.iter().map(|(_, n)| grouped(*n)).collect();
    let name_width = counts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let text_width = texts.iter().map(String::len).max().unwrap_or(0);
    let room = width.saturating_sub("  ".len() + name_width + " ".len() + text_width + " ".len());
    let largest = counts.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let lines = counts.iter().zip(&texts).map(|((name, count), text)| {
        let line = format!("  {name:name_width$} {text:>text_width$}");
        if room < LEAST_BAR {
            return line;
        }
        format!("{line} {}", bar(*count, largest, room))
            .trim_end()
            .to_owned()
    });
    lines.collect()
}

/// `count` of `largest`, which is `room` cells: what is more than nothing is seen.
fn bar(count: u64, largest: u64, room: usize) -> String {
    let eighths = u128::from(count) * room as u128 * 8 / u128::from(largest.max(1));
    let eighths = usize::try_from(eighths).unwrap_or(0);
    let eighths = eighths.max(usize::from(count > 0));
    let rest = (eighths % 8).checked_sub(1).map(|at| EIGHTHS[at]);
    "█".repeat(eighths / 8).chars().chain(rest).collect()
}

/// Counts by month (`2024-05`, in order), with the empty ones between: by year if they are more lines than
/// `most`.
pub(crate) fn by_month_or_year<'a>(
    counts: impl IntoIterator<Item = (&'a String, &'a u64)>,
    most: usize,
) -> Vec<(String, u64)> {
    let mut months: Vec<(String, u64)> = Vec::new();
    let mut years: Vec<(String, u64)> = Vec::new();
    for (month, count) in counts {
        while let Some(next) = months.last().and_then(|(last, _)| month_behind(last))
            && next < *month
            && months.len() <= most
        {
            months.push((next, 0));
        }
        months.push((month.clone(), *count));
        let year = month
            .rsplit_once('-')
            .map_or(month.as_str(), |(year, _)| year);
        match years.last_mut() {
            Some((last, sum)) if last == year => *sum += count,
            _ => years.push((year.to_owned(), *count)),
        }
    }
    if months.len() <= most { months } else { years }
}

/// `2024-12` is followed by `2025-01`.
fn month_behind(month: &str) -> Option<String> {
    let (year, month) = month.rsplit_once('-')?;
    let (year, month): (u16, u8) = (year.parse().ok()?, month.parse().ok()?);
    Some(match month {
        12 => format!("{:04}-01", year.checked_add(1)?),
        _ => format!("{year:04}-{:02}", month.checked_add(1)?),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn counts(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
        counts
            .iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect()
    }

    #[test]
    fn it_fits_its_width_and_what_is_largest_fills_it() {
        let counts = counts(&[
            ("2024-04", 1),
            ("2024-05", 0),
            ("2024-06", 1_000_000),
            ("2024-07", 500_000),
        ]);
        for width in [40, 80, 200] {
            let lines = histogram(&counts, width);
            let widths: Vec<_> = lines.iter().map(|line| line.chars().count()).collect();
            assert_eq!(widths[2], width, "{lines:?}");
            assert!(widths.iter().all(|w| *w <= width), "{lines:?}");
            let bars = lines.iter().map(|line| line.matches('█').count());
            let room = width - 20;
            assert_eq!(
                bars.collect::<Vec<_>>(),
                [0, 0, room, room / 2],
                "{lines:?}"
            );
            assert!(lines[0].ends_with("        1 ▏"), "{lines:?}");
            assert!(lines[1].ends_with(" 0"), "{lines:?}");
        }
        for width in 0..22 {
            assert_eq!(histogram(&counts, width)[2], "  2024-06 1,000,000");
        }
        assert!(histogram(&[], 80).is_empty());
    }

    #[test]
    fn empty_months_are_lines_too_and_many_are_years() {
        let by_month: BTreeMap<_, _> = counts(&[("2023-11", 3), ("2024-02", 4), ("2024-03", 1)])
            .into_iter()
            .collect();
        let months = counts(&[
            ("2023-11", 3),
            ("2023-12", 0),
            ("2024-01", 0),
            ("2024-02", 4),
            ("2024-03", 1),
        ]);
        assert_eq!(by_month_or_year(&by_month, 5), months);
        let years = counts(&[("2023", 3), ("2024", 5)]);
        assert_eq!(by_month_or_year(&by_month, 4), years);
        // Times as a broken server tells them.
        let odd: BTreeMap<_, _> = counts(&[("-009999-01", 1), ("9999-12", 2)])
            .into_iter()
            .collect();
        assert_eq!(by_month_or_year(&odd, 36).len(), 2);
    }
}
