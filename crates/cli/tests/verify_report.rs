//! `verify --report FILE`, and the histogram on a terminal: what is wrong, by hour and by prefix.

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bridge_sim::load::shape::Shape;
use common::html::{Counts, table};
use common::played::{Played, messages, play};
use common::{End, command, on_a_terminal, run, serve};
use serde_json::Value;

/// A bucket of 5,000 versions, and the lines of its copy.
fn copy(folder: &Path) -> (String, Vec<String>) {
    let endpoint = serve(Shape::HotPrefix, 5_000, |_| {});
    run(&endpoint, folder, "--bucket b --out copy").with(0);
    let text = std::fs::read_to_string(folder.join("copy")).unwrap();
    (endpoint, text.lines().map(str::to_owned).collect())
}

fn write(folder: &Path, lines: &[String]) {
    std::fs::write(folder.join("copy"), lines.join("\n")).unwrap();
}

fn verify(endpoint: &str, folder: &Path, line: &str) -> End {
    let words = ["verify", "--bucket", "b"].into_iter();
    let words: Vec<_> = words.chain(line.split_whitespace()).collect();
    End::of(&mut command(endpoint, folder, &words))
}

fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// `2024-05-01 12:00`
fn hour(line: &str) -> String {
    let event = event(line);
    let time = event["eventTime"].as_str().unwrap();
    format!("{} {}:00", &time[..10], &time[11..13])
}

/// Down to the last slash of a key.
fn prefix(line: &str) -> String {
    let event = event(line);
    let key = event["key"].as_str().unwrap();
    key[..=key.rfind('/').unwrap()].to_owned()
}

/// Where this line alone is missing.
fn lacks(line: &str) -> Counts {
    Counts::from([(hour(line), [("Missing".to_owned(), 1)].into())])
}

fn page(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("report.html")).unwrap()
}

#[test]
fn the_page_tells_exactly_what_is_wrong_by_hour_and_by_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, whole) = copy(folder.path());
    let (mut hours, mut prefixes) = (Counts::new(), Counts::new());
    let mut note = |kind: &str, line: &str| {
        for (counts, name) in [(&mut hours, hour(line)), (&mut prefixes, prefix(line))] {
            *counts
                .entry(name)
                .or_default()
                .entry(kind.to_owned())
                .or_default() += 1;
        }
    };
    let mut lines: Vec<Option<String>> = whole.iter().cloned().map(Some).collect();
    for at in [1_000, 1_001, 1_010, 4_000] {
        note("Missing", &whole[at]);
        lines[at] = None;
    }
    let has_size = (1_020..5_000)
        .find(|at| event(&whole[*at])["size"].is_u64())
        .unwrap();
    note("Changed", &whole[has_size]);
    let mut changed = event(&whole[has_size]);
    changed["size"] = (changed["size"].as_u64().unwrap() + 1).into();
    lines[has_size] = Some(changed.to_string());
    let mut unknown = event(&whole[1_100]);
    unknown["versionId"] = "made-up".into();
    note("Unknown", &whole[1_100]);
    // Of one key, two versions the other way round: the older is late.
    let key = |at: usize| event(&whole[at])["key"].clone();
    let older = (2_000..5_000)
        .find(|at| event(&whole[*at])["isLatest"] == false)
        .unwrap();
    let newer = (older + 1..5_000)
        .find(|at| key(*at) == key(older))
        .unwrap();
    note("Out of order", &whole[older]);
    lines.swap(older, newer);
    let mut lines: Vec<String> = lines.into_iter().flatten().collect();
    lines.push(unknown.to_string());
    lines.push(whole[1_200].clone());
    lines.push("no event".to_owned());
    write(folder.path(), &lines);

    let line = "--events copy --report report.html --json --examples 2 --findings findings";
    let found = verify(&endpoint, folder.path(), line)
        .with(1)
        .says(&["report in report.html"])
        .json();
    let counts = [
        "missing",
        "unknown",
        "repeated",
        "outOfOrder",
        "changed",
        "unreadable",
    ];
    assert_eq!(
        counts.map(|kind| found[kind].as_u64().unwrap()),
        [4, 1, 1, 1, 1, 1]
    );
    let findings = std::fs::read_to_string(folder.path().join("findings")).unwrap();
    assert_eq!(findings.lines().count(), 9);
    let page = page(folder.path());
    assert_eq!(table(&page, "Where problems are most, by hour"), hours);
    assert_eq!(table(&page, "Prefixes with most problems"), prefixes);
    let repeated = Counts::from([(prefix(&whole[1_200]), [("Repeated".to_owned(), 1)].into())]);
    assert_eq!(table(&page, "Prefixes with most repetitions"), repeated);
    let kinds = table(&page, "Findings by kind");
    let many = |kind: &str| {
        let of = |(name, _): &(&String, _)| name.starts_with(&format!("{kind}:"));
        let (_, figures) = kinds.iter().find(of).unwrap();
        figures.get("How many").copied().unwrap_or(0)
    };
    let kinds = [
        "Missing",
        "Unknown",
        "Repeated",
        "Out of order",
        "Changed",
        "Unreadable",
    ];
    assert_eq!(kinds.map(many), [4, 1, 1, 1, 1, 1]);
    for part in [
        "What is wrong with a copy of b",
        "Missing, the first 2 of 4 by key:",
        "made-up",
        found["digest"].as_str().unwrap(),
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let of = folder.path().join("report.html");
    let mode = std::fs::metadata(of).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // Where each was to come once, repetitions are among what is wrong.
    let line = "--events copy --report report.html --overwrite --exactly-once";
    verify(&endpoint, folder.path(), line).with(1);
    let page = self::page(folder.path());
    hours
        .entry(hour(&whole[1_200]))
        .or_default()
        .insert("Repeated".to_owned(), 1);
    assert_eq!(table(&page, "Where problems are most, by hour"), hours);
    assert!(!page.contains("Prefixes with most repetitions"), "{page}");
}

#[test]
fn a_right_copy_is_said_to_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, _) = copy(folder.path());
    let line = "--events copy --prefix tenant-007/ --kinds created --report report.html";
    verify(&endpoint, folder.path(), line)
        .with(0)
        .answers(&["right: "]);
    let page = page(folder.path());
    for part in [
        "Nothing is missing: a copy of b",
        "Nothing is missing, unknown, out of order or changed",
        "tenant-007/",
        "<dt>Missing</dt><dd>0</dd>",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("Problems"), "{page}");
    let line = "--events copy --prefix none --report report.html --overwrite";
    verify(&endpoint, folder.path(), line).with(0);
    assert!(self::page(folder.path()).contains("Nothing was compared"));
}

#[test]
fn what_a_copy_makes_up_is_escaped_and_stretches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, mut lines) = copy(folder.path());
    let mut evil = event(&lines[0]);
    evil["key"] = "<script>alert(1)</script>/\u{202e}x".into();
    evil["versionId"] = "</table><h1>\u{1b}[2J".into();
    evil["eventTime"] = "9999-06-30T00:00:00Z".into();
    lines.push(evil.to_string());
    write(folder.path(), &lines);
    let line = "--events copy --report report.html";
    verify(&endpoint, folder.path(), line).with(1);
    let page = page(folder.path());
    assert!(
        !page.contains("<script") && !page.contains("</table><h1>"),
        "{page}"
    );
    assert!(!page.contains(['\u{1b}', '\u{202e}']), "{page}");
    assert!(
        page.contains("of a time before S3 there was, or in the future: 1"),
        "{page}"
    );
    assert!(!page.contains("by year"), "{page}");
}

#[test]
fn a_file_that_is_there_or_is_another_options_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = "http://127.0.0.1:9";
    write(folder.path(), &["theirs".to_owned()]);
    for (line, parts) in [
        (
            "--events copy --report copy",
            ["copy is the file of --events", "name another"],
        ),
        (
            "--events copy --report ./copy --overwrite",
            ["the file of --events", "name another"],
        ),
        (
            "--events - --findings new --report new",
            ["the file of --findings", "name another"],
        ),
        (
            "--events - --findings new --report copy",
            ["copy exists", "--overwrite"],
        ),
        (
            "--events - --findings new --report .",
            ["a directory", "name a file"],
        ),
        ("--events - --overwrite", ["--report", "required"]),
    ] {
        verify(nowhere, folder.path(), line).with(2).says(&parts);
        let text = std::fs::read_to_string(folder.path().join("copy")).unwrap();
        assert_eq!(text, "theirs", "{line}");
        assert!(!folder.path().join("new").exists(), "{line}");
    }
}

#[test]
fn it_is_written_before_what_is_missing_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, mut lines) = copy(folder.path());
    let missing = lines.remove(3_000);
    write(folder.path(), &lines);
    let heal = format!("--heal {endpoint}/1/load.fifo --state state");
    let line = format!("--events copy --report report.html {heal}");
    verify(&endpoint, folder.path(), &line)
        .with(1)
        .answers(&["1  missing"])
        .says(&["report in report.html", "healing 1 key "]);
    let page = page(folder.path());
    assert!(
        page.contains("Written before anything was healed."),
        "{page}"
    );
    assert_eq!(table(&page, "Problems by hour"), lacks(&missing));
}

#[test]
fn where_it_cannot_be_written_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, lines) = copy(folder.path());
    let (pages, state) = (folder.path().join("pages"), folder.path().join("state"));
    std::fs::create_dir(&pages).unwrap();
    let words = format!(
        "verify --bucket b --events - --report pages/r.html --heal {endpoint}/1/load.fifo --state state"
    );
    let words: Vec<_> = words.split(' ').collect();
    let mut command = command(&endpoint, folder.path(), &words);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // Once its folder for temporary files is there, its options are checked.
    while std::fs::read_dir(&state).map_or(0, Iterator::count) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_dir(&pages).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines[1..].join("\n").as_bytes()).unwrap();
    drop(stdin);
    let end = End::wait(child).with(1).answers(&["1  missing"]);
    let end = end.says(&["writing the report: there is no folder pages"]);
    assert!(!end.stderr.contains("healing"), "{}", end.stderr);
}

#[test]
fn a_queue_has_a_page_too() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, mut lines) = copy(folder.path());
    let missing = lines.remove(2_000);
    let (_, queue) = play(Played {
        messages: messages(&lines),
        ..Played::default()
    });
    let url = format!("{queue}/1/q");
    let words = [
        "verify",
        "--bucket",
        "b",
        "--queue-url",
        &url,
        "--keep",
        "--report",
    ];
    let words: Vec<_> = words.into_iter().chain(["report.html"]).collect();
    let mut command = command(&bucket, folder.path(), &words);
    End::of(command.env("AWS_ENDPOINT_URL_SQS", queue)).with(1);
    let page = page(folder.path());
    assert!(
        page.contains(&url) && page.contains("keeps no order"),
        "{page}"
    );
    assert_eq!(table(&page, "Problems by hour"), lacks(&missing));
}

#[test]
fn on_a_terminal_what_is_wrong_is_bars_that_fit_and_elsewhere_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, mut lines) = copy(folder.path());
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for line in lines.drain(1_000..1_004) {
        *expected.entry(hour(&line)).or_default() += 1;
    }
    write(folder.path(), &lines);
    for width in [40, 80, 200] {
        let line = "verify --bucket b --events copy";
        let end = on_a_terminal(&endpoint, folder.path(), width, line).with(1);
        let lines: Vec<_> = end.stdout.lines().map(str::trim_end).collect();
        let begin = lines
            .iter()
            .position(|line| *line == "what is wrong by hour, UTC:");
        let bars = &lines[begin.unwrap_or_else(|| panic!("{}", end.stdout)) + 1..];
        let bars: Vec<_> = bars
            .iter()
            .take_while(|line| line.starts_with("  20"))
            .collect();
        let found = bars.iter().filter_map(|line| {
            let (name, rest) = line.trim().split_at(16);
            let count = rest.split_whitespace().next().unwrap().parse().unwrap();
            (count > 0).then(|| (name.to_owned(), count))
        });
        assert_eq!(
            found.collect::<BTreeMap<String, u64>>(),
            expected,
            "{}",
            end.stdout
        );
        let widths = bars.iter().map(|line| line.chars().count());
        assert_eq!(widths.max(), Some(width), "{}", end.stdout);
        let json = format!("{line} --json");
        let end = on_a_terminal(&endpoint, folder.path(), width, &json).with(1);
        assert_eq!(end.json()["missing"], 4, "{}", end.stdout);
    }
    let end = verify(&endpoint, folder.path(), "--events copy").with(1);
    assert!(!end.stdout.contains("what is wrong by"), "{}", end.stdout);
}
