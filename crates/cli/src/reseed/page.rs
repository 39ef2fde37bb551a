//! The page of a dry run, of `--report`.

use bridge_history::job::ports::Ports;
use bridge_history::job::state::Job;
use bridge_history::plan::manifest::Manifest;
use tokio_util::sync::CancellationToken;

use crate::arguments::ReseedArguments;
use crate::picture::census::Census;
use crate::picture::file::PageFile;
use crate::picture::planned::Planned;
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

/// Reads the plan of a job that is done, and writes its page.
///
/// # Errors
/// When the plan cannot be read, or the file not be written.
pub(super) async fn write(
    ports: &Ports,
    job: &Job,
    file: &PageFile,
    stop: &CancellationToken,
) -> anyhow::Result<Outcome> {
    let Some(name) = &job.manifest else {
        return Ok(Outcome::Done);
    };
    let manifest = Manifest::load(&*ports.plans, name).await?;
    let reading = Census::read(&ports.plans, &manifest, &job.options.filter.prefix);
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
    file.write(&planned.page().html()?)?;
    tell(&format!("report in {}", file.path().display()));
    Ok(Outcome::Done)
}
