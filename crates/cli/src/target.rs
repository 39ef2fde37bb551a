//! Which target the options name: an SQS queue, a file, or standard output.

use std::path::Path;

use bridge_core::config::check_queue_url;
use bridge_history::send::target::Target;
use bridge_local::output::Existing;

use crate::Usage;
use crate::arguments::ReseedArguments;

/// The target of a new job.
pub(crate) fn of(arguments: &ReseedArguments) -> Result<Target, Usage> {
    let target = match (&arguments.queue_url, &arguments.out) {
        (Some(url), _) => {
            check_queue_url("--queue-url", url).map_err(|e| Usage(e.to_string()))?;
            Target::Queue(url.clone())
        }
        (None, Some(out)) => of_out(out)?,
        (None, None) => Target::Nowhere,
    };
    let (asked, redirection) = match arguments.existing() {
        Existing::Append => ("--append", ">> FILE"),
        Existing::Overwrite => ("--overwrite", "> FILE"),
        Existing::Refuse => return Ok(target),
    };
    if target == Target::Stdout {
        return Err(Usage(format!(
            "{asked}: --out - is standard output, which whoever started this has opened: name a \
                 file (--out FILE {asked}), or let the shell do it (--out - {redirection})"
        )));
    }
    Ok(target)
}

/// The target of `--out`.
pub(crate) fn of_out(out: &Path) -> Result<Target, Usage> {
    // The device is a link to wherever standard output goes, which may be a file of another's.
    if [Path::new("-"), Path::new("/dev/stdout")].contains(&out) {
        return Ok(Target::Stdout);
    }
    let path = std::path::absolute(out)
        .ok()
        .filter(|path| path.to_str().is_some())
        .ok_or_else(|| Usage(format!("--out: {} is no path in UTF-8", out.display())))?;
    Ok(Target::File(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_output_has_two_names() {
        for name in ["-", "/dev/stdout"] {
            assert_eq!(of_out(Path::new(name)).unwrap(), Target::Stdout);
        }
    }
}
