//! Whether what was read is a basis to heal from: what a file does not hold, or nobody can read, would be sent again.

use std::path::Path;

use bridge_history::verify::report::Report;

use crate::numbers::{count, grouped};
use crate::verify::options::VerifyArguments;

/// What to do where a consumer has nothing.
const HAS_NOTHING: &str =
    "a consumer that has nothing yet is sent everything by `s3-sqs-bridge reseed`";

/// Why nothing is healed; `None` where each line is read, and some are of the bucket.
///
/// One unreadable line is enough: a file that was cut off, or put together wrongly, has few of them, too, and what is
/// behind the cut would be sent again. Whoever has looked at them takes them out.
pub(super) fn doubt(report: &Report, bucket: &str, arguments: &VerifyArguments) -> Option<String> {
    let source = match arguments.events.as_deref() {
        None => "the queue".to_owned(),
        Some(path) if path == Path::new("-") => "standard input".to_owned(),
        Some(path) => path.display().to_string(),
    };
    if report.lines == 0 {
        return Some(format!(
            "{source} is empty: is it the right one? {HAS_NOTHING}"
        ));
    }
    if report.events == 0 {
        return Some(format!(
            "no line of {source} is an event: is it the right file, one message a line (`jq -c`)? {HAS_NOTHING}"
        ));
    }
    if report.events == report.other_bucket {
        return Some(format!(
            "no event of {source} is of bucket {bucket}: is it the right file? {HAS_NOTHING}"
        ));
    }
    let first = report.examples.unreadable.first();
    let at = first.and_then(|finding| finding.line);
    let at = at.map_or_else(String::new, |line| {
        format!(", first in line {}", grouped(line))
    });
    (report.unreadable > 0).then(|| {
        format!(
            "{source} is not read whole ({} unreadable{at}), and what it has there would be sent again: is it cut off, or a \
             message on several lines (`jq -c`)? Where such lines are no messages, take them out (--findings FILE names \
             all), and verify again",
            count(report.unreadable, "part")
        )
    })
}

#[cfg(test)]
mod tests {
    use bridge_history::verify::report::{Finding, Kind};
    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn doubt_of(source: &str, report: &Report) -> Option<String> {
        let words = format!("s3-sqs-bridge verify --bucket b {source}");
        match Arguments::try_parse_from(words.split(' ')).unwrap().command {
            Command::Verify(arguments) => doubt(report, "b", &arguments),
            _ => panic!("it is verify"),
        }
    }

    #[test]
    fn what_is_read_whole_and_of_the_bucket_is_healed_from_and_nothing_else() {
        let file = "--events f";
        let of = |lines, events, unreadable| Report {
            lines,
            events,
            unreadable,
            ..Report::default()
        };
        assert_eq!(doubt_of(file, &of(2, 2, 0)), None);
        // Blank lines, test events and what is of another prefix say nothing against the rest.
        let mixed = Report {
            outside: 1,
            other_bucket: 1,
            no_change: 1,
            ..of(9, 2, 0)
        };
        assert_eq!(doubt_of(file, &mixed), None);

        let elsewhere = Report {
            other_bucket: 2,
            ..of(2, 2, 0)
        };
        let mut cut = of(1_000, 999, 1);
        let mut finding = Finding::new(Kind::Unreadable);
        finding.line = Some(1_000);
        cut.examples.unreadable.push(finding);
        for (source, report, parts) in [
            (file, &of(0, 0, 0), ["f is empty", "reseed"]),
            (
                "--events -",
                &of(0, 0, 0),
                ["standard input is empty", "reseed"],
            ),
            (
                "--queue-url https://sqs.eu-west-1.amazonaws.com/1/q --keep",
                &of(0, 0, 0),
                ["the queue is empty", "reseed"],
            ),
            (file, &of(95, 0, 95), ["no line of f is an event", "jq -c"]),
            (file, &of(3, 0, 0), ["no line of f is an event", "reseed"]),
            (file, &elsewhere, ["no event of f is of bucket b", "reseed"]),
            (
                file,
                &cut,
                ["1 part unreadable, first in line 1,000", "--findings"],
            ),
        ] {
            let found = doubt_of(source, report).unwrap();
            assert!(parts.iter().all(|part| found.contains(part)), "{found}");
        }
    }
}
