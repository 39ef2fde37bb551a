//! `reseed --plan`: a plan of a folder is sent as the bucket's own history, without a bucket.

mod common;

use std::path::{Path, PathBuf};

use bridge_sim::load::shape::Shape;
use common::{job_of, program, run, serve, signal, start};
use serde_json::{Value, json};

/// Nobody answers there: what is sent comes from the plan.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Events without what tells their jobs apart.
fn events(lines: &str) -> Vec<Value> {
    let events = lines.lines().map(|line| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        event.as_object_mut().unwrap().remove("jobId").unwrap();
        event
    });
    events.collect()
}

/// A job of a bucket in a folder: its events, and its manifest.
fn own(folder: &Path, versions: u64) -> (Vec<Value>, PathBuf) {
    let endpoint = serve(Shape::NonAscii, versions, |_| {});
    run(&endpoint, folder, "--bucket b --out own --memory 16").with(0);
    let state = folder.join(".s3-sqs-bridge");
    let job = state
        .join("jobs")
        .join(job_of(folder).unwrap())
        .join("job.json");
    let job: Value = serde_json::from_slice(&std::fs::read(job).unwrap()).unwrap();
    let own = std::fs::read_to_string(folder.join("own")).unwrap();
    (events(&own), state.join(job["manifest"].as_str().unwrap()))
}

/// The same plan as somebody else would have made it, in a folder.
fn elsewhere(manifest: &Path, plan: &Path) {
    let own: Value = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    let root = manifest.ancestors().nth(3).unwrap();
    std::fs::create_dir_all(plan.join("runs")).unwrap();
    let mut runs = own["runs"].clone();
    assert!(
        runs.as_array().unwrap().len() > 1,
        "it is about runs that overlap"
    );
    for (number, run) in runs.as_array_mut().unwrap().iter_mut().enumerate() {
        let name = format!("runs/{number:05}.parquet");
        std::fs::copy(root.join(run["name"].as_str().unwrap()), plan.join(&name)).unwrap();
        run["name"] = json!(name);
    }
    let manifest = json!({
        "version": 1, "bucket": "b", "madeBy": "a test", "runs": runs, "summary": own["summary"],
    });
    std::fs::write(plan.join("manifest.json"), manifest.to_string()).unwrap();
}

#[test]
fn a_plan_of_a_folder_gives_the_events_of_the_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let (own, manifest) = own(folder.path(), 60_000);
    elsewhere(&manifest, &folder.path().join("plan"));
    let line = "--bucket b --plan plan --out - --memory 16 --state other";
    let end = run(NOWHERE, folder.path(), line).with(0);
    let sent = events(&end.stdout);
    assert_eq!(sent.len(), 60_000);
    assert!(sent == own);
    // The job's own manifest is one of a plan, too.
    let manifest = manifest.display();
    let line =
        format!("--bucket b --plan {manifest} --out - --state third --prefix nothing-begins-so");
    let end = run(NOWHERE, folder.path(), &line).with(0);
    assert_eq!(end.stdout, "");
    let line =
        format!("--bucket b --plan {manifest} --dry-run --json --state third --report page.html");
    let told = run(NOWHERE, folder.path(), &line).with(0).json();
    assert_eq!(told["planned"]["events"], 60_000, "{told}");
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(
        page.contains("60,000") || page.contains("60 000"),
        "no number of events"
    );
}

#[test]
fn a_job_that_has_read_its_plan_is_resumed_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let (own, manifest) = own(folder.path(), 60_000);
    let plan = folder.path().join("plan");
    elsewhere(&manifest, &plan);
    let line = "--bucket b --plan plan --out events --state other --max-rate 20000";
    let file = folder.path().join("events");
    let child = start(&mut program(NOWHERE, folder.path(), line), &file);
    signal(&child, "-INT");
    let end = common::End::wait(child).with(3);
    let job = end.stderr.split("--resume ").nth(1).unwrap();
    let job = job.split_whitespace().next().unwrap();
    std::fs::remove_dir_all(&plan).unwrap();
    run(
        NOWHERE,
        folder.path(),
        &format!("--resume {job} --state other"),
    )
    .with(0);
    let sent = events(&std::fs::read_to_string(&file).unwrap());
    assert!(sent == own, "{} events", sent.len());
}

#[test]
fn what_is_wrong_with_a_plan_is_told_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (_, manifest) = own(folder.path(), 60_000);
    let plan = folder.path().join("plan");
    elsewhere(&manifest, &plan);
    let refused = |line: &str, parts: &[&str]| {
        let line = format!("{line} --out - --state other");
        let end = run(NOWHERE, folder.path(), &line).with(2).says(parts);
        assert_eq!(end.stdout, "");
    };
    refused("--bucket c --plan plan", &["plan", "found \"b\"", "\"c\""]);
    refused("--bucket b --plan own", &["plan", "own", "manifest"]);
    refused(
        "--bucket b --plan none",
        &["--plan", "there is no file none"],
    );
    refused(
        "--bucket b --plan .s3-sqs-bridge",
        &["no manifest.json in it"],
    );
    let path = plan.join("manifest.json");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace("runs/00001", "../00001")).unwrap();
    refused(
        "--bucket b --plan plan",
        &["../00001.parquet", "below the manifest's folder"],
    );
    std::fs::write(&path, good).unwrap();
    std::fs::write(plan.join("runs/00001.parquet"), "short").unwrap();
    refused(
        "--bucket b --plan plan",
        &["runs/00001.parquet", "size is not what"],
    );
}

#[test]
fn a_report_is_not_written_over_the_plan_or_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let (_, manifest) = own(folder.path(), 60_000);
    elsewhere(&manifest, &folder.path().join("plan"));
    for (line, kept) in [
        (
            "--plan plan --dry-run --report ./plan/manifest.json",
            "plan/manifest.json",
        ),
        ("--plan plan --dry-run --out own --report own", "own"),
    ] {
        let before = std::fs::read(folder.path().join(kept)).unwrap();
        let line = format!("--bucket b --overwrite --memory 16 --state other {line}");
        let end = run(NOWHERE, folder.path(), &line);
        let after = std::fs::read(folder.path().join(kept)).unwrap();
        assert!(before == after, "{kept} is a page now");
        end.with(2).says(&["--report", kept]);
    }
}

/// docs/PLANS.md: a name is relative to the manifest's folder, without `..`. Hive's folders have `=`, and a person's spaces.
#[test]
fn a_plan_of_a_folder_may_have_any_names_that_one_in_s3_may_have() {
    let folder = tempfile::tempdir().unwrap();
    let (own, manifest) = own(folder.path(), 60_000);
    let plan = folder.path().join("plan");
    elsewhere(&manifest, &plan);
    for name in [
        "runs/month=2024-05/part-0.snappy.parquet",
        "runs/part 0.parquet",
    ] {
        let of_plan = plan.join("manifest.json");
        let mut manifest: Value =
            serde_json::from_slice(&std::fs::read(&of_plan).unwrap()).unwrap();
        let first = manifest["runs"][0]["name"].as_str().unwrap().to_owned();
        std::fs::create_dir_all(plan.join(name).parent().unwrap()).unwrap();
        std::fs::rename(plan.join(first), plan.join(name)).unwrap();
        manifest["runs"][0]["name"] = json!(name);
        std::fs::write(&of_plan, manifest.to_string()).unwrap();
        let line = "--bucket b --plan plan --out - --memory 16 --state other";
        let end = run(NOWHERE, folder.path(), line).with(0);
        assert!(events(&end.stdout) == own);
    }
}
