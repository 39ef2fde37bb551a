//! The work of a segment: what comes before the scan, the scan, the sending, and what comes behind it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use bridge_core::queue::port::Queue;
use bridge_core::retry::{Backoff, Retry};
use bridge_core::text::{MOST_SHOWN, shown};
use metrics::counter;
use tokio_util::sync::CancellationToken;

use crate::job::hand_over::{HandingOver, Ready};
use crate::job::handover::Step;
use crate::job::heartbeat::passed;
use crate::job::lease::JobLease;
use crate::job::phase::Phase;
use crate::job::ports::Ports;
use crate::job::segment_error::SegmentError;
use crate::job::settings::SegmentSettings;
use crate::job::state::{Job, StopRequest};
use crate::job::takeover::Taken;
use crate::plan::elsewhere::place::PlanSource;
use crate::plan::manifest::Manifest;
use crate::plan::passes::{Passes, sent};
use crate::plan::retried::Retried;
use crate::plan::store::PlanStore;
use crate::scan::adopt::Adoption;
use crate::scan::scanner::Scan;
use crate::send::gate::Gate;
use crate::send::parking::OnUndeliverable;
use crate::send::sender::Sending;
use crate::send::watermark::{Watermark, lock};

/// A segment's tools, and how far it has come.
pub(super) struct Work<'a> {
    pub(super) ports: &'a Ports,
    pub(super) settings: &'a SegmentSettings,
    /// The plan store, asked again when it fails.
    plans: Arc<dyn PlanStore>,
    pub(super) lease: Arc<JobLease>,
    pub(super) watermark: Arc<Mutex<Watermark>>,
    /// Whether it waits for the consumer.
    pub(super) held: Arc<AtomicBool>,
    pub(super) stop: CancellationToken,
    random: fastrand::Rng,
    retry: Retry,
    /// Object versions that were in runs when the segment began; `None` when it did something else before.
    pub(super) listed_before: Option<u64>,
}

impl<'a> Work<'a> {
    /// Of a job that has been taken; `stop` ends it early.
    pub(super) fn new(
        ports: &'a Ports,
        settings: &'a SegmentSettings,
        taken: Taken,
        stop: CancellationToken,
    ) -> Self {
        let job = &taken.job;
        if job.stop_request.is_some() {
            stop.cancel(); // left by a segment that died before it saw the request
        }
        let mut random = fastrand::Rng::with_seed(settings.seed ^ job.epoch.0);
        let retry = Retry {
            backoff: Backoff::default(),
            retry_timeout: settings.retry_timeout,
            stop: stop.clone(),
        };
        let plans: Arc<dyn PlanStore> = Arc::new(Retried::new(
            Arc::clone(&ports.plans),
            retry.clone(),
            random.fork(),
        ));
        Self {
            watermark: Arc::new(Mutex::new(Watermark::new(
                job.checkpoint.clone(),
                job.counts.parked,
            ))),
            held: Arc::default(),
            listed_before: Some(job.counts.listed),
            lease: Arc::new(JobLease::new(
                taken,
                settings.lease,
                Ports {
                    plans: Arc::clone(&plans),
                    ..ports.clone()
                },
                retry.clone(),
                random.fork(),
            )),
            retry,
            random,
            plans,
            ports,
            settings,
            stop,
        }
    }

    /// `Ok(true)` when nothing is left to do.
    pub(super) async fn scan_and_send(&mut self) -> Result<bool, SegmentError> {
        if self.prepare().await? == Ready::NotYet {
            return Ok(false);
        }
        let job = self.lease.job().await;
        if job.step() == Some(Step::Releasing) {
            return self.release().await;
        }
        let mut manifest = match &job.manifest {
            Some(name) => Manifest::load(&*self.plans, name).await?,
            None if job.options.plan.is_some() => {
                Manifest::adopting(job.job_id.clone(), &job.bucket)
            }
            None => Manifest::new(job.job_id.clone(), &job.bucket),
        };
        if let Some(handover) = job.handover.as_ref().filter(|_| job.manifest.is_none()) {
            manifest.summary = handover.earlier_passes.clone().unwrap_or_default();
        }
        if job.phase == Phase::Scanning {
            match &job.options.plan {
                Some(source) => self.adopt(&job, source, &mut manifest).await?,
                None => self.scan(&job, &mut manifest).await?,
            }
            if !manifest.is_complete() {
                return Ok(false);
            }
            let summary = manifest.summary.clone();
            counter!("EventsPlanned").increment(summary.events);
            tracing::info!(
                events = summary.events,
                pages = manifest.pages,
                runs = manifest.runs.len(),
                "the plan is complete"
            );
            if let Some(first) = &summary.ambiguous.first {
                tracing::warn!(
                    keys = summary.ambiguous.keys,
                    first = shown(first, MOST_SHOWN),
                    "the server's listing does not tell the order of these keys"
                );
            }
            self.lease
                .update(move |job| {
                    job.phase = Phase::Sending;
                    job.planned = Some(summary.clone());
                })
                .await?;
        }
        let job = self.lease.job().await;
        if job.options.dry_run {
            return Ok(true);
        }
        let planned = job.planned.as_ref().map_or(0, |summary| summary.events);
        let is_followed = job.handover.is_some();
        self.send(job, &mut manifest).await?;
        let is_sent = lock(&self.watermark).checkpoint().sequence == planned;
        if is_sent && is_followed {
            return self.release().await;
        }
        Ok(is_sent)
    }

    /// What comes before the scan where live changes are to follow.
    async fn prepare(&mut self) -> Result<Ready, SegmentError> {
        let job = self.lease.job().await;
        if job.handover.is_none() {
            return Ok(Ready::Yes);
        }
        if job.stop_request == Some(StopRequest::Cancel) {
            return Ok(Ready::NotYet);
        }
        if job.step() < Some(Step::Replaying) {
            self.listed_before = None;
        }
        self.handing_over()?.prepare().await
    }

    /// What comes after the last acknowledgement there.
    async fn release(&mut self) -> Result<bool, SegmentError> {
        let (checkpoint, parked) = passed(&self.watermark);
        let ready = self.handing_over()?.release(checkpoint, parked).await?;
        if ready == Ready::NotYet {
            self.listed_before = None;
        }
        Ok(ready == Ready::Yes)
    }

    /// What stands before and behind the sending where live changes are to follow.
    pub(super) fn handing_over(&mut self) -> Result<HandingOver<'_>, SegmentError> {
        let live = self.ports.live.as_ref().ok_or_else(|| {
            SegmentError::Permanent(
                "the stack has no live table any more, on which live changes are held: deploy it with \
                 LiveOrder newest or exact, then resume"
                    .to_owned(),
            )
        })?;
        Ok(HandingOver {
            live,
            lease: &self.lease,
            jobs: &self.ports.jobs,
            clock: &self.ports.clock,
            retry: self.retry.clone(),
            stop: &self.stop,
            random: self.random.fork(),
        })
    }

    async fn scan(&mut self, job: &Job, manifest: &mut Manifest) -> Result<(), SegmentError> {
        let scan = Scan {
            lister: Arc::clone(&self.ports.lister),
            store: &*self.plans,
            commit: &*self.lease,
            filter: &job.options.filter,
            refuse_ambiguous: job.options.refuse_ambiguous,
            settings: &self.settings.scan,
            run_prefix: run_prefix(job),
            stop: self.stop.clone(),
            random: self.random.fork(),
        };
        Ok(scan.run(manifest).await?)
    }

    async fn adopt(
        &mut self,
        job: &Job,
        source: &PlanSource,
        manifest: &mut Manifest,
    ) -> Result<(), SegmentError> {
        let (folder, _) = source.parts();
        let elsewhere = self.ports.elsewhere.as_ref();
        let elsewhere = elsewhere.and_then(|elsewhere| elsewhere.open(folder));
        let elsewhere = elsewhere.ok_or_else(|| {
            SegmentError::Permanent(format!("plan {} cannot be read from here", source.uri))
        })?;
        let retried = Retried::new(elsewhere, self.retry.clone(), self.random.fork());
        let adoption = Adoption {
            source,
            elsewhere: Arc::new(retried),
            store: Arc::clone(&self.plans),
            commit: &*self.lease,
            filter: &job.options.filter,
            settings: &self.settings.scan,
            width: self.settings.width(),
            run_prefix: run_prefix(job),
            stop: self.stop.clone(),
        };
        Ok(adoption.run(manifest).await?)
    }

    async fn send(&mut self, job: Job, manifest: &mut Manifest) -> Result<(), SegmentError> {
        let passes = Passes {
            store: Arc::clone(&self.plans),
            commit: &*self.lease,
            of: sent,
            width: self.settings.width(),
            run_prefix: format!("jobs/{}/runs/{:06}-merged", job.job_id, job.epoch),
            commit_every: self.settings.scan.commit_every,
            stop: self.stop.clone(),
        };
        let after = job.checkpoint.position.clone();
        let Some(merge) = passes.open(manifest, after.as_ref()).await? else {
            return Ok(());
        };
        let job = self.lease.job().await; // its manifest may be another one by now
        let sending = Sending {
            queue: self.ports.queues.open(&job.options.target.to_string()),
            parking: self.parking(&job),
            clock: Arc::clone(&self.ports.clock),
            gate: Arc::clone(&self.lease) as Arc<dyn Gate>,
            stop: self.stop.clone(),
            watermark: Arc::clone(&self.watermark),
            held: Arc::clone(&self.held),
            region: self.settings.region.clone(),
            settings: self.settings.send.clone(),
            random: self.random.fork(),
            job_id: job.job_id,
            epoch: job.epoch,
            bucket: job.bucket,
            options: job.options.sending(),
            planned: job.planned.map_or(0, |summary| summary.events),
            manifest: job.manifest.unwrap_or_default(),
        };
        Ok(sending.run(merge).await?)
    }

    /// Where the job's undeliverable events go, if it parks them. A stack that has no such place any
    /// more fails at them.
    fn parking(&self, job: &Job) -> Option<Arc<dyn Queue>> {
        match job.options.on_undeliverable {
            OnUndeliverable::Stop => None,
            OnUndeliverable::Park => self.ports.queues.parking(Some(&job.job_id)),
        }
    }
}

/// The first part of the names of a segment's runs.
fn run_prefix(job: &Job) -> String {
    format!("jobs/{}/runs/{:06}", job.job_id, job.epoch)
}
