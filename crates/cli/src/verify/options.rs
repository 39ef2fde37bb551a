//! The options of `verify`.

use std::path::{Path, PathBuf};

use bridge_core::format::Format;
use bridge_core::timestamp::Timestamp;
use bridge_history::scan::filter::Events;
use clap::{ArgGroup, Args};

use crate::values::{count, memory, time, word};

/// Where jobs are kept if the options name no place.
const STATE: &str = ".s3-sqs-bridge";

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("side").args(["bucket", "plan"]).required(true).multiple(true)))]
#[command(group(ArgGroup::new("got").args(["events", "queue_url"]).required(true)))]
#[command(group(ArgGroup::new("ending").args(["keep", "delete"]).requires("queue_url")))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct VerifyArguments {
    /// The bucket: it is listed once more, as `reseed` does it
    #[arg(long, value_name = "NAME")]
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
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Read what the consumer got from this SQS queue, which nobody else reads meanwhile: `--keep` or `--delete`
    ///
    /// Until it hands over no more messages and says that it holds none.
    #[arg(long, value_name = "URL", requires = "ending")]
    pub queue_url: Option<String>,
    /// Messages are hidden from others until all are read, then put back; also after Ctrl-C or an error
    ///
    /// A standard queue only, with 120,000 messages at most. One receive of each message is used up: refused where its
    /// redrive policy has a `maxReceiveCount` of less than 3.
    #[arg(long)]
    pub keep: bool,
    /// Messages are deleted from the queue, each once it is in the file of `--copy`
    #[arg(long, requires = "copy")]
    pub delete: bool,
    /// Write the queue's messages to this file, one a line, as `--events` reads them; required with `--delete`
    ///
    /// What is in it already is compared, too: an interrupted `--delete` goes on. Readable to its owner only.
    #[arg(long, value_name = "FILE", requires = "queue_url")]
    pub copy: Option<PathBuf>,
    /// Only keys that begin so; default all
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub prefix: String,
    /// Only keys that end so; default all
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub suffix: String,
    /// Only what happened at this time or later, like 2024-05-01T00:00:00Z; default from the beginning
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Only what happened before this time; default until now, or all of the plan
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Only the state at `--until`: of each key the newest version, unless it was deleted
    #[arg(long, conflicts_with = "plan")]
    pub current_only: bool,
    /// Events of which kind: `all`, `created` or `removed`
    #[arg(long = "kinds", value_name = "KINDS", default_value = "all", value_parser = word::<Events>)]
    pub kinds: Events,
    /// Where something is missing, send the key to this queue from there to its newest version; default nothing is sent
    ///
    /// As a job in `--state` (default `.s3-sqs-bridge`) with an id of its own, which `reseed --resume` continues.
    /// The exit code is still the comparison's: compare again.
    #[arg(long, value_name = "URL", conflicts_with_all = ["plan", "current_only", "until"])]
    pub heal: Option<String>,
    /// With `--heal`: heal each key under its claim in this live table; default `LIVE_TABLE` of the environment
    ///
    /// The table of the stack that sends live changes to the queue, with `LiveOrder` `newest` or `exact`: nothing live of a
    /// key is sent while it is healed up to its newest version. No job is made: what was not healed is named, and
    /// healed by another run.
    #[arg(long, value_name = "NAME", requires = "heal")]
    pub live_table: Option<String>,
    /// With `--heal`: how an event is written, `bridge` or `s3`
    #[arg(long, default_value = "bridge", requires = "heal", value_parser = word::<Format>)]
    pub format: Format,
    /// Repetitions are wrong, too
    #[arg(long)]
    pub exactly_once: bool,
    /// Tell the end as one JSON object on standard output
    ///
    /// The comparison's. What `--heal` sends is told on standard error.
    #[arg(long)]
    pub json: bool,
    /// Examples told of each kind, 1 to 1024 at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = count)]
    pub examples: usize,
    /// Write everything that is wrong to this new file, one JSON object a line
    ///
    /// It is there once the comparison has ended.
    #[arg(long, value_name = "FILE")]
    pub findings: Option<PathBuf>,
    /// Also write what was found to this new file, as a page
    ///
    /// One HTML file to open in a browser: how many of each kind, by hour and by prefix, and the first of them. It fetches
    /// nothing and runs nothing. The file must not exist, unless `--overwrite` is given; it is readable to its owner
    /// only. With `--heal` it is written before anything is sent.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Replace the file of `--report`
    #[arg(long, requires = "report")]
    pub overwrite: bool,
    /// Where temporary files are kept; default the system's folder for them, which may be in memory
    ///
    /// Some 80 bytes an event and 150 a version.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Pages of the bucket's listing asked for at the same time, 1 to 1024
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count)]
    pub listers: usize,
    /// MiB of memory for events and versions, 16 or more
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = memory)]
    pub memory: usize,
}

/// What becomes of a queue's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// They are put back.
    Keep,
    /// They are deleted.
    Delete,
}

impl VerifyArguments {
    /// Files that are read, each with its option.
    pub(crate) fn files_read(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        named([("--events", &self.events), ("--plan", &self.plan)])
    }

    /// Files that are written, each with its option.
    pub(crate) fn files_written(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        named([
            ("--copy", &self.copy),
            ("--findings", &self.findings),
            ("--report", &self.report),
        ])
    }

    /// How to go on behind a comparison, whose files are written.
    pub(crate) fn again(&self) -> &'static str {
        let has_report = self.report.is_some() && !self.overwrite;
        if self.findings.is_some() || has_report {
            "run it again, with other files for --findings and --report"
        } else {
            "run it again"
        }
    }

    /// Where the job that heals is kept.
    pub(crate) fn state_of_jobs(&self) -> &Path {
        self.state.as_deref().unwrap_or(Path::new(STATE))
    }

    /// The live table of `--live-table` or `LIVE_TABLE`, when something is to be healed.
    pub(crate) fn live_table_name(&self) -> Option<String> {
        self.heal.as_ref()?;
        let of_environment = || {
            std::env::var("LIVE_TABLE")
                .ok()
                .filter(|name| !name.is_empty())
        };
        self.live_table.clone().or_else(of_environment)
    }

    /// What becomes of a queue's messages: the options name one.
    pub(crate) fn ending(&self) -> Ending {
        if self.delete {
            Ending::Delete
        } else {
            Ending::Keep
        }
    }
}

/// Those that are given.
fn named<'a, const N: usize>(
    files: [(&'static str, &'a Option<PathBuf>); N],
) -> impl Iterator<Item = (&'static str, &'a Path)> {
    let files = files.into_iter();
    files.filter_map(|(option, file)| Some((option, file.as_deref()?)))
}
