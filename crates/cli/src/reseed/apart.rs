//! What a job writes is not what it reads, nor what else it writes.

use std::path::{Path, PathBuf};

use bridge_history::job::state::Job;
use bridge_history::send::target::Target;

use crate::Usage;
use crate::arguments::ReseedArguments;
use crate::place::{is_of_state, is_same, place};
use crate::reseed::elsewhere::is_local;

/// Refuses a `--report` or an `--out` that is a file of the plan or of the state directory, and two that are the same.
///
/// # Errors
/// [`Usage`], naming the option and the file.
pub(super) fn check(arguments: &ReseedArguments, resumed: Option<&Job>) -> Result<(), Usage> {
    let out = match resumed.map(|job| &job.options.target) {
        Some(Target::File(path)) => Some(path.as_path()),
        Some(_) => None,
        None => arguments.out.as_deref(),
    };
    let plan = match resumed {
        Some(job) => job.options.plan.as_ref().map(|plan| plan.uri.as_str()),
        None => arguments.elsewhere.as_deref(),
    };
    let plan = plan.filter(|plan| is_local(plan)).and_then(folder_of);
    let named = [
        ("--report", arguments.report.as_deref()),
        ("--out", out.filter(|_| resumed.is_none())),
    ];
    for (option, path) in named {
        let Some(path) = path else {
            continue;
        };
        let is_in_plan = |folder: &PathBuf| place(path).starts_with(folder) && path.exists();
        let what = if is_of_state(path, &arguments.state) {
            "of the state directory's jobs"
        } else if plan.as_ref().is_some_and(is_in_plan) {
            "in the plan's folder"
        } else if option == "--report" && out.is_some_and(|out| is_same(path, out)) {
            "the one of --out"
        } else {
            continue;
        };
        let path = path.display();
        return Err(Usage(format!(
            "{option}: the file {path} is {what}: choose another"
        )));
    }
    Ok(())
}

/// Where a plan's files are.
fn folder_of(plan: &str) -> Option<PathBuf> {
    let path = Path::new(plan).canonicalize().ok()?;
    if path.is_dir() {
        return Some(path);
    }
    path.parent().map(Path::to_owned)
}
