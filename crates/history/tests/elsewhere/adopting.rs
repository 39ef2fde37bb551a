//! A job that reads a plan.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bridge_core::event::digest_of_bytes;
use bridge_core::failure::FailureKind;
use bridge_core::listing::version::PlannedVersion;
use bridge_history::plan::budget::Budget;
use bridge_history::plan::commit::Commit;
use bridge_history::plan::depth::Width;
use bridge_history::plan::elsewhere::Elsewhere;
use bridge_history::plan::elsewhere::footers::inspect_all;
use bridge_history::plan::elsewhere::place::PlanSource;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::merge::Merge;
use bridge_history::plan::store::{PlanError, PlanStore, Tag};
use bridge_history::scan::adopt::Adoption;
use bridge_history::scan::filter::Filter;
use bridge_history::scan::scanner::ScanSettings;
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::in_hand::InHand;

/// Objects in memory.
#[derive(Default)]
pub(crate) struct Objects(Mutex<BTreeMap<String, Bytes>>);

impl Objects {
    pub(crate) fn replace(&self, name: &str, object: Vec<u8>) {
        self.0
            .lock()
            .unwrap()
            .insert(name.to_owned(), object.into());
    }
}

#[async_trait]
impl PlanStore for Objects {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        self.0.lock().unwrap().insert(name.to_owned(), bytes);
        Ok(())
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        let object = self.0.lock().unwrap().get(name).cloned();
        let object = object.ok_or_else(|| PlanError::Store {
            doing: "reading",
            name: name.to_owned(),
            reason: "there is none".to_owned(),
            kind: FailureKind::Permanent,
        })?;
        let range = range.unwrap_or(0..object.len() as u64);
        let at = |end: u64| usize::try_from(end).unwrap().min(object.len());
        Ok(object.slice(at(range.start)..at(range.end)))
    }

    async fn tag(&self, name: &str) -> Result<Option<Tag>, PlanError> {
        let object = self.get(name, None).await?;
        Ok(Some(Tag(digest_of_bytes(&object))))
    }

    async fn get_tagged(
        &self,
        name: &str,
        range: Range<u64>,
        tag: &Tag,
    ) -> Result<Bytes, PlanError> {
        if self.tag(name).await?.as_ref() != Some(tag) {
            return Err(PlanError::replaced(name.to_owned()));
        }
        self.get(name, Some(range)).await
    }
}

/// Stops whoever commits, if it is to.
struct Stopping(CancellationToken, bool);

#[async_trait]
impl Commit for Stopping {
    async fn commit(&self, manifest: &mut Manifest) -> Result<(), PlanError> {
        InHand.commit(manifest).await?;
        if self.1 {
            self.0.cancel();
        }
        Ok(())
    }
}

pub(crate) struct Sent {
    pub(crate) rows: Vec<PlannedVersion>,
    pub(crate) manifest: Manifest,
    pub(crate) segments: usize,
    /// Names of the runs that were written.
    pub(crate) written: Vec<String>,
}

/// How a plan is read.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// Each batch is written, and each segment ends at its first commit.
    pub(crate) is_interrupted: bool,
    /// Each batch is written.
    pub(crate) in_small_runs: bool,
    /// How many runs are read at the same time.
    pub(crate) width: Width,
}

pub(crate) const AT_ONCE: How = How {
    is_interrupted: false,
    in_small_runs: false,
    width: Width {
        runs: 256,
        bytes: 64 << 20,
    },
};

pub(crate) const INTERRUPTED: How = How {
    is_interrupted: true,
    ..AT_ONCE
};

/// A plan in a folder.
pub(crate) struct Plan {
    pub(crate) objects: Arc<Objects>,
    pub(crate) source: PlanSource,
}

impl Plan {
    /// Looks at it as `start` does.
    pub(crate) fn start(files: &[(&str, Vec<u8>)], manifest: &Value) -> Result<Self, PlanError> {
        let objects = Arc::new(Objects::default());
        for (name, file) in files {
            objects.replace(name, file.clone());
        }
        objects.replace("m.json", manifest.to_string().into_bytes());
        let store: Arc<dyn PlanStore> = Arc::clone(&objects) as _;
        let plan = block_on(async {
            let plan = Elsewhere::load(&*store, "m.json", "ledger").await?;
            inspect_all(&store, &plan.runs.iter().collect::<Vec<_>>()).await?;
            Ok::<_, PlanError>(plan)
        })?;
        let source = PlanSource {
            uri: "s3://plans/p/m.json".to_owned(),
            digest: plan.digest,
        };
        Ok(Self { objects, source })
    }

    /// Reads it as a job does, with whatever `between` does after each segment, and what would be sent.
    pub(crate) fn send(
        &self,
        filter: &Filter,
        how: How,
        between: impl Fn(&Objects),
    ) -> Result<Sent, PlanError> {
        let written = Arc::new(Objects::default());
        let own: Arc<dyn PlanStore> = Arc::clone(&written) as _;
        let mut settings = ScanSettings::default();
        if how.is_interrupted || how.in_small_runs {
            settings.commit_every = std::time::Duration::ZERO;
        }
        block_on(async {
            let mut manifest = Manifest::adopting("j-1".parse().unwrap(), "ledger");
            let mut segments = 0;
            while !manifest.is_complete() {
                segments += 1;
                assert!(segments < 100, "it does not get further: {manifest:?}");
                let stop = CancellationToken::new();
                let adoption = Adoption {
                    source: &self.source,
                    elsewhere: Arc::clone(&self.objects) as _,
                    store: Arc::clone(&own),
                    commit: &Stopping(stop.clone(), how.is_interrupted),
                    filter,
                    settings: &settings,
                    width: how.width,
                    run_prefix: format!("runs/{segments}"),
                    stop,
                };
                adoption.run(&mut manifest).await?;
                between(&self.objects);
            }
            let mut merge = Merge::open(own, &manifest.runs, None, Budget::alone()).await?;
            let mut rows = Vec::new();
            while let Some(row) = merge.next().await? {
                rows.push(row);
            }
            let written = written.0.lock().unwrap().keys().cloned().collect();
            Ok(Sent {
                rows,
                manifest,
                segments,
                written,
            })
        })
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

/// Looks at a plan as `start` does, reads it as a job does, and what would be sent.
pub(crate) fn adopt(
    files: &[(&str, Vec<u8>)],
    manifest: &Value,
    filter: &Filter,
    how: How,
) -> Result<Sent, PlanError> {
    Plan::start(files, manifest)?.send(filter, how, |_| {})
}

pub(crate) fn places(sent: &Sent) -> Vec<(i64, &str, u64)> {
    let place = |row: &PlannedVersion| row.effective_time.0;
    sent.rows
        .iter()
        .map(|row| (place(row), row.version.key.as_str(), row.rank))
        .collect()
}

/// The good file and its manifest after a change, and what must be in the error.
pub(crate) fn refused(file: Vec<u8>, manifest: &Value, parts: &[&str]) {
    let error = match adopt(&[("r", file)], manifest, &Filter::default(), AT_ONCE) {
        Err(error) => error.to_string(),
        Ok(sent) => panic!("{parts:?}: {} rows were sent", sent.rows.len()),
    };
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}
