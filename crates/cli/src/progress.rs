//! How far a job is, on standard error while it works: a bar on a terminal, lines otherwise.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::Marker;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::{EntryResult, Queue};
use bridge_history::id::JobId;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::place::Place;
use bridge_history::job::state::{Job, Revision};
use bridge_history::job::store::JobStore;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Counts of this process, shared with the ports that do the counting.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pages: AtomicU64,
    sent: AtomicU64,
    /// Events before this process began.
    before: AtomicU64,
    /// Events of the plan; 0 while it is made.
    planned: AtomicU64,
}

impl Counts {
    /// Takes the plan's size from the job, once it is known.
    fn plan(&self, job: &Job) {
        if let Some(planned) = &job.planned
            && self.planned.load(Ordering::Relaxed) == 0
        {
            let before = job.checkpoint.sequence;
            self.before.store(before, Ordering::Relaxed);
            self.planned.store(planned.events, Ordering::Relaxed);
        }
    }
}

/// A port that counts what is done through it.
pub(crate) struct Counted<T> {
    inner: T,
    counts: Arc<Counts>,
}

impl<T> Counted<T> {
    /// Counts what `inner` does.
    pub(crate) fn new(inner: T, counts: &Arc<Counts>) -> Self {
        Self {
            inner,
            counts: Arc::clone(counts),
        }
    }
}

#[async_trait]
impl<L: Lister> Lister for Counted<L> {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        let page = self.inner.list(prefix, marker).await?;
        self.counts.pages.fetch_add(1, Ordering::Relaxed);
        Ok(page)
    }
}

#[async_trait]
impl Queue for Counted<Arc<dyn Queue>> {
    async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
        let results = self.inner.send(messages).await?;
        let taken: usize = messages
            .iter()
            .zip(&results)
            .filter(|(_, result)| result.is_ok())
            .map(|(message, _)| message.events)
            .sum();
        self.counts.sent.fetch_add(taken as u64, Ordering::Relaxed);
        Ok(results)
    }

    async fn depth(&self) -> Result<u64, SendError> {
        self.inner.depth().await
    }

    async fn max_message_bytes(&self) -> Result<usize, SendError> {
        self.inner.max_message_bytes().await
    }

    fn request_timeout(&self) -> Duration {
        self.inner.request_timeout()
    }
}

/// The plan's size is taken from the job as it is written.
#[async_trait]
impl<S: JobStore> JobStore for Counted<S> {
    async fn create(&self, job: &Job) -> Result<(), JobStoreError> {
        self.inner.create(job).await
    }

    async fn load(&self, job_id: &JobId) -> Result<Option<Job>, JobStoreError> {
        self.inner.load(job_id).await
    }

    async fn replace(&self, job: &Job, expected: Revision) -> Result<(), JobStoreError> {
        self.inner.replace(job, expected).await?;
        self.counts.plan(job);
        Ok(())
    }

    async fn active(&self) -> Result<Vec<JobId>, JobStoreError> {
        self.inner.active().await
    }

    async fn newest(
        &self,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Vec<Place>, JobStoreError> {
        self.inner.newest(after, most).await
    }
}

/// Shows how far `work` is until it has ended; the bar is gone then.
pub(crate) async fn show_while<T>(counts: &Arc<Counts>, work: impl Future<Output = T>) -> T {
    let shown = tokio::spawn(show(Arc::clone(counts)));
    let end = work.await;
    shown.abort();
    let _ = shown.await;
    end
}

async fn show(counts: Arc<Counts>) {
    let bar = std::io::stderr().is_terminal().then(ProgressBar::no_length);
    let mut next_line = Instant::now() + LINE_EVERY;
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let progress = Progress::of(&counts);
        match &bar {
            Some(bar) => progress.draw(bar),
            None if Instant::now() >= next_line => {
                next_line += LINE_EVERY;
                crate::tell(&progress.line());
            }
            None => {}
        }
    }
}

/// One look at the counts.
enum Progress {
    /// Pages that this process has listed.
    Scanning { pages: u64 },
    /// Events of the plan: those sent, and all.
    Sending { sent: u64, planned: u64 },
}

impl Progress {
    fn of(counts: &Counts) -> Self {
        match counts.planned.load(Ordering::Relaxed) {
            0 => Self::Scanning {
                pages: counts.pages.load(Ordering::Relaxed),
            },
            planned => {
                let before = counts.before.load(Ordering::Relaxed);
                // A resume sends some events again.
                let sent = (before + counts.sent.load(Ordering::Relaxed)).min(planned);
                Self::Sending { sent, planned }
            }
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Scanning { pages } => format!("scanning: {pages} pages"),
            Self::Sending { sent, planned } => format!("sending: {sent} of {planned} events"),
        }
    }

    fn draw(&self, bar: &ProgressBar) {
        match self {
            Self::Scanning { pages } => bar.set_message(format!("scanning: {pages} pages")),
            Self::Sending { sent, planned } => {
                if bar.length().is_none() {
                    bar.reset();
                    bar.set_message("sending");
                    bar.set_style(sending_style());
                    bar.set_length(*planned);
                    // What went before the bar was there took no time of its own.
                    bar.set_position(*sent);
                    bar.tick();
                    bar.reset_eta();
                }
                bar.set_position(*sent);
            }
        }
        bar.tick();
    }
}

fn sending_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} [{wide_bar}] {human_pos}/{human_len} {per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_what_is_sent_while_the_bar_is_there() {
        let bar = ProgressBar::no_length();
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        for step in 0..8 {
            // A resumed job that has sent a million events before, and sends 500 a second.
            let (sent, planned) = (1_000_000 + step * 50, 2_000_000);
            Progress::Sending { sent, planned }.draw(&bar);
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(bar.per_sec() < 1_000.0, "{} a second", bar.per_sec());
    }
}
