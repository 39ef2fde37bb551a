//! `reseed`: a whole job in this process, its state in a local directory.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bridge_aws::lister::S3Lister;
use bridge_aws::queues::SqsQueues;
use bridge_aws::sdk;
use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::config::{Config, DEFAULT_LEASE, ReseedConfig, check_bucket};
use bridge_history::api::actions;
use bridge_history::api::request::{StartRequest, check_records};
use bridge_history::job::invocation::Invocation;
use bridge_history::job::ports::{Ports, Queues};
use bridge_history::job::segment;
use bridge_history::job::segment::SegmentEnd;
use bridge_history::job::settings::SegmentSettings;
use bridge_history::job::state::{Job, StopRequest};
use bridge_history::job::store::JobStore;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::store::PlanStore;
use bridge_history::send::parking::OnUndeliverable;
use bridge_history::send::target::Target;
use bridge_local::jobs::LocalJobs;
use bridge_local::output::Existing;
use bridge_local::plans::LocalPlans;
use bridge_local::state::StateDirectory;
use bridge_local::{NoContinuation, output};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::arguments::ReseedArguments;
use crate::estimate::Estimate;
use crate::opening::{OneQueue, Opening};
use crate::preflight::Preflight;
use crate::progress::{Counted, Counts, show};
use crate::{Outcome, Usage, report, target, tell};

/// One segment lasts as long as the process.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// Between attempts after a fault that may pass.
const REST: Duration = Duration::from_secs(5);

/// Runs a job to its end, or to an interrupt.
pub(crate) async fn run(arguments: ReseedArguments) -> anyhow::Result<Outcome> {
    let begin = Instant::now();
    if let Some(bucket) = &arguments.bucket {
        check_bucket("--bucket", bucket).map_err(|e| Usage(e.to_string()))?;
    }
    let state = StateDirectory::open(&arguments.state).map_err(|e| Usage(e.to_string()))?;
    let store = LocalJobs::new(state.path().to_owned());
    let plans = LocalPlans::new(state.path().to_owned());
    let way = arguments.on_undeliverable;
    let resumed = match &arguments.resume {
        Some(job_id) => Some(find(&store, &plans, job_id).await?),
        None => None,
    };
    let (bucket, target, dry_run) = if let Some(job) = &resumed {
        let target = job.options.target.clone();
        (job.bucket.clone(), target, job.options.dry_run)
    } else {
        let target = target::of(&arguments)?;
        if let (Target::File(path), false) = (&target, arguments.dry_run) {
            output::check(path, arguments.existing()).map_err(|e| Usage(e.to_string()))?;
        }
        let bucket = arguments.bucket.clone().unwrap_or_default();
        (bucket, target, arguments.dry_run)
    };
    let sdk = sdk::load().await;
    let region = sdk.region().map_or("us-east-1", |r| r.as_ref()).to_owned();
    let lister = S3Lister::new(&sdk, bucket.clone());
    let sqs = SqsQueues {
        client: sdk::sqs(&sdk),
        failure_queue: None,
    };
    let queue = target.queue_url().map(|url| (sqs.open(url), url));
    let request = match &resumed {
        Some(_) => None,
        None => Some(request(&arguments, bucket.clone(), &target, &region)?),
    };
    let prefix = match &resumed {
        Some(job) => &job.options.filter.prefix,
        None => &arguments.prefix,
    };
    let preflight = Preflight {
        sdk: &sdk,
        lister: &lister,
        bucket: &bucket,
        prefix,
        queue: queue
            .as_ref()
            .filter(|_| !dry_run)
            .map(|(queue, url)| (&**queue, *url)),
    };
    preflight.ask().await?;

    let counts = Arc::new(Counts::default());
    let stop = stop_on_interrupt()?;
    let broken = Arc::new(OnceLock::new());
    let mut ports = Ports {
        lister: Arc::new(Counted::new(lister, &counts)),
        plans: Arc::new(plans),
        queues: Arc::new(sqs.clone()),
        jobs: Arc::new(Counted::new(store.clone(), &counts)),
        continuation: Arc::new(NoContinuation),
        clock: Arc::new(SystemClock),
    };
    let job = match request {
        None => resume(&store, arguments.resume.as_deref().unwrap_or_default(), way).await?,
        Some((config, request)) => {
            let job = start(&ports, &config, &request).await?;
            claim(&ports, &state, &job, &target, arguments.existing()).await?;
            job
        }
    };
    let opened = Opening {
        state: &state,
        job: &job,
        stop: &stop,
        broken: &broken,
    };
    let queue = opened.open(&target, &sqs)?;
    ports.queues = Arc::new(OneQueue {
        queue: Arc::new(Counted::new(queue, &counts)),
        parking: opened.parking(&target)?,
    });
    tell(&format!("job {} in {}", job.job_id, state.path().display()));

    let settings = settings(&arguments, &target, region);
    let shown = tokio::spawn(show(counts.clone()));
    let job = work(&ports, &settings, &job.job_id, &stop).await;
    // Its bar is gone before the report is written.
    shown.abort();
    let _ = shown.await;
    let job = job?;
    let planned = estimate(&ports, &job).await?;
    let end = report::End {
        job: &job,
        took: begin.elapsed(),
        estimate: planned,
        broken: broken.get(),
        state: &state.path().display().to_string(),
    };
    end.tell(arguments.json, arguments.dry_run, &target)?;
    Ok(end.outcome())
}

/// What a dry run's plan would cost.
async fn estimate(ports: &Ports, job: &Job) -> anyhow::Result<Option<Estimate>> {
    match &job.manifest {
        Some(name) if job.options.dry_run && job.planned.is_some() => {
            let manifest = Manifest::load(&*ports.plans as &dyn PlanStore, name).await?;
            Ok(Some(report::estimate_of(job, &manifest)))
        }
        _ => Ok(None),
    }
}

/// The job that is to continue, if it is one that may. Its files come with the directory: none of them
/// may lie elsewhere.
async fn find(store: &LocalJobs, plans: &LocalPlans, job_id: &str) -> anyhow::Result<Job> {
    let unusable = |e: &dyn std::fmt::Display| Usage(format!("--resume {job_id:?}: {e}"));
    let job = store.load(job_id).await.map_err(|e| unusable(&e))?;
    let job = job.ok_or_else(|| {
        Usage(format!(
            "--resume: there is no job {job_id:?} in this state directory (--state)"
        ))
    })?;
    let own = format!("jobs/{job_id}/");
    let mut names = Vec::new();
    if let Some(name) = job.manifest.as_ref().filter(|name| name.starts_with(&own)) {
        let manifest = Manifest::load(plans, name).await?;
        names.extend(manifest.runs.into_iter().map(|run| run.name));
    }
    let elsewhere = job
        .manifest
        .iter()
        .chain(&names)
        .find(|name| !name.starts_with(&own));
    if let Some(name) = elsewhere {
        return Err(unusable(&format!("its file {name:?} is not below {own}")).into());
    }
    if job.job_id != job_id {
        return Err(unusable(&format!("its file is of job {:?}", job.job_id)).into());
    }
    if !job.is_active() {
        job.resumed(None, SystemClock.now())
            .map_err(|e| unusable(&e))?;
    }
    Ok(job)
}

/// Gives a new job its file. If that fails the job is not left for a resume that could not work.
async fn claim(
    ports: &Ports,
    state: &StateDirectory,
    job: &Job,
    target: &Target,
    existing: Existing,
) -> anyhow::Result<()> {
    let Target::File(path) = target else {
        return Ok(());
    };
    if job.options.dry_run {
        return Ok(());
    }
    if let Err(error) = output::claim(state.path(), &job.job_id, path, existing) {
        actions::request_stop(ports, &job.job_id, StopRequest::Cancel).await?;
        return Err(Usage(error.to_string()).into());
    }
    Ok(())
}

/// A job of the state directory, ready to continue. Its last process is gone, or the directory would
/// be locked; so its lease means nothing.
async fn resume(
    store: &LocalJobs,
    job_id: &str,
    on_undeliverable: Option<OnUndeliverable>,
) -> anyhow::Result<Job> {
    let job = store.load(job_id).await?.ok_or_else(|| {
        Usage(format!(
            "--resume: there is no job {job_id:?} in this state directory (--state)"
        ))
    })?;
    if job.is_active() {
        return forget_lease(store, job, on_undeliverable).await;
    }
    let now = SystemClock.now();
    let next = job
        .resumed(on_undeliverable, now)
        .map_err(|e| Usage(e.to_string()))?;
    store.replace(&next, job.stored_revision()).await?;
    Ok(next)
}

/// The directory is this process's alone: a lease in it is of a segment that has ended.
async fn forget_lease(
    store: &dyn JobStore,
    job: Job,
    on_undeliverable: Option<OnUndeliverable>,
) -> anyhow::Result<Job> {
    let mut next = job.next(SystemClock.now());
    next.lease = None;
    next.options.on_undeliverable = on_undeliverable.unwrap_or(job.options.on_undeliverable);
    store.replace(&next, job.stored_revision()).await?;
    Ok(next)
}

/// What a new job is asked to do, checked.
fn request(
    arguments: &ReseedArguments,
    bucket: String,
    target: &Target,
    region: &str,
) -> Result<(ReseedConfig, StartRequest), Usage> {
    let order = match &arguments.order {
        Some(word) => target
            .parse_order(word)
            .map_err(|allowed| Usage(format!("--order: found {word:?}, allowed is {allowed}")))?,
        None => target.default_order(),
    };
    let records_per_message = usize::from(arguments.records_per_message);
    check_records(
        "--records-per-message",
        records_per_message,
        arguments.format,
    )
    .map_err(Usage)?;
    let config = ReseedConfig {
        common: Config {
            queue_url: target.to_string(),
            format: arguments.format,
            order,
            key_prefix: arguments.prefix.clone(),
            key_suffix: arguments.suffix.clone(),
            region: region.to_owned(),
        },
        bucket,
        table: String::new(),
        plan_bucket: String::new(),
        failure_queue: None,
        lease: DEFAULT_LEASE,
    };
    let request = StartRequest {
        from: arguments.from,
        until: arguments.until,
        current_only: arguments.current_only,
        events: arguments.events,
        max_rate: arguments.max_rate,
        pause_above_depth: arguments.pause_above_depth,
        records_per_message: Some(records_per_message),
        delivery: arguments.delivery,
        dry_run: arguments.dry_run,
        refuse_ambiguous: arguments.refuse_ambiguous,
        on_undeliverable: arguments.on_undeliverable.unwrap_or_default(),
        ..StartRequest::default()
    };
    request
        .resolve(&config.common, SystemClock.now())
        .map_err(|e| Usage(e.to_string()))?;
    Ok((config, request))
}

async fn start(
    ports: &Ports,
    config: &ReseedConfig,
    request: &StartRequest,
) -> anyhow::Result<Job> {
    actions::start_another(ports, config, request)
        .await
        .map_err(|error| match error {
            bridge_history::job::error::JobError::BadRequest(text) => Usage(text).into(),
            other => other.into(),
        })
}

fn settings(arguments: &ReseedArguments, target: &Target, region: String) -> SegmentSettings {
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

/// Segments, until the job has ended or is stopped. The first is the only one, unless something
/// fails that may pass.
async fn work(
    ports: &Ports,
    settings: &SegmentSettings,
    job_id: &str,
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
                tell(&format!("{reason}; trying again in {} s", REST.as_secs()));
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(REST) => {}
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

/// The first Ctrl-C or SIGTERM asks for an orderly end, with a checkpoint; the second is one.
fn stop_on_interrupt() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening to SIGTERM")?;
    let told = stop.clone();
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if told.is_cancelled() {
                std::process::exit(3);
            }
            tell("stopping after what is on its way; once more to stop at once");
            told.cancel();
        }
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

    use async_trait::async_trait;
    use bridge_core::clock::Clock;
    use bridge_core::queue::error::SendError;
    use bridge_core::queue::message::Message;
    use bridge_core::queue::port::{EntryResult, Queue};
    use bridge_core::timestamp::Timestamp;
    use bridge_history::job::phase::Phase;
    use bridge_sim::bucket::{STYLE, SimLister};
    use bridge_sim::faults::Faults;
    use bridge_sim::scenario;

    use super::*;

    /// A machine that sleeps for an hour while the fiftieth request is answered.
    #[derive(Default)]
    struct Laptop {
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
    async fn laptop(folder: &std::path::Path) -> (Ports, Arc<Laptop>, Job) {
        let laptop = Arc::new(Laptop::default());
        let bucket = scenario::bucket(&mut fastrand::Rng::with_seed(1), 600);
        let lister = SimLister::new(bucket, STYLE, Arc::new(Faults::new(1, 0)));
        let ports = Ports {
            lister: Arc::new(lister),
            plans: Arc::new(LocalPlans::new(folder.to_owned())),
            queues: Arc::new(OneQueue {
                queue: laptop.clone(),
                parking: None,
            }),
            jobs: Arc::new(LocalJobs::new(folder.to_owned())),
            continuation: Arc::new(NoContinuation),
            clock: laptop.clone(),
        };
        let request = StartRequest::default();
        let job = actions::start_another(&ports, &scenario::config(), &request).await;
        (ports, laptop, job.unwrap())
    }

    async fn worked(ports: &Ports, job: &Job) -> Job {
        let settings = SegmentSettings::new("eu-west-1".to_owned(), 1);
        let stop = CancellationToken::new();
        let worked = work(ports, &settings, &job.job_id, &stop).await;
        worked.unwrap()
    }

    #[tokio::test]
    async fn a_machine_that_slept_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (ports, laptop, job) = laptop(folder.path()).await;
        let job = worked(&ports, &job).await;
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
        left.lease = Some(bridge_history::job::state::Lease {
            owner: "the segment before".to_owned(),
            until: SystemClock.now() + Duration::from_mins(1),
        });
        ports
            .jobs
            .replace(&left, job.stored_revision())
            .await
            .unwrap();
        // It would continue in the end, once it has watched the lease for a minute.
        let worked = tokio::time::timeout(Duration::from_secs(30), worked(&ports, &job)).await;
        assert_eq!(worked.expect("it waits for itself").phase, Phase::Done);
    }
}
