//! Which jobs of the state directory this process works on. `reseed` keeps its own in the same directory unless told
//! otherwise: it continues what a killed `reseed` has left, but for what only `reseed` can do.

use std::path::PathBuf;

use bridge_history::job::phase::Phase;
use bridge_history::job::state::{Job, StopRequest};
use bridge_history::job::store::JobStore as _;
use bridge_history::send::target::Target;
use bridge_local::jobs::LocalJobs;
use bridge_local::state::StateDirectory;

use crate::reseed::elsewhere::is_local;
use crate::serve::options::check_target;

/// The place: a bucket, a queue and a directory.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    /// The bucket that is listed, whatever a job says; `None`: nothing is listed, since none is named.
    pub bucket: Option<String>,
    /// Where live changes go.
    pub live: Target,
    /// The queue that notifications are taken from.
    pub notifications: Option<String>,
    /// Why live cannot be held back here, so that it could follow a history; `None`: it can.
    pub no_follow: Option<&'static str>,
    /// The directory, as it was given.
    pub state: PathBuf,
}

impl Here {
    /// A process for this bucket in this directory, which takes what is live from `notifications` and sends it to
    /// `queue_url`; `has_table`: what holds for all keys is kept.
    pub(crate) fn new(
        bucket: Option<String>,
        queue_url: &str,
        notifications: Option<String>,
        has_table: bool,
        state: &StateDirectory,
    ) -> Self {
        let no_follow = match (&notifications, has_table) {
            (Some(_), true) => None,
            (None, _) => Some(
                "live changes, which come by HTTP alone, cannot be held back here: that takes a queue for them \
                 (--notifications-queue-url)",
            ),
            (Some(_), false) => Some(
                "live changes cannot be held back here, as LIVE_ORDER notified looks at no LIVE_TABLE: that takes \
                 LIVE_ORDER newest or exact, or no LIVE_TABLE",
            ),
        };
        Self {
            bucket,
            live: Target::parse(queue_url),
            notifications,
            no_follow,
            state: state.path().to_owned(),
        }
    }

    /// Why a job is not worked on here. What is to be cancelled takes neither the job's bucket nor its target, but may have
    /// to let live go on.
    pub(crate) fn why_not_now(&self, job: &Job) -> Option<String> {
        if job.stop_request == Some(StopRequest::Cancel) {
            self.why_not_followed(job)
        } else {
            self.why_left(job)
        }
    }

    /// Why nothing at all becomes of a job here that live is to follow.
    pub(crate) fn why_not_followed(&self, job: &Job) -> Option<String> {
        let why = self.no_follow.filter(|_| job.may_hold())?;
        let (bucket, target, state) = (&job.bucket, &job.options.target, self.state.display());
        Some(format!(
            "{why}. A `serve` of bucket {bucket} and queue {target} that has it continues the job, or cancels it, --state {state}"
        ))
    }

    /// Why a job that has not ended is left as it is, and how to go on; `None`: it is worked on here.
    pub(crate) fn why_left(&self, job: &Job) -> Option<String> {
        if let Some(why) = self.why_not_followed(job) {
            return Some(why);
        }
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
        let sends_to = target.to_string();
        let notifications = self
            .notifications
            .as_deref()
            .filter(|_| !job.options.dry_run);
        if let Err(why) = check_target("its queue", &sends_to, notifications) {
            return Some(why);
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

    const NOTIFICATIONS: &str = "https://sqs.eu-west-1.amazonaws.com/1/notifications";

    fn here() -> Here {
        Here {
            bucket: Some("ledger".to_owned()),
            live: Target::parse(&config().common.queue_url),
            notifications: Some(NOTIFICATIONS.to_owned()),
            no_follow: None,
            state: "state".into(),
        }
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
        let ledger = here();
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
            (
                &ledger,
                job(|job| job.options.target = Target::Queue(NOTIFICATIONS.to_owned())),
                Some("taken for what happened"),
            ),
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
    fn where_live_cannot_follow_it_is_said_what_that_takes() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(folder.path()).unwrap();
        for (notifications, has_table, expected) in [
            (Some(NOTIFICATIONS), true, None),
            (None, true, Some("--notifications-queue-url")),
            (
                Some(NOTIFICATIONS),
                false,
                Some("LIVE_ORDER newest or exact"),
            ),
        ] {
            let notifications = notifications.map(str::to_owned);
            let here = Here::new(None, "https://x/1/q.fifo", notifications, has_table, &state);
            assert_eq!(here.no_follow.is_some(), expected.is_some());
            let why = here.no_follow.unwrap_or_default();
            assert!(why.contains(expected.unwrap_or_default()), "{why}");
        }
    }

    #[test]
    fn a_plan_of_this_machine_that_was_read_whole_is_sent_like_any_other() {
        let here = here();
        let mut job = job(from("/plans/manifest.json"));
        job.phase = Phase::Sending;
        assert_eq!(here.why_left(&job), None);
        let mut of_file = job;
        of_file.options.target = Target::File("/a.jsonl".into());
        of_file.options.dry_run = true;
        assert_eq!(here.why_left(&of_file), None, "a dry run writes nothing");
    }
}
