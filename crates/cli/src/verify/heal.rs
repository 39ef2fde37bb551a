//! What is missing, sent again: a job whose plan is what the comparison found.

use std::io;
use std::path::PathBuf;
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
use crate::numbers::count;
use crate::reseed::held;
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

/// The directory of the job that would heal, held from now on: what would keep the job from being made is known before
/// anything is read. `None` where no job is made.
///
/// # Errors
/// [`Usage`] where another process works in it, or a job that live changes follow has the queue; else the job store's.
pub(super) async fn hold(arguments: &VerifyArguments) -> anyhow::Result<Option<StateDirectory>> {
    let Some(url) = &arguments.heal else {
        return Ok(None);
    };
    if arguments.live_table_name().is_some() {
        return Ok(None);
    }
    let directory =
        StateDirectory::open(arguments.state_of_jobs()).map_err(|e| Usage(e.to_string()))?;
    let store = LocalJobs::new(directory.path().to_owned());
    held::check(&store, directory.path(), &Target::Queue(url.clone())).await?;
    Ok(Some(directory))
}

/// Takes the keys that lack something.
pub(super) fn gaps(scratch: &Arc<dyn Scratch>) -> Sorter {
    Sorter::new(Arc::clone(scratch), MEMORY, GAP_FILES)
}

/// What was compared, and which keys lack something.
pub(super) struct Compared {
    /// What came of it.
    pub(super) end: Outcome,
    /// Whether what is missing may be sent again ([`basis`](crate::verify::basis)).
    pub(super) is_sound: bool,
    pub(super) scope: Scope,
    pub(super) records: Sorted,
    pub(super) gaps: Sorted,
    pub(super) scratch: Arc<dyn Scratch>,
    /// Where a job that heals is made.
    pub(super) held: Option<StateDirectory>,
    /// Where they lie.
    pub(super) _work: Work,
}

impl Compared {
    /// Makes a job that sends what is missing, and what is newer of its keys, if there is any.
    ///
    /// # Errors
    /// What keeps the job from being made.
    pub(super) async fn heal(
        self,
        url: &str,
        arguments: &VerifyArguments,
    ) -> anyhow::Result<Option<JobId>> {
        if self.gaps.is_empty() {
            tell("nothing is missing: nothing is sent");
            return Ok(None);
        }
        let keys = self.gaps.len();
        let job = self.job(url, arguments).await?;
        let events = job.planned.map_or(0, |planned| planned.events);
        tell(&format!(
            "healing {} with {} as job {}. What changes a key from now on may be told before what is sent of it: compare \
             again",
            count(keys, "key"),
            count(events, "event"),
            job.job_id
        ));
        Ok(Some(job.job_id))
    }

    /// A job whose plan is complete. If it cannot be made, or is given up, nothing of it is left.
    async fn job(mut self, url: &str, arguments: &VerifyArguments) -> anyhow::Result<Job> {
        let directory = self.held.take();
        let directory = directory.context("the state directory is not held")?;
        let folder = directory.path().to_owned();
        let (store, plans) = (LocalJobs::new(folder.clone()), LocalPlans::new(folder));
        let mut job = new_job(url, arguments)?;
        let unfinished = Unfinished(directory.path().join("jobs").join(job.job_id.as_str()));
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
        job.manifest = Some(manifest.save(&plans, job.epoch).await?);
        job.planned = Some(manifest.summary);
        job.phase = Phase::Sending;
        // Not before: a job without its plan would list the whole bucket when it is resumed, and send all of it.
        store.create(&job).await?;
        unfinished.keep();
        Ok(job)
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

/// The folder of a job that is being made.
struct Unfinished(PathBuf);

impl Unfinished {
    /// It stays.
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // What is left is no job, and harms nobody.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// A job that is not stored yet. Its id is like no other's, whatever was sent to the queue before from elsewhere:
/// deduplication ids begin with it.
fn new_job(url: &str, arguments: &VerifyArguments) -> anyhow::Result<Job> {
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
    Ok(Job::new(id, bucket, options, digest, now))
}

/// Works on the job as `reseed --resume` does, and tells its end on standard error: the comparison is the one answer.
///
/// # Errors
/// As `reseed` itself.
pub(super) async fn resume(
    account: &Account,
    job_id: &JobId,
    arguments: &VerifyArguments,
) -> anyhow::Result<Outcome> {
    let job_id = job_id.as_str();
    let mut words: Vec<std::ffi::OsString> =
        ["s3-sqs-bridge", "reseed", "--resume", job_id, "--state"]
            .map(Into::into)
            .to_vec();
    words.push(arguments.state_of_jobs().into());
    match Arguments::try_parse_from(words)?.command {
        Command::Reseed(options) => Box::pin(reseed::run(account, *options)).await,
        _ => anyhow::bail!("a job could not be continued"),
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::listing::version::ObjectVersion;
    use bridge_core::timestamp::Timestamp;
    use bridge_history::scan::filter::Filter;
    use bridge_history::verify::heal::note_gap;
    use bridge_history::verify::intake::Intake;
    use bridge_history::verify::report::Findings;
    use bridge_local::scratch::LocalScratch;

    use super::*;

    const URL: &str = "http://127.0.0.1:9/1/q.fifo";

    #[tokio::test]
    async fn a_job_whose_plan_cannot_be_made_is_none_that_lists_the_bucket_when_it_is_resumed() {
        let state = tempfile::tempdir().unwrap();
        for is_whole in [false, true] {
            let work = Work::new(Some(state.path())).unwrap();
            let scratch: Arc<dyn Scratch> = Arc::new(LocalScratch::new(work.path().to_owned()));
            let scope = Scope {
                bucket: "ledger".to_owned(),
                filter: Filter::default(),
                is_until_given: false,
                is_frozen: false,
                has_order: true,
            };
            let row = PlannedVersion {
                effective_time: Timestamp(0),
                rank: 0,
                version: ObjectVersion {
                    key: "k".to_owned(),
                    version_id: "v".to_owned(),
                    last_modified: Timestamp(0),
                    is_latest: true,
                    is_delete_marker: false,
                    size: Some(1),
                    e_tag: None,
                },
            };
            let mut sorter = Sorter::new(Arc::clone(&scratch), MEMORY, 0);
            let mut findings = Findings::new(1, None);
            let mut intake = Intake::new(&scope, &mut sorter, &mut findings);
            intake.row(&row).unwrap();
            let mut gaps = gaps(&scratch);
            note_gap(&mut gaps, "k", 0).unwrap();
            let file = work.path().join("sorted-0");
            let compared = Compared {
                end: Outcome::Failed,
                is_sound: true,
                scope,
                records: sorter.finish().unwrap(),
                gaps: gaps.finish().unwrap(),
                scratch,
                held: Some(StateDirectory::open(state.path()).unwrap()),
                _work: work,
            };
            if !is_whole {
                std::fs::remove_file(file).unwrap();
            }
            let words = [
                "s3-sqs-bridge",
                "verify",
                "--bucket",
                "ledger",
                "--events",
                "-",
            ];
            let Command::Verify(arguments) = Arguments::try_parse_from(words).unwrap().command
            else {
                panic!("it is verify");
            };
            let made = compared.job(URL, &arguments).await;
            assert_eq!(made.is_ok(), is_whole, "{made:?}");
            let jobs = std::fs::read_dir(state.path().join("jobs"));
            assert_eq!(jobs.map_or(0, Iterator::count), usize::from(is_whole));
            if let Ok(job) = made {
                assert_eq!(job.phase, Phase::Sending);
                assert_eq!(job.planned.map(|planned| planned.events), Some(1));
            }
        }
    }
}
