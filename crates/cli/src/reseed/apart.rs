//! What a job writes is not what it reads, nor what else it writes.

use std::path::{Path, PathBuf};

use bridge_history::job::state::Job;
use bridge_history::send::target::Target;

use crate::Usage;
use crate::arguments::ReseedArguments;
use crate::reseed::elsewhere::is_local;

/// What of a state directory is this program's.
const OF_STATE: [&str; 3] = ["jobs", "lock", "live.redb"];

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
    let state = arguments.state.canonicalize().ok();
    let own = state.map(|state| OF_STATE.map(|name| state.join(name)));
    let out_place = out.and_then(place);
    let named = [
        ("--report", arguments.report.as_deref()),
        ("--out", out.filter(|_| resumed.is_none())),
    ];
    for (option, path) in named {
        let Some((path, place)) = path.and_then(|path| Some((path, place(path)?))) else {
            continue;
        };
        let mut own = own.iter().flatten();
        let is_of_state = own.any(|own| place.starts_with(own));
        let is_of_plan = plan.as_ref().is_some_and(|plan| place.starts_with(plan));
        let is_out = option == "--report" && out_place.as_ref() == Some(&place);
        let what = if is_of_state {
            "of the state directory's jobs"
        } else if is_of_plan && place.exists() {
            "in the plan's folder"
        } else if is_out {
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

/// A path as no other names its file: a name in a folder that is there.
fn place(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

/// Where a plan's files are.
fn folder_of(plan: &str) -> Option<PathBuf> {
    let path = Path::new(plan).canonicalize().ok()?;
    if path.is_dir() {
        return Some(path);
    }
    path.parent().map(Path::to_owned)
}
