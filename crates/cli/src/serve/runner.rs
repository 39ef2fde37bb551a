//! Jobs at work in this process: here what Lambda's invocations and its schedule are there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bridge_history::api::actions;
use bridge_history::id::{Epoch, JobId};
use bridge_history::job::phase::Phase;
use bridge_history::job::ports::{Continuation, ContinuationError, Ports};
use bridge_history::job::settings::SegmentSettings;
use bridge_history::job::tend::tend;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::reseed::segments::run_to_end;
use crate::serve::here::Here;

/// How often it is looked for jobs that nobody works on.
const SWEEP: Duration = Duration::from_mins(1);

/// Asks for work on a job.
pub(crate) struct Asking(UnboundedSender<JobId>);

#[async_trait]
impl Continuation for Asking {
    async fn invoke(&self, job_id: &JobId, _epoch: Epoch) -> Result<(), ContinuationError> {
        // Nobody listens when the program ends: the next one looks for jobs when it starts.
        let _ = self.0.send(job_id.clone());
        Ok(())
    }
}

/// Both ends: who asks, and who is asked.
pub(crate) fn asking() -> (Asking, UnboundedReceiver<JobId>) {
    let (sender, receiver) = unbounded_channel();
    (Asking(sender), receiver)
}

/// Works on jobs, each once at a time.
pub(crate) struct Runner {
    pub ports: Ports,
    /// Which are worked on.
    pub here: Here,
    pub settings: SegmentSettings,
    /// Jobs at work, to their next checkpoint.
    pub taken: TaskTracker,
    pub stop: CancellationToken,
    pub at_work: Mutex<BTreeSet<JobId>>,
    /// Jobs that are left as they are, and were told so.
    pub left: Mutex<BTreeSet<JobId>>,
}

impl Runner {
    /// Works on what is asked for, and on what was left at work, until it is stopped.
    pub(crate) async fn run(self: Arc<Self>, mut asked: UnboundedReceiver<JobId>) {
        let stop = self.stop.clone();
        while stop
            .run_until_cancelled(self.turn(&mut asked))
            .await
            .is_some()
        {}
    }

    async fn turn(self: &Arc<Self>, asked: &mut UnboundedReceiver<JobId>) {
        self.sweep().await;
        if let Ok(Some(job_id)) = timeout(SWEEP, asked.recv()).await {
            self.start(job_id);
        }
    }

    /// The directory is this process's alone: a job that is active and not at work here is at work nowhere.
    async fn sweep(self: &Arc<Self>) {
        match self.ports.jobs.active().await {
            Ok(jobs) => jobs.into_iter().for_each(|job_id| self.start(job_id)),
            Err(error) => tracing::error!(%error, "jobs that are at work are not known"),
        }
        if let Err(error) = tend(&self.ports).await {
            tracing::warn!(%error, "whether a hold stands is not known");
        }
    }

    fn start(self: &Arc<Self>, job_id: JobId) {
        if !lock(&self.at_work).insert(job_id.clone()) {
            return;
        }
        let runner = Arc::clone(self);
        self.taken.spawn(async move {
            if !runner.leaves(&job_id).await {
                runner.work(&job_id).await;
            }
            lock(&runner.at_work).remove(&job_id);
        });
    }

    /// Whether it is left as it is, which is told once.
    async fn leaves(&self, job_id: &JobId) -> bool {
        let Ok(job) = actions::find(&self.ports, job_id).await else {
            // Why it cannot be read is told when it is worked on.
            return false;
        };
        if self.here.why_not_now(&job).is_none() {
            let (phase, sent) = (job.phase, job.checkpoint.sequence);
            tracing::info!(job = %job_id, %phase, sent, "at work");
            return false;
        }
        if lock(&self.left).insert(job_id.clone()) {
            self.here.tell_left(&job);
        }
        true
    }

    async fn work(&self, job_id: &JobId) {
        let work = run_to_end(&self.ports, &self.settings, job_id, &self.stop);
        match Box::pin(work).await {
            Ok(job) if job.phase == Phase::Failed => {
                let error = job.last_error.as_deref().unwrap_or("no reason was kept");
                tracing::error!(job = %job_id, error, "failed");
            }
            Ok(job) => tracing::info!(job = %job_id, phase = %job.phase, "no more at work"),
            Err(error) => tracing::error!(job = %job_id, %error, "it is tried again"),
        }
    }
}

fn lock(jobs: &Mutex<BTreeSet<JobId>>) -> MutexGuard<'_, BTreeSet<JobId>> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bridge_history::job::phase::Phase;
    use bridge_history::send::target::Target;

    use super::*;
    use crate::reseed::segments::tests::laptop;

    #[tokio::test]
    async fn a_job_that_could_not_be_worked_on_is_worked_on_when_it_is_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let (ports, _, job) = laptop(folder.path()).await;
        let here = Here {
            bucket: Some(job.bucket.clone()),
            live: Target::Nowhere,
            notifications: None,
            no_follow: None,
            state: folder.path().to_owned(),
        };
        let runner = Arc::new(Runner {
            ports: ports.clone(),
            here,
            settings: SegmentSettings::new("eu-west-1".to_owned(), 1),
            taken: TaskTracker::new(),
            stop: CancellationToken::new(),
            at_work: Mutex::default(),
            left: Mutex::default(),
        });
        runner.taken.close();
        let (jobs, away) = (folder.path().join("jobs"), folder.path().join("away"));
        std::fs::rename(&jobs, &away).unwrap();
        runner.start(job.job_id.clone());
        runner.taken.wait().await;
        std::fs::remove_dir_all(&jobs).unwrap_or_default();
        std::fs::rename(&away, &jobs).unwrap();
        runner.start(job.job_id.clone());
        runner.taken.wait().await;
        let job = ports.jobs.load(&job.job_id).await.unwrap().unwrap();
        assert_eq!(job.phase, Phase::Done);
    }
}
