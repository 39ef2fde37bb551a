//! Where events go: an SQS queue, a file, or standard output.

use std::path::{Path, PathBuf};

use bridge_core::config::check_queue_url;
use bridge_core::queue::ordering::Order;
use bridge_local::output::Existing;

use crate::Usage;
use crate::arguments::ReseedArguments;

/// Where events go. A job keeps it as a URL, so that a resume finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An SQS queue by its URL.
    Queue(String),
    /// A file by its absolute path.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// Nowhere: a dry run.
    Nowhere,
}

const STDOUT: &str = "stdout:";
const NOWHERE: &str = "nowhere:";
const FILE: &str = "file:";

impl Target {
    /// The target of a new job.
    pub fn of(arguments: &ReseedArguments) -> Result<Self, Usage> {
        let target = match (&arguments.queue_url, &arguments.out) {
            (Some(url), _) => {
                check_queue_url("--queue-url", url).map_err(|e| Usage(e.to_string()))?;
                Self::Queue(url.clone())
            }
            (None, Some(out)) => Self::of_out(out)?,
            (None, None) => Self::Nowhere,
        };
        let (asked, redirection) = match arguments.existing() {
            Existing::Append => ("--append", ">> FILE"),
            Existing::Overwrite => ("--overwrite", "> FILE"),
            Existing::Refuse => return Ok(target),
        };
        if target == Self::Stdout {
            return Err(Usage(format!(
                "{asked}: --out - is standard output, which whoever started this has opened: name a \
                 file (--out FILE {asked}), or let the shell do it (--out - {redirection})"
            )));
        }
        Ok(target)
    }

    /// The target of `--out`.
    pub fn of_out(out: &Path) -> Result<Self, Usage> {
        // The device is a link to wherever standard output goes, which may be a file of another's.
        if [Path::new("-"), Path::new("/dev/stdout")].contains(&out) {
            return Ok(Self::Stdout);
        }
        let path = std::path::absolute(out)
            .ok()
            .filter(|path| path.to_str().is_some())
            .ok_or_else(|| Usage(format!("--out: {} is no path in UTF-8", out.display())))?;
        Ok(Self::File(path))
    }

    /// As a job keeps it.
    pub fn url(&self) -> String {
        match self {
            Self::Queue(url) => url.clone(),
            Self::File(path) => format!("{FILE}{}", path.display()),
            Self::Stdout => STDOUT.to_owned(),
            Self::Nowhere => NOWHERE.to_owned(),
        }
    }

    /// As a job kept it.
    pub fn of_url(url: &str) -> Self {
        match (url, url.strip_prefix(FILE)) {
            (_, Some(path)) => Self::File(path.into()),
            (STDOUT, _) => Self::Stdout,
            (NOWHERE, _) => Self::Nowhere,
            _ => Self::Queue(url.to_owned()),
        }
    }

    /// The queue's URL, if it is one.
    pub fn queue_url(&self) -> Option<&str> {
        match self {
            Self::Queue(url) => Some(url),
            Self::File(_) | Self::Stdout | Self::Nowhere => None,
        }
    }

    /// What order it keeps by default. A file has no groups: its one lane keeps the plan's order.
    pub fn default_order(&self) -> Order {
        match self {
            Self::Queue(url) => Order::default_of(url),
            _ => Order::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_output_has_two_names() {
        for name in ["-", "/dev/stdout"] {
            assert_eq!(Target::of_out(Path::new(name)).unwrap(), Target::Stdout);
        }
    }

    #[test]
    fn a_target_is_found_again_by_its_url() {
        for target in [
            Target::Queue("https://sqs.eu-west-1.amazonaws.com/1/q.fifo".to_owned()),
            Target::File("/tmp/a b.jsonl".into()),
            Target::Stdout,
            Target::Nowhere,
        ] {
            assert_eq!(Target::of_url(&target.url()), target);
        }
    }
}
