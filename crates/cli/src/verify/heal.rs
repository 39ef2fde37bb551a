//! What is missing, sent again: a job whose plan is what the comparison found.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::config::Config;
use bridge_core::listing::version::PlannedVersion;
use bridge_history::api::start::StartRequest;
use bridge_history::id::JobId;
use bridge_history::job::phase::Phase;
use bridge_history::job::state::Job;
use bridge_history::job::store::JobStore as _;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::run;
use bridge_history::send::target::Target;
use bridge_history::verify::heal::{choose, chosen};
use bridge_history::verify::scope::Scope;
use bridge_history::verify::scratch::Scratch;
use bridge_history::verify::sorter::{Sorted, Sorter};
use bridge_local::jobs::LocalJobs;
use bridge_local::plans::LocalPlans;
use bridge_local::state::StateDirectory;
use clap::Parser as _;
use tokio::sync::mpsc;

use crate::account::Account;
use crate::arguments::{Arguments, Command};
use crate::verify::options::VerifyArguments;
use crate::verify::work::{Work, aside};
use crate::{Outcome, Usage, reseed, tell};

/// Memory for the keys that lack something, and then for what is sent of them.
const MEMORY: usize = 32 * 1024 * 1024;

/// Numbers of their files: the others come nowhere near.
const GAP_FILES: u64 = 2 << 40;
const CHOSEN_FILES: u64 = 3 << 40;

/// Rows of a run.
const ROWS: usize = 50_000;

/// Where jobs are kept if the options name no place.
const STATE: &str = ".s3-sqs-bridge";

/// Takes the keys that lack something.
pub(super) fn gaps(scratch: &Arc<dyn Scratch>) -> Sorter {
    Sorter::new(Arc::clone(scratch), MEMORY, GAP_FILES)
}

/// What was compared, and which keys lack something.
pub(super) struct Compared {
    /// What came of it.
    pub(super) end: Outcome,
    pub(super) scope: Scope,
    pub(super) records: Sorted,
    pub(super) gaps: Sorted,
    pub(super) scratch: Arc<dyn Scratch>,
    /// Where they lie.
    pub(super) _work: Work,
}

impl Compared {
    /// Sends what is missing, and what is newer of its keys.
    ///
    /// # Errors
    /// What keeps the job from being made, or from working.
    pub(super) async fn heal(
        self,
        account: &Account,
        url: &str,
        arguments: &VerifyArguments,
    ) -> anyhow::Result<Outcome> {
        if self.gaps.is_empty() {
            tell("nothing is missing: nothing is sent");
            return Ok(Outcome::Done);
        }
        let keys = self.gaps.len();
        let state = arguments.state.as_deref().unwrap_or(Path::new(STATE));
        let job = self.job(state, url, arguments).await?;
        let events = job.planned.map_or(0, |planned| planned.events);
        tell(&format!(
            "healing {keys} keys with {events} events as job {}. What changes a key from now on may be told \
             before what is sent of it: compare again",
            job.job_id
        ));
        resume(account, job.job_id.as_str(), state, arguments.json).await
    }

    /// A job whose plan is complete.
    async fn job(
        self,
        state: &Path,
        url: &str,
        arguments: &VerifyArguments,
    ) -> anyhow::Result<Job> {
        let held = StateDirectory::open(state).map_err(|e| Usage(e.to_string()))?;
        let folder = held.path().to_owned();
        let (store, plans) = (LocalJobs::new(folder.clone()), LocalPlans::new(folder));
        let job = start(&store, url, arguments).await?;
        let mut manifest = Manifest::new(job.job_id.clone(), &job.bucket);
        manifest.ranges.clear();
        let (sender, mut packets) = mpsc::channel(2);
        let choosing = aside(move || self.choose(&sender));
        let writing = async {
            while let Some(rows) = packets.recv().await {
                let name = format!(
                    "jobs/{}/runs/{:06}.parquet",
                    job.job_id,
                    manifest.runs.len()
                );
                let (run, summary) = run::write(&plans, name, rows).await?;
                manifest.runs.push(run);
                manifest.summary.add(summary);
            }
            anyhow::Ok(())
        };
        let (chosen, written) = tokio::join!(choosing, writing);
        written.context("writing what is to be sent")?;
        chosen.context("choosing what is to be sent")?;
        let mut next = job.next(SystemClock.now());
        next.manifest = Some(manifest.save(&plans, job.epoch).await?);
        next.planned = Some(manifest.summary);
        next.phase = Phase::Sending;
        store.replace(&next, job.stored_revision()).await?;
        Ok(next)
    }

    /// Hands out what is to be sent, in order.
    fn choose(self, to: &mpsc::Sender<Vec<PlannedVersion>>) -> io::Result<()> {
        let mut sorter = Sorter::new(Arc::clone(&self.scratch), MEMORY, CHOSEN_FILES);
        choose(&self.records, &self.gaps, &self.scope, &mut sorter)?;
        let rows_in_order = sorter.finish()?;
        let mut rows = Vec::new();
        let send = |rows: Vec<PlannedVersion>| {
            let gone = |_| io::Error::other("nobody writes what is to be sent");
            to.blocking_send(rows).map_err(gone)
        };
        chosen(&rows_in_order, |row| {
            rows.push(row);
            if rows.len() < ROWS {
                return Ok(());
            }
            send(std::mem::take(&mut rows))
        })?;
        if rows.is_empty() { Ok(()) } else { send(rows) }
    }
}

/// A new job that has not begun. Its id is like no other's, whatever was sent to the queue before from elsewhere:
/// deduplication ids begin with it.
async fn start(store: &LocalJobs, url: &str, arguments: &VerifyArguments) -> anyhow::Result<Job> {
    let defaults = Config {
        queue_url: url.to_owned(),
        format: arguments.format,
        order: Target::Queue(url.to_owned()).default_order(),
        key_prefix: arguments.prefix.clone(),
        key_suffix: arguments.suffix.clone(),
        region: String::new(),
    };
    let request = StartRequest {
        events: arguments.kinds,
        ..StartRequest::default()
    };
    let now = SystemClock.now();
    let options = request
        .resolve(&defaults, now)
        .map_err(|e| Usage(e.to_string()))?;
    let digest = format!("{:08x}", fastrand::u32(..));
    let id = JobId::numbered(&now.day(), &digest, 1);
    let bucket = arguments.bucket.as_deref().unwrap_or_default();
    let job = Job::new(id, bucket, options, digest, now);
    store.create(&job).await?;
    Ok(job)
}

/// Works on the job as `reseed --resume` does.
async fn resume(
    account: &Account,
    job_id: &str,
    state: &Path,
    json: bool,
) -> anyhow::Result<Outcome> {
    let mut words: Vec<std::ffi::OsString> =
        ["s3-sqs-bridge", "reseed", "--resume", job_id, "--state"]
            .map(Into::into)
            .to_vec();
    words.push(state.into());
    words.extend(json.then(|| "--json".into()));
    match Arguments::try_parse_from(words)?.command {
        Command::Reseed(options) => Box::pin(reseed::run(account, *options)).await,
        _ => anyhow::bail!("a job could not be continued"),
    }
}
