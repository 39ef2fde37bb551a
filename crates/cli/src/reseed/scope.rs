//! What is known of a job before it is started or continues.

use bridge_history::job::state::Job;
use bridge_history::send::target::Target;
use bridge_local::output;

use crate::arguments::ReseedArguments;
use crate::{Usage, target};

/// What it reads, and where it sends.
pub(super) struct Scope {
    /// The bucket.
    pub bucket: String,
    /// Only keys that begin so.
    pub prefix: String,
    /// Where events go.
    pub target: Target,
    /// Nothing goes there.
    pub dry_run: bool,
}

impl Scope {
    /// Of a job that is to continue.
    pub(super) fn of_job(job: &Job) -> Self {
        Self {
            bucket: job.bucket.clone(),
            prefix: job.options.filter.prefix.clone(),
            target: job.options.target.clone(),
            dry_run: job.options.dry_run,
        }
    }

    /// Of a new job.
    ///
    /// # Errors
    /// When there is no such target, or its file may not be written.
    pub(super) fn of_arguments(arguments: &ReseedArguments) -> Result<Self, Usage> {
        let target = target::of(arguments)?;
        if let (Target::File(path), false) = (&target, arguments.dry_run) {
            output::check(path, arguments.existing()).map_err(|e| Usage(e.to_string()))?;
        }
        Ok(Self {
            bucket: arguments.bucket.clone().unwrap_or_default(),
            prefix: arguments.selection.prefix.clone().unwrap_or_default(),
            target,
            dry_run: arguments.dry_run,
        })
    }
}
