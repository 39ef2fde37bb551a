//! A state directory is cleaned of what has ended, and of nothing else.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use bridge_sim::load::shape::Shape;
use common::{End, command, run, serve};

fn clean(folder: &Path, line: &str) -> End {
    let words: Vec<&str> = std::iter::once("clean")
        .chain(line.split_whitespace())
        .collect();
    // Nobody is asked: there is nothing at this address.
    End::of(&mut command("http://127.0.0.1:9", folder, &words))
}

fn jobs(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder.join(".s3-sqs-bridge/jobs")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn what_has_ended_goes_and_what_can_go_on_or_holds_events_stays_unless_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    clean(folder, "")
        .with(2)
        .says(&["--state", ".s3-sqs-bridge"]);

    let endpoint = serve(Shape::NonAscii, 300, |load| load.refuse(vec![7]));
    let done = run(&endpoint, folder, "--bucket b --out events --json")
        .with(0)
        .json();
    let done = done["jobId"].as_str().unwrap().to_owned();
    let queue = format!("--bucket b --queue-url {endpoint}/1/q.fifo");
    run(&endpoint, folder, &format!("{queue} --order bucket")).with(1);
    let failed = jobs(folder).into_iter().find(|job| *job != done).unwrap();
    let parked = run(
        &endpoint,
        folder,
        &format!("{queue} --on-undeliverable park --json"),
    );
    let parked = parked.with(0).json()["jobId"].as_str().unwrap().to_owned();
    let unreadable = folder.join(".s3-sqs-bridge/jobs/cut");
    std::fs::create_dir(&unreadable).unwrap();
    std::fs::write(unreadable.join("job.json"), "{").unwrap();

    clean(folder, "").with(1).answers(&[
        &format!("removed {done}: "),
        &format!("kept {failed}: failed after"),
        &format!("kept {parked}: done with 1 parked event ("),
        "kept cut: ",
        "1 job removed, ",
        "3 kept",
    ]);
    assert_eq!(
        jobs(folder),
        BTreeSet::from([failed.clone(), parked.clone(), "cut".to_owned()])
    );
    // It can still go on.
    let resume = format!("--resume {failed} --on-undeliverable park");
    run(&endpoint, folder, &resume).with(0);

    clean(folder, "--job nobody")
        .with(2)
        .says(&["--job", "nobody"]);
    let told = clean(folder, &format!("--job {parked} --job cut --json"))
        .with(0)
        .json();
    assert_eq!(told["removed"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(jobs(folder), BTreeSet::from([failed]));
    assert!(
        folder.join("events").exists(),
        "what was written is not the directory's"
    );
}

#[test]
fn a_folder_that_is_called_as_one_of_ours_and_is_not_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("removed/thesis.txt");
    std::fs::create_dir(folder.path().join("removed")).unwrap();
    std::fs::write(&theirs, "not ours").unwrap();
    // A folder in which no job ever was, named by mistake.
    clean(folder.path(), "--state .");
    let left = std::fs::read_to_string(&theirs).ok();
    assert_eq!(left.as_deref(), Some("not ours"));
}
