//! Which jobs of the state directory this process works on. `reseed` keeps its own in the same directory unless told
//! otherwise: it continues what a killed `reseed` has left, but for what only `reseed` can do.

use std::path::PathBuf;

use bridge_history::job::phase::Phase;
use bridge_history::job::state::Job;
use bridge_history::job::store::JobStore as _;
use bridge_history::send::target::Target;
use bridge_local::jobs::LocalJobs;
use bridge_local::state::StateDirectory;

use crate::reseed::elsewhere::is_local;

/// The place: a bucket, a queue and a directory.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    /// The bucket that is listed, whatever a job says; `None`: nothing is listed, since none is named.
    pub bucket: Option<String>,
    /// Where live changes go.
    pub live: Target,
    /// The directory, as it was given.
    pub state: PathBuf,
}

impl Here {
    /// A process for this bucket in this directory, which sends live changes to `queue_url`.
    pub(crate) fn new(bucket: Option<String>, queue_url: &str, state: &StateDirectory) -> Self {
        Self {
            bucket,
            live: Target::parse(queue_url),
            state: state.path().to_owned(),
        }
    }

    /// Why a job that has not ended is left as it is, and how to go on; `None`: it is worked on here.
    pub(crate) fn why_left(&self, job: &Job) -> Option<String> {
        let why = self.why(job)?;
        let (id, state) = (&job.job_id, self.state.display());
        let how = if job.may_hold() {
            format!(
                "a `serve` of that bucket and queue continues it and lets live changes follow, --state {state}"
            )
        } else {
            format!("`s3-sqs-bridge reseed --state {state} --resume {id}` continues it")
        };
        Some(format!(
            "{why}. It can be cancelled here; or end this process, which has the directory to itself: then {how}"
        ))
    }

    fn why(&self, job: &Job) -> Option<String> {
        let of_job = &job.bucket;
        match &self.bucket {
            None => {
                return Some(format!(
                    "it is of bucket {of_job}, and BUCKET_NAME names none here"
                ));
            }
            Some(here) if here != of_job => {
                return Some(format!("it is of bucket {of_job}, and here is {here}"));
            }
            Some(_) => {}
        }
        let target = &job.options.target;
        if job.may_hold() && *target != self.live {
            let live = &self.live;
            return Some(format!(
                "it sends to {target}, and live changes, which are to follow it there, go to {live}"
            ));
        }
        if matches!(target, Target::File(_) | Target::Stdout) && !job.options.dry_run {
            return Some(format!("it writes to {target}, which `reseed` alone does"));
        }
        let plan = job.options.plan.as_ref().map(|plan| plan.uri.as_str());
        let plan = plan.filter(|uri| job.phase == Phase::Scanning && is_local(uri))?;
        Some(format!(
            "its plan is {plan} of this machine, which `reseed` alone reads"
        ))
    }

    /// Says in the log which jobs are left, where none is worked on.
    pub(crate) async fn tell(&self) {
        let jobs = LocalJobs::new(self.state.clone());
        let active = match jobs.active().await {
            Ok(active) => active,
            Err(error) => {
                tracing::error!(%error, "jobs that were interrupted are not known");
                return;
            }
        };
        for job_id in active {
            // What cannot be read any more names itself when it is asked for.
            if let Ok(Some(job)) = jobs.load(&job_id).await {
                self.tell_left(&job);
            }
        }
    }

    /// Says of one in the log that it is left, if it is.
    pub(crate) fn tell_left(&self, job: &Job) {
        if let Some(why) = self.why_left(job) {
            let (phase, sent) = (job.phase, job.checkpoint.sequence);
            tracing::warn!(job = %job.job_id, %phase, sent, why, "an interrupted job is left as it is");
        }
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::timestamp::Timestamp;
    use bridge_history::api::start::StartRequest;
    use bridge_history::plan::elsewhere::place::PlanSource;
    use bridge_sim::scenario::config;

    use super::*;

    fn job(change: impl FnOnce(&mut Job)) -> Job {
        let options = StartRequest::default().resolve(&config().common, Timestamp(0));
        let id = "20240501-1a2b3c4d-1".parse().unwrap();
        let mut job = Job::new(id, "ledger", options.unwrap(), String::new(), Timestamp(1));
        change(&mut job);
        job
    }

    fn from(uri: &str) -> impl FnOnce(&mut Job) {
        let source = PlanSource {
            uri: uri.to_owned(),
            digest: String::new(),
        };
        |job| job.options.plan = Some(source)
    }

    #[test]
    fn what_reseed_alone_can_do_is_left_with_the_reason_and_what_to_do() {
        let ledger = Here {
            bucket: Some("ledger".to_owned()),
            live: Target::parse(&config().common.queue_url),
            state: "state".into(),
        };
        let nowhere = Here {
            bucket: None,
            ..ledger.clone()
        };
        let file = || Target::File("/a.jsonl".into());
        for (here, job, expected) in [
            (&ledger, job(|_| {}), None),
            (&ledger, job(from("s3://plans/manifest.json")), None),
            (
                &ledger,
                job(|job| job.options.target = Target::Stdout),
                Some("stdout:"),
            ),
            (
                &ledger,
                job(|job| job.options.target = file()),
                Some("file:/a.jsonl"),
            ),
            (
                &ledger,
                job(|job| job.bucket = "other".to_owned()),
                Some("bucket other"),
            ),
            (
                &ledger,
                job(from("/plans/manifest.json")),
                Some("/plans/manifest.json"),
            ),
            (&nowhere, job(|_| {}), Some("BUCKET_NAME")),
        ] {
            let why = here.why_left(&job);
            assert_eq!(why.is_some(), expected.is_some(), "{why:?}");
            let Some((why, expected)) = why.zip(expected) else {
                continue;
            };
            assert!(why.contains(expected), "{why}");
            let command = "reseed --state state --resume 20240501-1a2b3c4d-1`";
            assert!(why.contains(command), "{why}");
        }
    }

    #[test]
    fn a_plan_of_this_machine_that_was_read_whole_is_sent_like_any_other() {
        let here = Here {
            bucket: Some("ledger".to_owned()),
            live: Target::parse(&config().common.queue_url),
            state: "state".into(),
        };
        let mut job = job(from("/plans/manifest.json"));
        job.phase = Phase::Sending;
        assert_eq!(here.why_left(&job), None);
        let mut of_file = job;
        of_file.options.target = Target::File("/a.jsonl".into());
        of_file.options.dry_run = true;
        assert_eq!(here.why_left(&of_file), None, "a dry run writes nothing");
    }
}
