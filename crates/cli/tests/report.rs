//! `--dry-run --report FILE`: the page, its file, and what is refused.

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bridge_sim::load::shape::Shape;
use common::{End, job_of, on_a_terminal, run, serve, shell};
use serde_json::json;

#[test]
fn a_dry_run_writes_its_figures_as_a_page_for_its_owner() {
    let endpoint = serve(Shape::Dated, 5_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let line = "--bucket b --dry-run --max-rate 100 --report report.html";
    run(&endpoint, folder.path(), line)
        .with(0)
        .answers(&["5,000 events:"])
        .says(&["report in report.html"]);
    let path = folder.path().join("report.html");
    let page = std::fs::read_to_string(&path).unwrap();
    for part in [
        "<!DOCTYPE html>",
        "What a reseed of b would send",
        "<dt>Events</dt><dd>5,000</dd>",
        "Events over time, by week",
        "delete markers",
        "100 events a second, as chosen",
        ">50 s<",
        "Biggest prefixes",
        "Keys with most versions",
        "Sizes",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_report_that_is_there_is_left_unless_it_may_be_overwritten() {
    let endpoint = serve(Shape::Dated, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    std::fs::write(&path, "theirs").unwrap();
    let line = "--bucket b --dry-run --report report.html";
    run(&endpoint, folder.path(), line)
        .with(2)
        .says(&["report.html exists", "--overwrite"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
    assert!(common::job_of(folder.path()).is_none(), "nothing was begun");
    run(&endpoint, folder.path(), &format!("{line} --overwrite")).with(0);
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .starts_with("<!DOCTYPE")
    );
}

#[test]
fn a_plan_of_nothing_is_a_page_too() {
    let endpoint = serve(Shape::Dated, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    let line = "--bucket b --dry-run --until 1990-01-01T00:00:00Z --report report.html";
    run(&endpoint, folder.path(), line).with(0);
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("Nothing would be sent"), "{page}");
}

#[test]
fn a_job_that_sends_has_no_report() {
    let endpoint = serve(Shape::Dated, 100, |_| {});
    let folder = tempfile::tempdir().unwrap();
    // A full disk: the job can continue.
    run(&endpoint, folder.path(), "--bucket b --out /dev/full").with(1);
    let job = common::job_of(folder.path()).unwrap();
    let line = format!("--resume {job} --report report.html");
    run(&endpoint, folder.path(), &line)
        .with(2)
        .says(&["--report", "--dry-run"]);
}

#[test]
fn on_a_terminal_a_dry_run_shows_bars_that_fit() {
    let endpoint = serve(Shape::Dated, 5_000, |_| {});
    let folder = tempfile::tempdir().unwrap();
    for width in [40, 80, 200] {
        let line = format!("reseed --bucket b --dry-run --state s{width}");
        let end = on_a_terminal(&endpoint, folder.path(), width, &line).with(0);
        let bars: Vec<_> = end
            .stdout
            .lines()
            .filter(|line| line.contains('█'))
            .collect();
        assert!(bars.len() > 20, "{}", end.stdout);
        let widths = bars.iter().map(|line| line.trim_end().chars().count());
        assert_eq!(widths.max(), Some(width), "{}", end.stdout);
    }
}

/// A process whose files may have so many bytes, which it is told by an error: as on a disk that is full.
fn on_a_small_disk(endpoint: &str, folder: &Path, bytes: u32, line: &str) -> End {
    let limit = format!("exec prlimit --fsize={bytes} s3-sqs-bridge {line}");
    End::of(&mut shell(endpoint, folder, &limit))
}

#[test]
fn a_page_that_the_disk_does_not_take_is_made_of_the_plan_without_listing_again() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = serve(Shape::Hashed, 10, |_| {});
    let line = "reseed --bucket b --dry-run --report page.html";
    let end = on_a_small_disk(&endpoint, folder.path(), 10_000, line).with(1);
    let job = job_of(folder.path()).unwrap();
    let again = format!("--resume {job} --state .s3-sqs-bridge --report ");
    let end = end.says(&[
        "writing the report: page.html: ",
        "The plan is kept",
        &again,
    ]);
    assert!(!end.stderr.contains(".unfinished"), "{}", end.stderr);
    // Nobody is there who could be asked.
    let nowhere = "http://127.0.0.1:9";
    let end = run(nowhere, folder.path(), &format!("{again}page.html --json")).with(0);
    let planned = end.says(&["report in page.html"]).json();
    assert_eq!(
        (&planned["phase"], &planned["planned"]["events"]),
        (&json!("done"), &json!(10))
    );
    assert!(planned["estimate"].is_object(), "{planned}");
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.len() > 10_000 && page.contains("10"), "{page}");
    run(nowhere, folder.path(), &format!("--resume {job}"))
        .with(2)
        .says(&["is done"]);
}
