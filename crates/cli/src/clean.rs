//! `clean`: jobs that have ended are removed from a state directory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bridge_history::id::JobId;
use bridge_history::job::phase::Phase;
use bridge_history::job::state::Job;
use bridge_history::job::store::JobStore as _;
use bridge_local::jobs::LocalJobs;
use bridge_local::remove;
use bridge_local::state::StateDirectory;
use clap::Args;
use serde_json::json;

use crate::answer::answer;
use crate::numbers::count;
use crate::reseed::held::is_holding;
use crate::{Outcome, Usage, tell};

/// Options of `clean`.
#[derive(Debug, Args)]
pub(crate) struct CleanArguments {
    /// Where jobs and their plans are kept
    #[arg(long, value_name = "DIR", default_value = ".s3-sqs-bridge")]
    state: PathBuf,
    /// Remove this job and no other, whatever its phase; may be said again for more
    #[arg(long = "job", value_name = "JOB")]
    jobs: Vec<JobId>,
    /// Tell the end as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// What became of the jobs.
#[derive(Debug, Default)]
struct Cleaned {
    removed: Vec<(JobId, u64)>,
    kept: Vec<(JobId, String)>,
}

/// Removes them, and tells which are left and why.
///
/// # Errors
/// [`Usage`] when the directory or a named job is not there, or another process works there; the file system's.
pub(crate) async fn run(arguments: &CleanArguments) -> anyhow::Result<Outcome> {
    let shown = arguments.state.display();
    if !arguments.state.is_dir() {
        return Err(Usage(format!(
            "--state: there is no directory {shown}: say --state, or go where `reseed` ran"
        ))
        .into());
    }
    let state = StateDirectory::open(&arguments.state).map_err(|e| Usage(e.to_string()))?;
    let store = LocalJobs::new(state.path().to_owned());
    let places = store.newest(None, usize::MAX).await?;
    let there: Vec<JobId> = places.into_iter().map(|place| place.job_id).collect();
    if let Some(other) = arguments.jobs.iter().find(|job| !there.contains(job)) {
        let text = format!("--job: there is no job {:?} in {shown}", other.as_str());
        return Err(Usage(text).into());
    }
    check_holds(&store, &arguments.jobs, &arguments.state).await?;
    remove::rest(state.path())?;
    let mut outcome = Outcome::Done;
    let mut cleaned = Cleaned::default();
    for job_id in there {
        let stays = if arguments.jobs.is_empty() {
            match store.load(&job_id).await {
                Ok(job) => job.as_ref().and_then(stays),
                Err(error) => {
                    outcome = Outcome::Failed;
                    Some(error.to_string())
                }
            }
        } else if arguments.jobs.contains(&job_id) {
            None
        } else {
            continue;
        };
        match stays {
            Some(reason) => cleaned.kept.push((job_id, reason)),
            None => match remove::job(state.path(), &job_id) {
                Ok(bytes) => cleaned.removed.push((job_id, bytes)),
                Err(error) => {
                    tell(&format!("removing job {job_id}: {error}"));
                    outcome = Outcome::Failed;
                }
            },
        }
    }
    answer(&if arguments.json {
        cleaned.json()
    } else {
        cleaned.text(&arguments.state)
    })?;
    Ok(outcome)
}

/// A job that live follows may hold live back, and it alone ends that.
///
/// # Errors
/// [`Usage`], with what ends it.
async fn check_holds(store: &LocalJobs, named: &[JobId], state: &Path) -> Result<(), Usage> {
    for job_id in named {
        // One that cannot be read can do nothing any more.
        if let Ok(Some(job)) = store.load(job_id).await
            && is_holding(&job)
        {
            return Err(Usage(format!(
                "--job: live changes are to follow {job_id} and may wait for it, so nothing would let them go on without it: \
                 start `serve --state {}`, cancel the job there (POST /jobs with {{\"action\":\"cancel\",\"jobId\":\"{job_id}\"}}), \
                 and remove it then",
                state.display()
            )));
        }
    }
    Ok(())
}

/// Why a job is not removed unless it is named.
fn stays(job: &Job) -> Option<String> {
    let ended = matches!(job.phase, Phase::Done | Phase::Cancelled);
    if !ended {
        let sent = count(job.checkpoint.sequence, "event");
        let stopped = match job.phase {
            phase @ (Phase::Scanning | Phase::Sending) => format!("stopped while {phase}, after"),
            phase => format!("{phase} after"),
        };
        return Some(format!(
            "{stopped} {sent}; `s3-sqs-bridge reseed --resume {}` goes on",
            job.job_id
        ));
    }
    let parked = job.counts.parked;
    (parked > 0).then(|| format!("{} with {}", job.phase, count(parked, "parked event")))
}

impl Cleaned {
    fn bytes(&self) -> u64 {
        self.removed.iter().map(|(_, bytes)| bytes).sum()
    }

    fn text(&self, state: &Path) -> String {
        let mut text = String::new();
        for (job_id, bytes) in &self.removed {
            let _ = writeln!(text, "removed {job_id}: {}", count(*bytes, "byte"));
        }
        for (job_id, reason) in &self.kept {
            let _ = writeln!(text, "kept {job_id}: {reason} (--job {job_id} removes it)");
        }
        let _ = write!(
            text,
            "{}: {} removed, {}; {} kept",
            state.display(),
            count(self.removed.len() as u64, "job"),
            count(self.bytes(), "byte"),
            self.kept.len()
        );
        text
    }

    fn json(&self) -> String {
        let removed = self.removed.iter();
        let removed = removed.map(|(job_id, bytes)| json!({ "jobId": job_id, "bytes": bytes }));
        let kept = self.kept.iter();
        let kept = kept.map(|(job_id, reason)| json!({ "jobId": job_id, "reason": reason }));
        let (removed, kept) = (removed.collect::<Vec<_>>(), kept.collect::<Vec<_>>());
        json!({ "removed": removed, "kept": kept, "bytes": self.bytes() }).to_string()
    }
}
