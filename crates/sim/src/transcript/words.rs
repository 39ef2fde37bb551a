//! What differs from run to run.

use std::sync::LazyLock;

use regex_lite::Regex;

/// A kind of word: its name, what it looks like, and whether it is one thing's name.
///
/// The first that fits counts. A number of events is exact, but where it says how far a job is that is at work or was
/// stopped: then when it was looked at decides.
const KINDS: [(&str, &str, bool); 14] = [
    ("JOB", r"\b\d{8}-[0-9a-f]{8}-\d+\b", true),
    (
        "ID",
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        true,
    ),
    ("DIGEST", r"\b[0-9a-f]{32}\b", true),
    ("CANARY", r"s3-sqs-bridge-canary/[0-9a-f]{16}", true),
    (
        "STOPPED",
        r"(?:sending|paused|cancelled) +20[0-9T:.-]+Z [\d,]+ of",
        false,
    ),
    ("TIME", r"\b20\d\d-\d\d-\d\dT[0-9:.]+Z", false),
    ("MONTH", r"\b20\d\d-\d\d\b", false),
    (
        "DURATION",
        r"under 0\.1 s\b|\b\d+\.\d+ s\b|\b\d+ min(?: \d+ s)?\b|\b\d+ (?:s|ms)\b",
        false,
    ),
    ("RATE", r"less than 1/s|\b[\d,]+/s", false),
    ("BYTES", r"\b[\d,]+ bytes?\b", false),
    // Many are asked for at the same time, and where they meet decides.
    ("PAGES", r"\b[\d,]+ pages\b", false),
    ("QUEUE", r"; queue [\d,]+", false),
    (
        "FAR",
        r"sending: [\d,]+ of|(?:after|sending,) [\d,]+ events?\b|was closed by its reader after [\d,]+",
        false,
    ),
    ("SENT", r"^sent +[\d,]+ events?", false),
];

/// All of them, a group each.
static ANY: LazyLock<Regex> = LazyLock::new(|| {
    let groups = KINDS.iter().map(|(_, pattern, _)| format!("({pattern})"));
    let groups = groups.collect::<Vec<_>>().join("|");
    Regex::new(&groups).expect("the patterns are right")
});

/// A line: its text with the kind of such words in their place, and those that are names.
pub(super) fn read(line: &str) -> (String, Vec<&str>) {
    let (mut text, mut names, mut at) = (String::new(), Vec::new(), 0);
    for captured in ANY.captures_iter(line) {
        let found = (0..KINDS.len()).find_map(|kind| Some((kind, captured.get(kind + 1)?)));
        let Some((kind, word)) = found else { continue };
        let (name, _, is_name) = KINDS[kind];
        text.push_str(&line[at..word.start()]);
        text.push_str(name);
        if is_name {
            names.push(word.as_str());
        }
        at = word.end();
    }
    text.push_str(&line[at..]);
    (text, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_replaced_and_nothing_else() {
        for (line, text) in [
            ("job       20240501-1a2b3c4d-1", "job       JOB"),
            (
                "20240501-1a2b3c4d-1 paused    2024-05-01T12:00:00.000Z 12 of 60 events",
                "JOB STOPPED 60 events",
            ),
            (
                "20240501-1a2b3c4d-1 done      2024-05-01T12:00:00.000Z 60 of 60 events",
                "JOB done      TIME 60 of 60 events",
            ),
            ("done: 60 events in 6.1 s", "done: 60 events in DURATION"),
            (
                "done: 60 events (under 0.1 s)",
                "done: 60 events (DURATION)",
            ),
            (
                "sending: 29 of 60 events, 10/s, 3 s left; queue 1,111",
                "FAR 60 events, RATE, DURATION leftQUEUE",
            ),
            ("paused after 12 events", "paused FAR"),
            ("sent      12 events", "SENT"),
            ("  2026-11           60", "  MONTH           60"),
            ("removed 3 jobs, 1,234 bytes", "removed 3 jobs, BYTES"),
            ("1,000 versions in 1 page", "1,000 versions in 1 page"),
            ("5,000 versions in 27 pages", "5,000 versions in PAGES"),
        ] {
            assert_eq!(read(line).0, text);
        }
        assert_eq!(
            read("a 20240501-1a2b3c4d-1 b 12 s").1,
            ["20240501-1a2b3c4d-1"]
        );
    }
}
