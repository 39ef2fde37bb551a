//! What a job writes to: its target, and the file of what cannot be delivered there.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use bridge_aws::queues::SqsQueues;
use bridge_core::queue::port::Queue;
use bridge_history::id::JobId;
use bridge_history::job::ports::Queues;
use bridge_history::job::state::Job;
use bridge_history::job::store::JobStore;
use bridge_history::send::target::Target;
use bridge_local::lines::Lines;
use bridge_local::output::{Keeper, Output};
use bridge_local::parked;
use bridge_local::state::StateDirectory;
use tokio_util::sync::CancellationToken;

use crate::Usage;
use crate::reseed::keeping::Keeping;
use crate::sink::{Broken, Sink};

/// What opening a job's target takes.
pub(crate) struct Opening<'a> {
    /// Its directory.
    pub state: &'a StateDirectory,
    /// It.
    pub job: &'a Job,
    /// Cancelled when lines cannot be written.
    pub stop: &'a CancellationToken,
    /// Why they cannot.
    pub broken: &'a Arc<OnceLock<Broken>>,
}

impl Opening<'_> {
    /// Where its undeliverable events go, if it parks them.
    pub(crate) fn parking(&self, target: &Target) -> Result<Option<Arc<dyn Queue>>, Usage> {
        if self.job.options.on_undeliverable.is_stop() || target.queue_url().is_none() {
            return Ok(None);
        }
        parked(self.state.path(), &self.job.job_id).map(Some)
    }

    /// Opens it, with who keeps its file; a dry run opens nothing.
    pub(crate) fn open(
        &self,
        target: &Target,
        sqs: &SqsQueues,
    ) -> Result<(Arc<dyn Queue>, Option<Keeper>), Usage> {
        let mut keeper = None;
        let lines = match target {
            Target::Queue(url) => return Ok((sqs.open(url), None)),
            Target::File(path) if !self.job.options.dry_run => {
                let file = Output::open(self.state.path(), self.job.job_id.as_str(), path)
                    .map_err(|e| Usage(e.to_string()))?;
                keeper = file.keeper();
                Lines::new(path.display().to_string(), file)
            }
            Target::File(_) | Target::Nowhere | Target::Stdout => Lines::stdout(),
        };
        let lines = lines.map_err(|e| Usage(format!("a thread for the output: {e}")))?;
        let (stop, broken) = (self.stop.clone(), Arc::clone(self.broken));
        Ok((Arc::new(Sink::new(lines, stop, broken)), keeper))
    }

    /// Its store, before which its file is kept.
    pub(super) fn keep(
        &self,
        keeper: Option<Keeper>,
        store: impl JobStore + 'static,
    ) -> Arc<dyn JobStore> {
        let Some(keeper) = keeper else {
            return Arc::new(store);
        };
        Arc::new(Keeping {
            store,
            keeper,
            stop: self.stop.clone(),
            broken: Arc::clone(self.broken),
        })
    }
}

/// The file of what a job parks, to write behind what it holds.
///
/// # Errors
/// [`Usage`] when it cannot be had.
pub(crate) fn parked(state: &Path, job_id: &JobId) -> Result<Arc<dyn Queue>, Usage> {
    let (path, file) = parked::open(state, job_id.as_str())
        .map_err(|e| Usage(format!("the file for events that are parked: {e}")))?;
    let lines = Lines::new(path.display().to_string(), file);
    let lines = lines.map_err(|e| Usage(format!("a thread for what is parked: {e}")))?;
    Ok(Arc::new(lines))
}

/// The job's one target.
pub(crate) struct OneQueue {
    /// It, whatever the URL.
    pub queue: Arc<dyn Queue>,
    /// Where its undeliverable events go, if they are parked.
    pub parking: Option<Arc<dyn Queue>>,
}

impl Queues for OneQueue {
    fn open(&self, _url: &str) -> Arc<dyn Queue> {
        Arc::clone(&self.queue)
    }

    fn parking(&self, _job_id: Option<&JobId>) -> Option<Arc<dyn Queue>> {
        self.parking.clone()
    }
}
