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
use bridge_history::send::target::Target;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

use crate::numbers::count;
use crate::rate;
use crate::rate::Meter;

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

/// Shows how far `work` is, which writes to `target`, until it has ended; the bar is gone then.
pub(crate) async fn show_while<T>(
    counts: &Arc<Counts>,
    target: &Target,
    work: impl Future<Output = T>,
) -> T {
    let bar = shows_bar(target).then(ProgressBar::no_length);
    let bar = bar.map(|bar| bar.with_style(style("{spinner} {prefix}: {msg}")));
    let shown = tokio::spawn(show(Arc::clone(counts), bar.clone()));
    let end = work.await;
    shown.abort();
    let _ = shown.await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    end
}

/// A bar would stand between the lines of a terminal that data is written to.
fn shows_bar(target: &Target) -> bool {
    let is_between = *target == Target::Stdout && std::io::stdout().is_terminal();
    std::io::stderr().is_terminal() && !is_between
}

async fn show(counts: Arc<Counts>, bar: Option<ProgressBar>) {
    let mut next_line = Instant::now() + LINE_EVERY;
    let mut meter = Meter::default();
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let progress = Progress::of(&counts);
        meter.look(Instant::now(), progress.doing(), progress.count());
        match &bar {
            Some(bar) => progress.draw(bar, &meter),
            None if Instant::now() >= next_line => {
                next_line += LINE_EVERY;
                crate::tell(&progress.line(&meter));
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

    fn count(&self) -> u64 {
        match self {
            Self::Scanning { pages } => *pages,
            Self::Sending { sent, .. } => *sent,
        }
    }

    /// What it does.
    fn doing(&self) -> &'static str {
        match self {
            Self::Scanning { .. } => "scanning",
            Self::Sending { .. } => "sending",
        }
    }

    /// How far it is.
    fn told(&self, meter: &Meter) -> String {
        match self {
            Self::Scanning { pages } => {
                let rate = meter.rate().map(rate::told);
                let rate = rate.map_or(String::new(), |rate| format!(", {rate}"));
                format!("{}{rate}", count(*pages, "page"))
            }
            Self::Sending { sent, planned } => rate::sending(*sent, *planned, meter.rate()),
        }
    }

    fn line(&self, meter: &Meter) -> String {
        format!("{}: {}", self.doing(), self.told(meter))
    }

    fn draw(&self, bar: &ProgressBar, meter: &Meter) {
        if let Self::Sending { sent, planned } = self {
            if bar.length().is_none() {
                bar.set_style(style("{prefix} [{wide_bar}] {msg}"));
                bar.set_length(*planned);
            }
            bar.set_position(*sent);
        }
        bar.set_prefix(self.doing());
        bar.set_message(self.told(meter));
        bar.tick();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_whole_numbers_and_the_right_words() {
        let (begin, mut meter) = (Instant::now(), Meter::default());
        let one = Progress::Scanning { pages: 1 };
        assert_eq!(one.line(&meter), "scanning: 1 page");
        // Before the plan is there pages are counted, then events: of a resumed job a million are behind it.
        meter.look(begin, "scanning", 7);
        for second in 0..8 {
            let sent = 1_000_000 + second * 333;
            meter.look(begin + Duration::from_secs(1 + second), "sending", sent);
        }
        let sending = Progress::Sending {
            sent: 1_002_331,
            planned: 2_000_000,
        };
        let line = sending.line(&meter);
        assert!(
            line.starts_with("sending: 1,002,331 of 2,000,000 events, 333/s"),
            "{line}"
        );
    }
}
