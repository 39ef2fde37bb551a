//! A state directory as an archive might bring it.
//!
//! An input is the files of the job `j`, one behind the other, each behind a line `=== NAME`. Only the names
//! below are written, so that an input can do no harm.

use std::path::Path;

use bridge_history::id::JobId;
use bridge_history::job::store::JobStore as _;
use bridge_history::plan::manifest::Manifest;
use bridge_local::jobs::LocalJobs;
use bridge_local::output::Output;
use bridge_local::plans::LocalPlans;
use bridge_local::state::StateDirectory;

use super::block_on;

pub(super) const WORDS: &[&str] = &[
    "\n=== job.json\n",
    "\n=== output.json\n",
    "\n=== output.journal\n",
    "\n=== manifest.json\n",
    "\n=== out.jsonl\n",
    "INODE",
    "DEVICE",
    "\"begin\":",
    "\"overwrites\":null",
    "\"manifest\":\"jobs/j/manifest.json\"",
    "\"manifest\":\"../../x\"",
];

const NAMES: [&str; 5] = [
    "job.json",
    "output.json",
    "output.journal",
    "manifest.json",
    "out.jsonl",
];

pub(super) fn accepts(input: &[u8]) -> bool {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let state = StateDirectory::open(folder.path()).expect("it is new");
    write(state.path(), input);
    let jobs = LocalJobs::new(state.path().to_owned());
    let plans = LocalPlans::new(state.path().to_owned());
    let (listed, loaded, planned) = block_on(async {
        let active = jobs.active().await;
        let listed = active.and(jobs.newest(None, 10).await);
        let loaded = jobs.load(&JobId::stored("j".to_owned())).await;
        let manifest = match &loaded {
            Ok(Some(job)) => job.manifest.clone(),
            _ => None,
        };
        let planned = match manifest {
            Some(name) => Manifest::load(&plans, &name).await.is_ok(),
            None => false,
        };
        (listed, loaded, planned)
    });
    let out = state.path().join("jobs/j/out.jsonl");
    let opened = Output::open(state.path(), "j", &out).is_ok();
    listed.is_ok() && matches!(loaded, Ok(Some(_))) && (planned || opened)
}

/// Writes the files of an input. `INODE` and `DEVICE` stand for those of the output, which no input
/// can know.
fn write(state: &Path, input: &[u8]) {
    let folder = state.join("jobs/j");
    std::fs::create_dir_all(&folder).expect("there is room for a folder");
    let mut parts: Vec<(&str, Vec<u8>)> = Vec::new();
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let named = line
            .strip_prefix(b"=== ")
            .and_then(|name| name.strip_suffix(b"\n"));
        let known = NAMES.iter().find(|name| named == Some(name.as_bytes()));
        match (known, parts.last_mut()) {
            (Some(name), _) => parts.push((name, Vec::new())),
            (None, Some((_, content))) => content.extend(line),
            (None, None) => {}
        }
    }
    // The output first, since the claim names it.
    parts.sort_by_key(|(name, _)| *name != "out.jsonl");
    for (name, mut content) in parts {
        // The line feed belongs to the next name.
        if content.last() == Some(&b'\n') && name != "out.jsonl" {
            content.pop();
        }
        if name == "output.json" {
            content = with_numbers(&content, &folder.join("out.jsonl"));
        }
        std::fs::write(folder.join(name), content).expect("there is room for a file");
    }
}

fn with_numbers(claim: &[u8], out: &Path) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt as _;
    let (device, inode) = std::fs::metadata(out).map_or((0, 0), |out| (out.dev(), out.ino()));
    String::from_utf8_lossy(claim)
        .replace("DEVICE", &device.to_string())
        .replace("INODE", &inode.to_string())
        .into_bytes()
}
