//! `reseed`: a whole job in this process, its state in a local directory.
//!
//! - [`scope`]: which bucket and target, of the command line or of the job that continues
//! - [`start`]: a new job; [`resume`]: one of the state directory
//! - [`held`]: whether another job has the queue to itself
//! - [`opening`]: its target, and the file of what is parked; [`keeping`]: that file is on the disk before a checkpoint is
//! - [`warnings`]: what is to be said of it before
//! - [`elsewhere`]: a plan that was made elsewhere
//! - [`segments`]: the work itself
//! - [`page`]: a dry run's figures as a page; [`apart`]: it is written over nothing that the job reads or writes

mod apart;
pub(crate) mod elsewhere;
pub(crate) mod held;
mod keeping;
pub(crate) mod opening;
mod page;
mod resume;
mod scope;
pub(crate) mod segments;
mod start;
mod warnings;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bridge_aws::lister::S3Lister;
use bridge_aws::queues::SqsQueues;
use bridge_aws::sdk::{self, SdkConfig};
use bridge_aws::sender::SqsClient;
use bridge_core::clock::SystemClock;
use bridge_core::config::{ReseedConfig, check_bucket};
use bridge_core::listing::lister::Lister;
use bridge_history::api::start::StartRequest;
use bridge_history::job::phase::Phase;
use bridge_history::job::ports::{Ports, Queues as _};
use bridge_history::job::state::Job;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::store::PlanStore;
use bridge_local::NoContinuation;
use bridge_local::jobs::LocalJobs;
use bridge_local::plans::LocalPlans;
use bridge_local::state::StateDirectory;
use opening::{OneQueue, Opening};
use scope::Scope;

use crate::account::Account;
use crate::arguments::ReseedArguments;
use crate::estimate::Estimate;
use crate::preflight::Preflight;
use crate::progress::{Counted, Counts};
use crate::{Outcome, Usage, interrupt, progress, report, tell};

/// What is to be done.
#[expect(clippy::large_enum_variant, reason = "there is one")]
enum Task {
    Resume(Job),
    Start((ReseedConfig, StartRequest)),
}

/// Runs a job to its end, or to an interrupt.
///
/// # Errors
/// [`Usage`] for what can be known to be wrong before anything is done; else what keeps the job from
/// working, or its end from being told.
pub(crate) async fn run(account: &Account, arguments: ReseedArguments) -> anyhow::Result<Outcome> {
    let begin = Instant::now();
    check_named(&arguments)?;
    let state = StateDirectory::open(&arguments.state).map_err(|e| Usage(e.to_string()))?;
    let store = LocalJobs::new(state.path().to_owned());
    let plans = LocalPlans::new(state.path().to_owned());
    let resumed = resume::find(&store, &plans, &arguments).await?;
    apart::check(&arguments, resumed.as_ref())?;
    let page = page::check(&arguments, resumed.as_ref())?;
    let plans: Arc<dyn PlanStore> = Arc::new(plans);
    let planned = resumed.as_ref().filter(|job| job.phase == Phase::Done);
    if let (Some(job), Some(page)) = (planned, &page) {
        return page::again(&plans, job, page, (state.path(), begin), arguments.json).await;
    }
    let scope = match &resumed {
        Some(job) => Scope::of_job(job),
        None => Scope::of_arguments(&arguments)?,
    };
    if !scope.dry_run {
        held::check(&store, state.path(), &scope.target).await?;
    }
    let sdk = account.load().await;
    let region = sdk.region().map_or("us-east-1", |r| r.as_ref()).to_owned();
    let lister = S3Lister::new(&sdk, scope.bucket.clone());
    let sqs = SqsQueues {
        client: SqsClient::new(&sdk, sdk::connector()),
        failure_queue: None,
    };
    let task = match resumed {
        Some(job) => Task::Resume(job),
        None => Task::Start(start::request(&arguments, &scope, &region)?),
    };
    let outside = Outside {
        account,
        sdk: &sdk,
        lister: &lister,
        sqs: &sqs,
    };
    let warnings = outside.ask(&task, &scope, &arguments).await?;
    let counts = Arc::new(Counts::default());
    let stop = interrupt::stop_on_interrupt(|| {
        tell("stopping after what is on its way; once more to stop at once");
    })?;
    let broken = Arc::new(OnceLock::new());
    let mut ports = Ports {
        lister: Arc::new(Counted::new(lister, &counts)),
        plans,
        elsewhere: Some(Arc::new(elsewhere::Anywhere::new(&sdk))),
        queues: Arc::new(sqs.clone()),
        jobs: Arc::new(Counted::new(store.clone(), &counts)),
        continuation: Arc::new(NoContinuation),
        clock: Arc::new(SystemClock),
        live: None,
    };
    let job = match task {
        Task::Resume(job) => resume::resume(&store, job, arguments.on_undeliverable).await?,
        Task::Start((config, request)) => {
            let job = start::start(&ports, &config, &request).await?;
            start::claim(&ports, &state, &job, &scope.target, arguments.existing()).await?;
            job
        }
    };
    let opening = Opening {
        state: &state,
        job: &job,
        stop: &stop,
        broken: &broken,
    };
    let (queue, keeper) = opening.open(&scope.target, &sqs)?;
    ports.jobs = opening.keep(keeper, Counted::new(store, &counts));
    ports.queues = Arc::new(OneQueue {
        queue: Arc::new(Counted::new(queue, &counts)),
        parking: opening.parking(&scope.target)?,
    });
    tell(&format!("job {} in {}", job.job_id, state.path().display()));

    let settings = segments::settings(&arguments, &scope.target, region);
    let work = Box::pin(segments::run_to_end(&ports, &settings, &job.job_id, &stop));
    let job = progress::show_while(&counts, &scope.target, work).await?;
    let end = report::End {
        job: &job,
        took: begin.elapsed(),
        estimate: estimate(&*ports.plans, &job).await?,
        broken: broken.get(),
        warnings: &warnings,
        state: &state.path().display().to_string(),
    };
    end.tell(arguments.json, arguments.dry_run, &scope.target)?;
    match page {
        Some(page) if end.outcome() == Outcome::Done => {
            page::write(&ports.plans, &job, &page, (state.path(), &stop)).await
        }
        _ => Ok(end.outcome()),
    }
}

/// What a job works with that is not of this machine.
struct Outside<'a> {
    account: &'a Account,
    sdk: &'a SdkConfig,
    lister: &'a S3Lister,
    sqs: &'a SqsQueues,
}

impl Outside<'_> {
    /// Asks the bucket and the queue whether a job can work with them. What is to be warned of, which has been told.
    ///
    /// # Errors
    /// [`Usage`] for what they refuse.
    async fn ask(
        &self,
        task: &Task,
        scope: &Scope,
        arguments: &ReseedArguments,
    ) -> anyhow::Result<Vec<String>> {
        let plan = elsewhere::of(task);
        let queue = scope.target.queue_url().filter(|_| !scope.dry_run);
        let queue = queue.map(|url| (self.sqs.open(url), url));
        let preflight = Preflight {
            account: self.account,
            sdk: self.sdk,
            lister: plan.is_none().then_some(self.lister as &dyn Lister),
            bucket: &scope.bucket,
            prefix: &scope.prefix,
            queue: queue.as_ref().map(|(queue, url)| (&**queue, *url)),
        };
        if !plan.is_some_and(elsewhere::is_local) || preflight.queue.is_some() {
            preflight.ask().await?;
        }
        Ok(warnings::tell_of(task, &preflight, scope, arguments).await)
    }
}

/// Refuses a `--bucket` that can be none.
fn check_named(arguments: &ReseedArguments) -> Result<(), Usage> {
    let Some(bucket) = &arguments.bucket else {
        return Ok(());
    };
    check_bucket("--bucket", bucket).map_err(|e| Usage(e.to_string()))
}

/// What a dry run's plan would cost.
async fn estimate(plans: &dyn PlanStore, job: &Job) -> anyhow::Result<Option<Estimate>> {
    match &job.manifest {
        Some(name) if job.options.dry_run && job.planned.is_some() => {
            let manifest = Manifest::load(plans, name).await?;
            Ok(Some(report::estimate_of(job, &manifest)))
        }
        _ => Ok(None),
    }
}
