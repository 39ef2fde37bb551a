//! What the bucket has: listed now into a plan, or a plan from earlier.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use bridge_aws::lister::S3Lister;
use bridge_aws::sdk::{self, SdkConfig};
use bridge_aws::sender::SqsClient;
use bridge_core::config::check_bucket;
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::Marker;
use bridge_core::listing::version::PlannedVersion;
use bridge_history::id::JobId;
use bridge_history::plan::commit::Commit;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::reader::RunReader;
use bridge_history::plan::store::{PlanError, PlanStore};
use bridge_history::scan::scanner::{Scan, ScanSettings};
use bridge_history::verify::intake::Intake;
use bridge_history::verify::report::Findings;
use bridge_history::verify::scope::Scope;
use bridge_history::verify::sorter::Sorter;
use bridge_local::plans::LocalPlans;
use bridge_local::reason::reason;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::numbers::count;
use crate::preflight::Preflight;
use crate::verify::options::VerifyArguments;
use crate::verify::work::{Work, aside};
use crate::{Usage, tell};

/// How often it is told how far the listing is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Packets of rows on their way from the plan.
const PACKETS: usize = 16;

/// Memory of a listing: a part of what is allowed, since pages on their way and the files of runs come on top.
const PART_OF_MEMORY: usize = 2;

/// What is compared with.
pub(super) enum Listed {
    /// A bucket that is still to be listed.
    Bucket {
        /// Its name.
        name: String,
        /// Where it is asked.
        sdk: Box<SdkConfig>,
    },
    /// A plan.
    Plan {
        /// Where it is.
        plans: Arc<LocalPlans>,
        /// It.
        manifest: Box<Manifest>,
        /// Its runs are of no use once they have been read.
        is_ours: bool,
    },
}

impl Listed {
    /// What the options name.
    ///
    /// # Errors
    /// [`Usage`] for a plan that cannot be read, or is of another bucket.
    pub(super) async fn of(account: &Account, arguments: &VerifyArguments) -> anyhow::Result<Self> {
        if let Some(bucket) = &arguments.bucket {
            check_bucket("--bucket", bucket).map_err(|e| Usage(e.to_string()))?;
        }
        let Some(path) = &arguments.plan else {
            return Ok(Self::Bucket {
                name: arguments.bucket.clone().unwrap_or_default(),
                sdk: Box::new(account.load().await),
            });
        };
        std::fs::metadata(path).map_err(|e| Usage(format!("--plan: {}", reason(path, &e))))?;
        let wrong = |reason: &str| Usage(format!("--plan {}: {reason}", path.display()));
        let (folder, name) = place_of(path).map_err(|reason| wrong(&reason))?;
        let plans = LocalPlans::new(folder);
        let manifest = Manifest::load(&plans, &name).await;
        let manifest = manifest.map_err(|error| wrong(&error.to_string()))?;
        if !manifest.is_complete() {
            return Err(wrong("its listing has not ended").into());
        }
        if let Some(bucket) = &arguments.bucket
            && *bucket != manifest.bucket
        {
            return Err(wrong(&format!("it is of bucket {:?}", manifest.bucket)).into());
        }
        Ok(Self::Plan {
            plans: Arc::new(plans),
            manifest: Box::new(manifest),
            is_ours: false,
        })
    }

    pub(super) fn bucket(&self) -> &str {
        match self {
            Self::Bucket { name, .. } => name,
            Self::Plan { manifest, .. } => &manifest.bucket,
        }
    }

    /// Whether it tells of an earlier time.
    pub(super) fn is_frozen(&self) -> bool {
        matches!(self, Self::Plan { .. })
    }

    /// Whether the bucket answers, and the queue that is healed into: asked before a large file is read for nothing.
    ///
    /// # Errors
    /// As [`Preflight::ask`].
    pub(super) async fn ask_first(
        &self,
        account: &Account,
        prefix: &str,
        heal: Option<&str>,
    ) -> anyhow::Result<()> {
        let Self::Bucket { name, sdk } = self else {
            return Ok(());
        };
        let lister = S3Lister::new(sdk, name.clone());
        let queue = heal.map(|url| {
            let sqs = SqsClient::new(sdk, sdk::connector());
            (sqs.queue(url.to_owned()), url)
        });
        let preflight = Preflight {
            account,
            sdk,
            lister: Some(&lister),
            bucket: name,
            prefix,
            queue: queue.as_ref().map(|(queue, url)| (&**queue, *url)),
        };
        preflight.ask().await
    }

    /// Lists the bucket into a plan of its own, as `reseed` does.
    ///
    /// # Errors
    /// What keeps the listing from coming to its end.
    pub(super) async fn list(
        self,
        scope: &Scope,
        work: &Work,
        arguments: &VerifyArguments,
    ) -> anyhow::Result<Self> {
        let Self::Bucket { name, sdk } = self else {
            return Ok(self);
        };
        let plans = Arc::new(LocalPlans::new(work.path().to_owned()));
        let id: JobId = "verify".parse()?;
        let mut manifest = Manifest::new(id, &name);
        let pages = Arc::new(AtomicU64::new(0));
        let settings = ScanSettings {
            listers: arguments.listers,
            memory_budget: arguments.memory / PART_OF_MEMORY * 1024 * 1024,
            ..ScanSettings::default()
        };
        let scan = Scan {
            lister: Arc::new(Counted {
                inner: S3Lister::new(&sdk, name.clone()),
                pages: Arc::clone(&pages),
            }),
            store: &*plans,
            commit: &InMemory,
            filter: &scope.listed(),
            refuse_ambiguous: false,
            settings: &settings,
            run_prefix: "jobs/verify/runs/1".to_owned(),
            stop: CancellationToken::new(),
            random: fastrand::Rng::new(),
        };
        told_while(&pages, scan.run(&mut manifest)).await?;
        let (versions, ambiguous) = (manifest.summary.events, &manifest.summary.ambiguous);
        tell(&format!(
            "listed: {}, delete markers included",
            count(versions, "version")
        ));
        if ambiguous.keys > 0 {
            tell(&format!(
                "the server's listing does not tell the order of {}: it is compared with a guess",
                count(ambiguous.keys, "key")
            ));
        }
        Ok(Self::Plan {
            plans,
            manifest: Box::new(manifest),
            is_ours: true,
        })
    }

    /// Takes all rows of the plan in.
    ///
    /// # Errors
    /// What keeps the plan from being read, or records from being written.
    pub(super) async fn take(
        self,
        scope: &Scope,
        mut sorter: Sorter,
        mut findings: Findings<'static>,
    ) -> anyhow::Result<(Sorter, Findings<'static>)> {
        let Self::Plan {
            plans,
            manifest,
            is_ours,
        } = self
        else {
            anyhow::bail!("the bucket has not been listed");
        };
        let (sender, mut packets) = mpsc::channel::<Vec<PlannedVersion>>(PACKETS);
        let scope = scope.clone();
        let taking = aside(move || {
            let mut intake = Intake::new(&scope, &mut sorter, &mut findings);
            while let Some(rows) = packets.blocking_recv() {
                rows.iter().try_for_each(|row| intake.row(row))?;
            }
            Ok((sorter, findings))
        });
        let reading = read(plans, &manifest, is_ours, sender);
        let (read, taken) = tokio::join!(reading, taking);
        let taken = taken.context("taking in what was listed")?;
        read?;
        Ok(taken)
    }
}

/// Hands on the rows of all runs, one run after another: they are sorted by key later.
async fn read(
    plans: Arc<LocalPlans>,
    manifest: &Manifest,
    is_ours: bool,
    to: mpsc::Sender<Vec<PlannedVersion>>,
) -> anyhow::Result<()> {
    let store: Arc<dyn PlanStore> = Arc::clone(&plans) as _;
    let mut read = 0;
    for run in &manifest.runs {
        let mut reader = RunReader::open(Arc::clone(&store), run, None).await?;
        while let Some(rows) = reader.next_rows().await? {
            read += rows.len() as u64;
            if to.send(rows).await.is_err() {
                return Ok(()); // whoever takes them has ended, and tells why
            }
        }
        if is_ours {
            plans.remove(&run.name).await?;
        }
    }
    let planned = manifest.summary.events;
    anyhow::ensure!(
        read == planned,
        "the plan's runs hold {read} versions, its manifest says {planned}"
    );
    Ok(())
}

/// Where the plan of a manifest `…/jobs/JOB/NAME` is, and the manifest's name there.
fn place_of(path: &Path) -> Result<(std::path::PathBuf, String), String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    match parts.as_slice() {
        [above @ .., "jobs", job, name] => {
            let folder = above.iter().collect();
            Ok((folder, format!("jobs/{job}/{name}")))
        }
        _ => Err("a plan is in a folder jobs/JOB, with its runs below it".to_owned()),
    }
}

/// Tells how many pages there are until `listing` has ended.
async fn told_while<T>(pages: &AtomicU64, listing: impl Future<Output = T>) -> T {
    let mut listing = std::pin::pin!(listing);
    loop {
        tokio::select! {
            done = &mut listing => return done,
            () = tokio::time::sleep(TELL_EVERY) => {
                let pages = pages.load(Ordering::Relaxed);
                tell(&format!("listing: {}", count(pages, "page")));
            }
        }
    }
}

/// A manifest that nobody needs after this process.
struct InMemory;

#[async_trait]
impl Commit for InMemory {
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError> {
        manifest.generation += 1;
        Ok(())
    }
}

/// Counts pages.
struct Counted {
    inner: S3Lister,
    pages: Arc<AtomicU64>,
}

#[async_trait]
impl Lister for Counted {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        let page = self.inner.list(prefix, marker).await?;
        self.pages.fetch_add(1, Ordering::Relaxed);
        Ok(page)
    }
}
