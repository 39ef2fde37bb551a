//! One scan: pages asked for at the same time, taken in, and written as sorted runs.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bridge_core::failure::{Failure, FailureKind};
use bridge_core::limiter::{ConcurrencyLimiter, Permit};
use bridge_core::listing::page::error::PageError;
use bridge_core::listing::page::{Marker, Page, parse_page};
use bridge_core::retry::{Attempts, Backoff};
use bytes::Bytes;
use metrics::counter;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::plan::commit::Commit;
use crate::plan::manifest::{Manifest, Run, Summary};
use crate::plan::run;
use crate::plan::store::{PlanError, PlanStore};
use crate::scan::error::ScanError;
use crate::scan::filter::Filter;
use crate::scan::keyspace::PageRequest;
use crate::scan::progress::{Cursors, Progress};
use bridge_core::listing::lister::{ListError, Lister};

/// How to scan.
#[derive(Debug, Clone)]
pub struct ScanSettings {
    /// Pages asked for at the same time, at most.
    pub listers: usize,
    /// Bytes of memory for versions: when a quarter of it is full, a run is made of what is there
    /// (which takes at most another quarter) while the next quarter fills up. The rest is for pages on their
    /// way, if all come at once: where pages are large, fewer are asked for at the same time.
    pub memory_budget: usize,
    /// A run is written at least this often, so that a crash costs little.
    pub commit_every: Duration,
    /// Without any page for this long (throttling aside) the scan stops trying.
    pub retry_timeout: Duration,
    /// Between attempts.
    pub backoff: Backoff,
}

impl Default for ScanSettings {
    fn default() -> Self {
        Self {
            listers: 16,
            memory_budget: 128 * 1024 * 1024,
            commit_every: Duration::from_mins(1),
            retry_timeout: Duration::from_mins(5),
            backoff: Backoff::default(),
        }
    }
}

/// A scan in progress.
pub struct Scan<'a> {
    /// Where from.
    pub lister: Arc<dyn Lister>,
    /// Where to.
    pub store: &'a dyn PlanStore,
    /// Who keeps the manifest.
    pub commit: &'a dyn Commit,
    /// Which versions.
    pub filter: &'a Filter,
    /// Whether a key whose order nothing proves ends the scan.
    pub refuse_ambiguous: bool,
    /// How.
    pub settings: &'a ScanSettings,
    /// Unique to this segment: the first part of its runs' names.
    pub run_prefix: String,
    /// Once cancelled, the pages in flight are the last; then what is in memory is written.
    pub stop: CancellationToken,
    /// Jitter.
    pub random: fastrand::Rng,
}

/// What came of one page request.
struct Answer {
    request: PageRequest,
    result: Result<Result<Page, PageError>, ListError>,
    /// The document's size.
    bytes: usize,
    /// Held until the page is taken in: so many pages are in memory at most.
    permit: Permit,
}

/// A run, if there were rows, and what was still to be listed when they were taken.
struct Written {
    run: Option<(Run, Summary)>,
    cursors: Cursors,
}

type Writing<'a> = Pin<Box<dyn Future<Output = Result<Written, PlanError>> + Send + 'a>>;

impl<'a> Scan<'a> {
    /// Lists what `manifest` says is still to be listed. It ends with a commit; the manifest says
    /// whether the scan is complete.
    ///
    /// # Errors
    /// [`ScanError`]; what was committed before stays good.
    pub async fn run(mut self, manifest: &mut Manifest) -> Result<(), ScanError> {
        let mut progress = Progress::new(manifest);
        let mut runs = manifest.runs.len();
        let mut in_flight: JoinSet<Answer> = JoinSet::new();
        let mut writing: Option<Writing<'a>> = None;
        let limiter = ConcurrencyLimiter::new(self.settings.listers);
        let mut attempts = Attempts::default();
        let mut wait = Duration::ZERO;
        let mut last_write = Instant::now();
        let mut committed = progress.pages;
        let mut largest_page = 0;
        loop {
            let most = pages_at_once(self.settings.memory_budget, largest_page);
            while !self.stop.is_cancelled() && in_flight.len() < most {
                let Some(permit) = limiter.try_acquire() else {
                    break;
                };
                let allowed = limiter.allowed().min(most);
                let idle = allowed.saturating_sub(in_flight.len()).max(1);
                let Some(request) = progress.keyspace.next_request(idle) else {
                    break;
                };
                in_flight.spawn(self.ask(request, permit, wait));
            }
            let full = progress.is_full(self.settings.memory_budget / 4);
            let due = last_write.elapsed() >= self.settings.commit_every;
            // Also when the filter kept nothing: then the cursors are all there is to keep.
            let is_news = progress.pages > committed;
            if writing.is_none() && (full && progress.has_rows() || due && is_news) {
                committed = progress.pages;
                writing = Some(self.write(&mut progress, &mut runs));
                last_write = Instant::now();
                continue;
            }
            let is_writing = writing.is_some();
            let joined = tokio::select! {
                // In this order, so that one seed gives one trace.
                biased;
                written = finished(&mut writing), if is_writing => {
                    self.commit(manifest, written?).await?;
                    continue;
                }
                // With all memory in use, pages wait.
                Some(joined) = in_flight.join_next(), if !(full && is_writing) => joined,
                else => break,
            };
            // A task is never aborted, and a panic in it is a panic here.
            let Answer {
                request,
                result,
                bytes,
                permit,
            } = joined.unwrap_or_else(|e| {
                std::panic::resume_unwind(e.into_panic());
            });
            largest_page = largest_page.max(bytes);
            permit.finish(result.as_ref().err().map(Failure::kind));
            match result {
                Ok(page) => {
                    attempts.succeeded();
                    wait = Duration::ZERO;
                    self.take_in(request, page, &mut progress, manifest)?;
                    if progress.keyspace.must_begin_again() {
                        tracing::warn!("the server lists otherwise than it seemed: listing again");
                        writing = None;
                        progress.begin_again(manifest);
                    }
                }
                Err(error) if error.may_pass() => {
                    if error.kind == FailureKind::Throttled {
                        counter!("ListingThrottled").increment(1);
                    }
                    let (timeout, backoff) = (self.settings.retry_timeout, &self.settings.backoff);
                    let next = attempts.failed(error.kind, timeout, backoff, &mut self.random);
                    let Some(next) = next else {
                        return Err(list_error(manifest, &request, error));
                    };
                    wait = next;
                    let (failures, allowed) = (attempts.failures(), limiter.allowed());
                    tracing::warn!(%error, failures, allowed, "a page was unavailable; asking again");
                    progress.keyspace.give_back(request.range);
                }
                Err(error) => return Err(list_error(manifest, &request, error)),
            }
        }
        let written = self.write(&mut progress, &mut runs).await?;
        self.commit(manifest, written).await
    }

    /// One page, after a wait when requests have been failing.
    fn ask(
        &self,
        request: PageRequest,
        permit: Permit,
        wait: Duration,
    ) -> impl Future<Output = Answer> + use<> {
        let lister = Arc::clone(&self.lister);
        let prefix = self.filter.prefix.clone();
        async move {
            sleep(wait).await;
            let document = lister.list(&prefix, request.marker.as_ref()).await;
            let bytes = document.as_ref().map_or(0, Bytes::len);
            // Read here, so that pages are read on all processors.
            let result = document.map(|document| parse_page(&document));
            Answer {
                request,
                result,
                bytes,
                permit,
            }
        }
    }

    fn take_in(
        &self,
        request: PageRequest,
        page: Result<Page, PageError>,
        progress: &mut Progress,
        manifest: &Manifest,
    ) -> Result<(), ScanError> {
        let listed = page
            .and_then(|page| progress.take_in(request.range, page, self.filter))
            .map_err(|error| ScanError::Page {
                bucket: manifest.bucket.clone(),
                marker: describe(request.marker.as_ref()),
                error,
            })?;
        counter!("VersionsScanned").increment(listed);
        if !self.refuse_ambiguous || progress.keyspace.must_begin_again() {
            return Ok(());
        }
        match progress.ambiguous_key() {
            Some(key) => Err(ScanError::Ambiguous {
                bucket: manifest.bucket.clone(),
                key,
            }),
            None => Ok(()),
        }
    }

    /// Makes a run of what is in memory, while listing continues. `runs` counts them, for their names.
    fn write(&self, progress: &mut Progress, runs: &mut usize) -> Writing<'a> {
        let store = self.store;
        let (rows, cursors) = progress.take();
        let name = format!("{}-{:06}.parquet", self.run_prefix, *runs);
        *runs += usize::from(!rows.is_empty());
        Box::pin(async move {
            let run = if rows.is_empty() {
                None
            } else {
                Some(run::write(store, name, rows).await?)
            };
            Ok(Written { run, cursors })
        })
    }

    /// Commits a run with the cursors that belong to it.
    async fn commit(&self, manifest: &mut Manifest, written: Written) -> Result<(), ScanError> {
        if let Some((run, summary)) = written.run {
            manifest.runs.push(run);
            manifest.summary.add(summary);
        }
        written.cursors.write_to(manifest);
        Ok(self.commit.commit(manifest).await?)
    }
}

/// The end of what is being written, which then is no more.
async fn finished(writing: &mut Option<Writing<'_>>) -> Result<Written, PlanError> {
    let Some(run) = writing else {
        return std::future::pending().await;
    };
    let written = run.await;
    *writing = None;
    written
}

fn list_error(manifest: &Manifest, request: &PageRequest, error: ListError) -> ScanError {
    ScanError::List {
        bucket: manifest.bucket.clone(),
        marker: describe(request.marker.as_ref()),
        error,
    }
}

/// How many pages, the largest of `page` bytes, may be on their way at the same time: half of the memory is theirs.
fn pages_at_once(memory_budget: usize, page: usize) -> usize {
    (memory_budget / 2)
        .checked_div(page)
        .map_or(usize::MAX, |pages| pages.max(1))
}

fn describe(marker: Option<&Marker>) -> String {
    match marker {
        None => "the beginning".to_owned(),
        Some(Marker {
            key,
            version_id: None,
        }) => format!("{key:?}"),
        Some(Marker {
            key,
            version_id: Some(version),
        }) => format!("{key:?} version {version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pages_are_asked_for_in_smaller_numbers() {
        const MIB: usize = 1024 * 1024;
        assert_eq!(pages_at_once(256 * MIB, 0), usize::MAX, "none has come");
        assert!(pages_at_once(256 * MIB, 450 * 1000) > 256);
        assert_eq!(pages_at_once(256 * MIB, 5 * MIB), 25);
        assert_eq!(pages_at_once(MIB, 5 * MIB), 1);
    }
}
