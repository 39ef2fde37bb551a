//! The options of `verify`.

use std::path::PathBuf;

use bridge_core::format::Format;
use bridge_core::timestamp::Timestamp;
use bridge_history::scan::filter::Events;
use clap::{ArgGroup, Args};

use crate::values::{count, memory, time, word};

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("side").args(["bucket", "plan"]).required(true).multiple(true)))]
pub(crate) struct VerifyArguments {
    /// The bucket: it is listed once more, as `reseed` does it
    #[arg(long)]
    pub bucket: Option<String>,
    /// Compare with this manifest of a plan instead of listing the bucket
    ///
    /// Of a job of this machine: `.s3-sqs-bridge/jobs/JOB/manifest-….json`, its runs beside it.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// What the consumer got, one message a line, plain or gzip; `-` is standard input
    ///
    /// A line is an event (`--format bridge`), an S3 notification (`--format s3`), or what SQS answers to a
    /// receive, with either in its body.
    #[arg(long, value_name = "FILE", required = true)]
    pub events: PathBuf,
    /// Only keys that begin so
    #[arg(long, default_value = "")]
    pub prefix: String,
    /// Only keys that end so
    #[arg(long, default_value = "")]
    pub suffix: String,
    /// Effective time not before, like 2024-05-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Effective time before; default now, or all of the plan
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Only the present state: latest versions that are not deleted
    #[arg(long, conflicts_with = "plan")]
    pub current_only: bool,
    /// `all`, `created` or `removed`
    #[arg(long = "kinds", value_name = "KINDS", default_value = "all", value_parser = word::<Events>)]
    pub kinds: Events,
    /// Where something is missing, send the key to this queue from there to its newest version
    ///
    /// As a job in `--state` (default `.s3-sqs-bridge`) with an id of its own, which `reseed --resume` continues.
    /// The exit code is still the comparison's: compare again.
    #[arg(long, value_name = "URL", conflicts_with_all = ["plan", "current_only", "until"])]
    pub heal: Option<String>,
    /// With `--heal`: `bridge` or `s3`
    #[arg(long, default_value = "bridge", requires = "heal", value_parser = word::<Format>)]
    pub format: Format,
    /// Repetitions are wrong, too
    #[arg(long)]
    pub exactly_once: bool,
    /// Tell the end as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Examples of each kind, at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = count)]
    pub examples: usize,
    /// Write everything that is wrong to this new file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub findings: Option<PathBuf>,
    /// Where temporary files are kept; default the system's folder for them, which may be in memory
    ///
    /// Some 80 bytes an event and 150 a version.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Pages asked for at the same time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count)]
    pub listers: usize,
    /// MiB of memory for events and versions
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = memory)]
    pub memory: usize,
}
