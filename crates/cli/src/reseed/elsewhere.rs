//! A plan that was made elsewhere: in S3, or a folder of this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bridge_aws::plans::S3Elsewhere;
use bridge_aws::sdk;
use bridge_history::plan::elsewhere::place::Elsewhere;
use bridge_history::plan::store::PlanStore;
use bridge_local::plans::LocalPlans;
use bridge_local::reason::reason;

use crate::Usage;
use crate::reseed::Task;

/// The manifest of a folder that is named alone.
const MANIFEST: &str = "manifest.json";

/// Plans in S3 and on this machine.
pub(super) struct Anywhere {
    s3: S3Elsewhere,
}

impl Anywhere {
    pub(super) fn new(sdk: &sdk::SdkConfig) -> Self {
        Self {
            s3: S3Elsewhere::new(sdk::s3(sdk)),
        }
    }
}

impl Elsewhere for Anywhere {
    fn open(&self, folder: &str) -> Option<Arc<dyn PlanStore>> {
        if is_local(folder) {
            return Some(Arc::new(LocalPlans::of_others(PathBuf::from(folder))));
        }
        self.s3.open(folder)
    }
}

/// Whether it is of this machine.
pub(crate) fn is_local(uri: &str) -> bool {
    !uri.contains("://")
}

/// The plan that a job sends, or is to send.
pub(super) fn of(task: &Task) -> Option<&str> {
    match task {
        Task::Resume(job) => job.options.plan.as_ref().map(|plan| plan.uri.as_str()),
        Task::Start((_, request)) => request.plan.as_deref(),
    }
}

/// What `--plan` says, as a job remembers it: a resume may begin in another folder.
///
/// # Errors
/// [`Usage`] when there is no such file.
pub(super) fn uri(given: &str) -> Result<String, Usage> {
    if !is_local(given) {
        return Ok(given.to_owned());
    }
    let wrong = |why: &dyn std::fmt::Display| Usage(format!("--plan {given:?}: {why}"));
    let path = Path::new(given).canonicalize();
    let mut path = path.map_err(|e| Usage(format!("--plan: {}", reason(Path::new(given), &e))))?;
    if path.is_dir() {
        path.push(MANIFEST);
    }
    if !path.is_file() {
        return Err(wrong(&format!("there is no {MANIFEST} in it")));
    }
    let path = path.into_os_string().into_string();
    path.map_err(|_| wrong(&"its path is not UTF-8"))
}
