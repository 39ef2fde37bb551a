//! A replay's events, compared with the truth.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use bridge_core::event::Event;
use bridge_core::timestamp::Timestamp;
use serde_json::Value;

use super::History;
use super::life::Step;

/// Whether the order of a version and a delete marker of one second is known from a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    /// It lists them in order.
    Ordered,
    /// It lists markers apart from versions, with whole seconds.
    Unordered,
}

/// A replay into a file.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Its events, by sequence.
    pub events: Vec<Event>,
    /// What `--json` writes at the end.
    pub report: Value,
}

/// `s3-sqs-bridge`, which was built beside this test or program.
///
/// # Errors
/// When it is not there.
pub fn program() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("looking for the folder of programs")?;
    let mut folders = this.ancestors().skip(1).take(2);
    folders
        .find_map(|folder| {
            let program = folder.join("s3-sqs-bridge");
            program.is_file().then_some(program)
        })
        .context("s3-sqs-bridge is not built: `cargo build -p s3-sqs-bridge`")
}

/// Runs `s3-sqs-bridge reseed --out` with its state in a new folder below `folder`, against the server that
/// the environment names, or `endpoint`.
///
/// # Errors
/// When it does not end with exit code 0, and what it said; when what it wrote is no list of events.
pub fn reseed(
    folder: &Path,
    bucket: &str,
    listers: usize,
    endpoint: Option<&str>,
) -> anyhow::Result<Replay> {
    let state = tempfile::tempdir_in(folder)?;
    let out = state.path().join("events");
    let output = Command::new(program()?)
        .args(["reseed", "--json", "--bucket", bucket])
        .args(["--listers", &listers.to_string()])
        .envs(endpoint.map(|url| ("AWS_ENDPOINT_URL", url)))
        .arg("--out")
        .arg(&out)
        .arg("--state")
        .arg(state.path().join("state"))
        .output()
        .context("starting s3-sqs-bridge")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "reseed of {bucket} with {listers} listers ended with {}:\n{}{said}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
    );
    let written = std::fs::read_to_string(&out).context("reading the events")?;
    let events = written
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not an event: {line}")))
        .collect::<anyhow::Result<_>>()?;
    let report = serde_json::from_slice(&output.stdout).context("reading the report")?;
    Ok(Replay { events, report })
}

impl Replay {
    /// What must be the same in every replay: all but the job's id.
    #[must_use]
    pub fn without_job(&self) -> Vec<Event> {
        let mut events = self.events.clone();
        for event in &mut events {
            event.job_id = None;
        }
        events
    }

    /// Compares with the truth; returns how many keys have an order that is not known (see [`Ties`]).
    ///
    /// # Errors
    /// The first things that are not as they were done.
    pub fn compare(&self, truth: &History, ties: Ties) -> anyhow::Result<usize> {
        let mut replayed: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (event, sequence) in self.events.iter().zip(1..) {
            if event.sequence != Some(sequence) {
                wrong.push(format!("{:?} stands at {sequence}", event.sequence));
            }
            replayed.entry(&event.key).or_default().push(event);
        }
        let mut ambiguous = 0;
        for (key, steps) in &truth.keys {
            let events = replayed.remove(key.as_str()).unwrap_or_default();
            match compare_key(steps, &events, ties) {
                Ok(is_ambiguous) => ambiguous += usize::from(is_ambiguous),
                Err(difference) => wrong.push(format!("{key:?}: {difference}")),
            }
        }
        wrong.extend(
            replayed
                .keys()
                .map(|key| format!("{key:?} was never there")),
        );
        wrong.extend(across_keys(&self.events));
        if !wrong.is_empty() {
            bail!(
                "{} differences from the history that was written, of {} events for {}; first:\n{}",
                wrong.len(),
                self.events.len(),
                truth.len(),
                wrong[..wrong.len().min(10)].join("\n")
            );
        }
        Ok(ambiguous)
    }
}

/// Whether some order within the key is not known; `Err` says what is wrong.
fn compare_key(truth: &[Step], events: &[&Event], ties: Ties) -> Result<bool, String> {
    let replayed: Vec<(Step, i64)> = events
        .iter()
        .map(|event| (step_of(event), event.event_time.0.div_euclid(1000)))
        .collect();
    let seconds: BTreeMap<&Step, i64> = replayed.iter().map(|(step, at)| (step, *at)).collect();
    let mut written = Vec::with_capacity(truth.len());
    for step in truth {
        let second = seconds.get(step);
        written.push((step.clone(), *second.ok_or_else(|| format!("no {step:?}"))?));
    }
    let latest: Vec<_> = events
        .iter()
        .filter(|e| e.is_latest == Some(true))
        .collect();
    let newest = truth.last().map(|step| step.version_id.as_str());
    if latest.len() != 1 || Some(latest[0].version_id.as_str()) != newest {
        let latest: Vec<_> = latest.iter().map(|e| &e.version_id).collect();
        return Err(format!("latest is {newest:?}, replayed {latest:?}"));
    }
    let last = events.last().map(|event| event.version_id.as_str());
    if last != newest {
        return Err(format!("the newest is {newest:?}, last came {last:?}"));
    }
    // The newest of all is known by its mark.
    let is_ambiguous = ties == Ties::Unordered && has_ties(&written[..written.len() - 1]);
    let (written, replayed) = match ties {
        Ties::Ordered => (written, replayed),
        Ties::Unordered => (without_ties(written), without_ties(replayed)),
    };
    if written == replayed {
        return Ok(is_ambiguous);
    }
    let place = written
        .iter()
        .zip(&replayed)
        .take_while(|(a, b)| a == b)
        .count();
    Err(format!(
        "{} entries, replayed {}; at {place}: {:?}, replayed {:?}",
        written.len(),
        replayed.len(),
        written.get(place),
        replayed.get(place)
    ))
}

fn step_of(event: &Event) -> Step {
    Step {
        version_id: event.version_id.clone(),
        marker: event.event_name.starts_with("ObjectRemoved"),
    }
}

/// Whether a version and a marker share a second.
fn has_ties(steps: &[(Step, i64)]) -> bool {
    let groups = steps.chunk_by(|a, b| a.1 == b.1);
    groups.into_iter().any(|group| {
        let markers = group.iter().filter(|(step, _)| step.marker).count();
        markers > 0 && markers < group.len()
    })
}

/// Versions before markers within each second; each kind keeps its order.
fn without_ties(mut steps: Vec<(Step, i64)>) -> Vec<(Step, i64)> {
    for group in steps.chunk_by_mut(|a, b| a.1 == b.1) {
        group.sort_by_key(|(step, _)| step.marker);
    }
    steps
}

/// Across keys: by effective time, then key.
fn across_keys(events: &[Event]) -> Option<String> {
    let mut newest: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut last = (Timestamp::default(), "");
    for event in events {
        let key = event.key.as_str();
        let effective = newest.entry(key).or_insert(event.event_time);
        *effective = event.event_time.max(*effective);
        let place = (*effective, key);
        if place < last {
            return Some(format!("across keys: {place:?} is behind {last:?}"));
        }
        last = place;
    }
    None
}
