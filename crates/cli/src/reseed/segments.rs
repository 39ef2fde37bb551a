//! The segments of a job in this process.

use std::time::Duration;

use bridge_history::api::actions;
use bridge_history::id::JobId;
use bridge_history::job::invocation::Invocation;
use bridge_history::job::ports::Ports;
use bridge_history::job::segment::{self, SegmentEnd};
use bridge_history::job::settings::SegmentSettings;
use bridge_history::job::state::Job;
use bridge_history::send::target::Target;
use tokio_util::sync::CancellationToken;

use crate::arguments::ReseedArguments;
use crate::reseed::resume::forget_lease;
use crate::tell;

/// One segment lasts as long as the process.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// Between segments, after a fault that may pass.
const PAUSE: Duration = Duration::from_secs(5);

/// How its segments work, as the command line says.
pub(super) fn settings(
    arguments: &ReseedArguments,
    target: &Target,
    region: String,
) -> SegmentSettings {
    let mut settings = SegmentSettings::new(region, fastrand::u64(..));
    settings.scan.listers = arguments.listers;
    settings.scan.memory_budget = arguments.memory * 1024 * 1024;
    settings.send.lanes = match target {
        Target::Queue(_) => arguments.lanes,
        // One lane keeps the plan's order.
        _ => 1,
    };
    settings
}

/// Runs segments until the job has ended or is stopped. The first is the only one, unless something
/// fails that may pass.
///
/// # Errors
/// What keeps segments from running at all; why a job failed is in the job.
pub(crate) async fn run_to_end(
    ports: &Ports,
    settings: &SegmentSettings,
    job_id: &JobId,
    stop: &CancellationToken,
) -> anyhow::Result<Job> {
    let owner = format!("process {}", std::process::id());
    loop {
        let job = actions::find(ports, job_id).await?;
        if job.is_active() && job.lease.is_some() {
            forget_lease(&*ports.jobs, job, None).await?;
        }
        // Its own: a segment stops itself when its lease has lapsed, as after the machine slept,
        // and another continues.
        let invocation = Invocation {
            job_id,
            expected_epoch: None,
            owner: &owner,
            budget: FOREVER,
            stop: stop.child_token(),
        };
        let end = segment::run(ports, settings, invocation);
        match end.await? {
            SegmentEnd::RetryLater(reason) if !stop.is_cancelled() => {
                tell(&format!("{reason}; trying again in {} s", PAUSE.as_secs()));
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
            SegmentEnd::Skipped(reason) => anyhow::bail!("job {job_id}: {reason}"),
            _ => {}
        }
        let job = actions::find(ports, job_id).await?;
        if !job.is_active() || stop.is_cancelled() {
            return Ok(job);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

    use async_trait::async_trait;
    use bridge_core::clock::{Clock, SystemClock};
    use bridge_core::queue::error::SendError;
    use bridge_core::queue::message::Message;
    use bridge_core::queue::port::{EntryResult, Queue};
    use bridge_core::timestamp::Timestamp;
    use bridge_history::api::start::StartRequest;
    use bridge_history::job::phase::Phase;
    use bridge_history::job::state::Lease;
    use bridge_local::NoContinuation;
    use bridge_local::jobs::LocalJobs;
    use bridge_local::plans::LocalPlans;
    use bridge_sim::bucket::{STYLE, SimLister};
    use bridge_sim::faults::Faults;
    use bridge_sim::scenario::config;
    use bridge_sim::scenario::draw::bucket;

    use super::*;
    use crate::reseed::opening::OneQueue;

    /// A machine that sleeps for an hour while the fiftieth request is answered.
    #[derive(Default)]
    pub(crate) struct Laptop {
        slept: AtomicBool,
        slept_secs: AtomicU64,
        events: AtomicUsize,
    }

    impl Clock for Laptop {
        fn now(&self) -> Timestamp {
            SystemClock.now() + Duration::from_secs(self.slept_secs.load(Ordering::SeqCst))
        }
    }

    #[async_trait]
    impl Queue for Laptop {
        async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
            let before = self.events.fetch_add(messages.len(), Ordering::SeqCst);
            if before > 50 && !self.slept.swap(true, Ordering::SeqCst) {
                self.slept_secs.store(3_600, Ordering::SeqCst);
            }
            Ok(vec![Ok(()); messages.len()])
        }

        async fn depth(&self) -> Result<u64, SendError> {
            Ok(0)
        }

        async fn max_message_bytes(&self) -> Result<usize, SendError> {
            Ok(1_000_000)
        }

        fn request_timeout(&self) -> Duration {
            Duration::from_secs(10)
        }
    }

    /// A job of 600 events in a directory, and the machine that works on it.
    pub(crate) async fn laptop(folder: &Path) -> (Ports, Arc<Laptop>, Job) {
        let laptop = Arc::new(Laptop::default());
        let bucket = bucket(&mut fastrand::Rng::with_seed(1), 600);
        let lister = SimLister::new(bucket, STYLE, Arc::new(Faults::new(1, 0)));
        let ports = Ports {
            lister: Arc::new(lister),
            plans: Arc::new(LocalPlans::new(folder.to_owned())),
            elsewhere: None,
            queues: Arc::new(OneQueue {
                queue: laptop.clone(),
                parking: None,
            }),
            jobs: Arc::new(LocalJobs::new(folder.to_owned())),
            continuation: Arc::new(NoContinuation),
            clock: laptop.clone(),
            live: None,
        };
        let request = StartRequest::default();
        let job = actions::start_another(&ports, &config(), &request).await;
        (ports, laptop, job.unwrap())
    }

    async fn run(ports: &Ports, job: &Job) -> Job {
        let settings = SegmentSettings::new("eu-west-1".to_owned(), 1);
        let stop = CancellationToken::new();
        let end = run_to_end(ports, &settings, &job.job_id, &stop).await;
        end.unwrap()
    }

    #[tokio::test]
    async fn a_machine_that_slept_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (ports, laptop, job) = laptop(folder.path()).await;
        let job = run(&ports, &job).await;
        assert!(laptop.slept.load(Ordering::SeqCst));
        assert_eq!((job.phase, job.counts.segments), (Phase::Done, 2));
        assert_eq!(job.checkpoint.sequence, 600);
        let events = laptop.events.load(Ordering::SeqCst);
        assert!(events < 600 + 300, "{events} events: it began again");
    }

    #[tokio::test]
    async fn a_lease_that_could_not_be_given_back_is_no_reason_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        let (ports, _, job) = laptop(folder.path()).await;
        let mut left = job.next(SystemClock.now());
        left.lease = Some(Lease {
            owner: "the segment before".to_owned(),
            until: SystemClock.now() + Duration::from_mins(1),
        });
        ports
            .jobs
            .replace(&left, job.stored_revision())
            .await
            .unwrap();
        // It would continue in the end, once it has watched the lease for a minute.
        let end = tokio::time::timeout(Duration::from_secs(30), run(&ports, &job)).await;
        assert_eq!(end.expect("it waits for itself").phase, Phase::Done);
    }
}
