//! Each target for a few hundred inputs, always the same: `cargo xtask fuzz` tries more.

use bridge_fuzz::run::{Tried, run};
use bridge_fuzz::targets::TARGETS;

fn smoke(name: &str, inputs: u64) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let Tried { accepted, .. } = match run(target, 7, None, |tried| tried < inputs).unwrap() {
        Ok(tried) => tried,
        Err(finding) => panic!(
            "input {} {}: {}",
            finding.number,
            finding.what,
            finding.input.escape_ascii()
        ),
    };
    assert!(
        (inputs / 200..inputs).contains(&accepted),
        "{accepted} of {inputs} were accepted: breaking breaks too much or too little"
    );
}

#[test]
fn pages() {
    smoke("page", 3_000);
}

#[test]
fn notifications() {
    smoke("notification", 5_000);
}

#[test]
fn requests() {
    smoke("request", 5_000);
}

#[test]
fn plans() {
    smoke("plan", 1_500);
}

#[test]
fn manifests() {
    smoke("manifest", 3_000);
}

#[test]
fn jobs() {
    smoke("job", 5_000);
}

#[test]
fn states() {
    smoke("state", 500);
}

#[test]
fn answers_of_the_queue() {
    smoke("queue", 400);
}

#[test]
fn every_document_of_the_corpus_is_read_without_harm() {
    for target in &TARGETS {
        run(target, 0, None, |_| false).unwrap().unwrap();
    }
}
