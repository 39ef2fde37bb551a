//! The page of a dry run, of `--report`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;
use bridge_history::job::state::Job;
use bridge_history::plan::manifest::Manifest;
use bridge_history::plan::store::PlanStore;
use tokio_util::sync::CancellationToken;

use crate::arguments::ReseedArguments;
use crate::interrupt::stop_on_interrupt;
use crate::picture::census::Census;
use crate::picture::file::PageFile;
use crate::picture::planned::Planned;
use crate::report::End;
use crate::reseed::estimate;
use crate::{Outcome, Usage, tell};

/// The file that the page is to be written to, before anything else is done.
///
/// # Errors
/// [`Usage`] when there is nothing to report, or the file cannot be had.
pub(super) fn check(
    arguments: &ReseedArguments,
    resumed: Option<&Job>,
) -> Result<Option<PageFile>, Usage> {
    let Some(path) = &arguments.report else {
        return Ok(None);
    };
    if let Some(job) = resumed.filter(|job| !job.options.dry_run) {
        return Err(Usage(format!(
            "--report tells what a dry run has planned, and job {} sends: leave it out, or start another with \
             --dry-run",
            job.job_id
        )));
    }
    PageFile::check(path, arguments.overwrite).map(Some)
}

/// Tells the end of a dry run that has ended before once more, and writes its page.
///
/// # Errors
/// As [`write()`]; when standard output does not take the end.
pub(super) async fn again(
    plans: &Arc<dyn PlanStore>,
    job: &Job,
    page: &PageFile,
    (state, begin): (&Path, Instant),
    json: bool,
) -> anyhow::Result<Outcome> {
    let end = End {
        job,
        took: begin.elapsed(),
        estimate: estimate(&**plans, job).await?,
        broken: None,
        warnings: &[],
        state: &state.display().to_string(),
    };
    end.tell(json, false, &job.options.target)?;
    let stop = stop_on_interrupt(|| {})?;
    write(plans, job, page, (state, &stop)).await
}

/// Reads the plan of a job that is done, and writes its page.
///
/// # Errors
/// When the plan cannot be read, or the file not be written.
pub(super) async fn write(
    plans: &Arc<dyn PlanStore>,
    job: &Job,
    file: &PageFile,
    (state, stop): (&Path, &CancellationToken),
) -> anyhow::Result<Outcome> {
    let Some(name) = &job.manifest else {
        return Ok(Outcome::Done);
    };
    let manifest = Manifest::load(&**plans, name).await?;
    let reading = Census::read(plans, &manifest, &job.options.filter.prefix);
    let census = tokio::select! {
        census = reading => census?,
        () = stop.cancelled() => {
            tell("interrupted: the report was not written");
            return Ok(Outcome::Interrupted);
        }
    };
    let planned = Planned {
        job,
        manifest: &manifest,
        census: &census,
    };
    let written = file.write(&planned.page().html()?);
    written.map_err(|error| {
        anyhow!(
            "{error:#}. The plan is kept, and not listed again for its page: s3-sqs-bridge reseed --resume {} --state {} \
             --report FILE",
            job.job_id,
            state.display()
        )
    })?;
    tell(&format!("report in {}", file.path().display()));
    Ok(Outcome::Done)
}
