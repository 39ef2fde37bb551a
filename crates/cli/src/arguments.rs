//! The command line.

use std::path::PathBuf;

use bridge_history::id::JobId;
use bridge_history::send::parking::OnUndeliverable;
use bridge_local::output::Existing;
use clap::{ArgGroup, Args, Parser, Subcommand};

use crate::account::Account;
use crate::clean::CleanArguments;
use crate::completions::CompletionsArguments;
use crate::doctor::DoctorArguments;
use crate::jobs::JobsCommand;
use crate::man::ManArguments;
use crate::redrive::RedriveArguments;
use crate::selection::Selection;
use crate::serve::options::ServeArguments;
use crate::values::{count, memory, word};
use crate::verify::options::VerifyArguments;

/// Every change of a versioned S3 bucket, again: in order, complete, resumable.
#[derive(Debug, Parser)]
#[command(name = "s3-sqs-bridge", version, after_help = PROGRAM)]
pub(crate) struct Arguments {
    /// Whose account, and which region.
    #[command(flatten)]
    pub account: Account,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replay a bucket's history into a queue or a file, in this process
    ///
    /// Credentials, region and endpoints are found as the AWS SDKs find them
    /// (`AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL_S3`, …). Exit codes: 0 done, 1 failed,
    /// 2 wrong usage or configuration, 3 interrupted and resumable.
    #[command(after_help = RESEED)]
    Reseed(Box<ReseedArguments>),
    /// Remove jobs of `reseed` that have ended from a state directory
    ///
    /// Those that are done or cancelled go with their plans. What could still go on stays and is named, and so does a
    /// job with parked events: they are in its folder only. Exit codes: 0 done, 1 something could not be read or
    /// removed, 2 wrong usage.
    #[command(after_help = CLEAN)]
    Clean(CleanArguments),
    /// Send again what lies in a failure queue
    ///
    /// From the stack's `OnFailure` queue with `--invoke`, from its dead-letter queue with `--to`. A
    /// message is deleted once that has succeeded. What fails again stays; notifications behind it
    /// continue, unless ten fail in a row and the function says that it is not well; dead letters do not, as
    /// they would overtake it. Invocations of another function are left, and so are events that a reseed
    /// parked. Exit codes: 0 done, 1 something failed, 2 wrong usage or configuration, 3 messages are hidden:
    /// run it again later.
    #[command(after_help = REDRIVE)]
    Redrive(RedriveArguments),
    /// Compare what a consumer got with what the bucket has: missing, unknown, repeated, out of order, changed
    ///
    /// Nothing is sent or changed, but by `--heal` and `--delete`. Credentials as for `reseed`. Exit codes: 0 nothing is wrong, 1 something is, or
    /// a side could not be read, 2 wrong usage or configuration, 3 interrupted.
    #[command(after_help = VERIFY)]
    Verify(Box<VerifyArguments>),
    /// Start, watch and stop the jobs of a deployed stack
    ///
    /// Its functions are found by the outputs of the stack. Exit codes: 0 done, 1 failed, 2 wrong usage or
    /// configuration, 3 interrupted or paused.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Forward notifications as they come, without Lambda, until a signal
    ///
    /// They come from an SQS queue (`--notifications-queue-url`), by HTTP (POST /notifications, with the token of
    /// `NOTIFICATIONS_TOKEN`), or both. As of the Lambda function, `QUEUE_URL` (required), `BUCKET_NAME` (unset: changes of
    /// all buckets), `LIVE_ORDER`, `LIVE_TABLE`, `MESSAGE_FORMAT`, `ORDER`, `KEY_PREFIX`, `KEY_SUFFIX` and `LOG_LEVEL` are
    /// read from the environment; without `LIVE_TABLE` the places of keys are in the state directory. With a token in
    /// `OPERATOR_TOKEN` and a bucket's name, POST /jobs takes what the reseed function takes; `FAILURE_QUEUE_URL` is where
    /// such jobs park events. Exit codes: 0 ended after a signal, 2 wrong usage or configuration, 3 ended before all that
    /// was taken was forwarded.
    #[command(after_help = SERVE)]
    Serve(ServeArguments),
    /// Look whether a deployed stack, or what `serve` needs, is as it must be
    ///
    /// Asks AWS about the stack's bucket, queues, functions and metrics, and the functions about what they may do. Each
    /// finding says what to do. Nothing is written, unless `--write` or `--canary` asks for it. Exit codes: 0 nothing
    /// is wrong (there may be warnings), 1 something is, 2 wrong usage or configuration, 3 the canary was interrupted.
    #[command(after_help = DOCTOR)]
    Doctor(DoctorArguments),
    /// Write completions for a shell to standard output
    #[command(after_help = COMPLETIONS)]
    Completions(CompletionsArguments),
    /// Write the manual page to standard output, or a page for each command into a folder
    #[command(after_help = MAN)]
    Man(ManArguments),
}

const PROGRAM: &str = "\
Examples:
  s3-sqs-bridge doctor --stack s3-sqs-bridge
  s3-sqs-bridge jobs start --stack s3-sqs-bridge --watch
  s3-sqs-bridge reseed --bucket ledger --dry-run
  s3-sqs-bridge reseed --help";

const RESEED: &str = "\
Examples:
  s3-sqs-bridge reseed --bucket ledger --dry-run
  s3-sqs-bridge reseed --bucket ledger --out events.jsonl --prefix accounts/ --from 2024-05-01T00:00:00Z
  s3-sqs-bridge reseed --bucket ledger --queue-url https://sqs.eu-west-1.amazonaws.com/123456789012/replay.fifo
  s3-sqs-bridge reseed --resume 20240501-1a2b3c4d-1";

const CLEAN: &str = "\
Examples:
  s3-sqs-bridge clean --json
  s3-sqs-bridge clean --state /var/lib/s3-sqs-bridge --job 20240501-1a2b3c4d-1";

const REDRIVE: &str = "\
Examples:
  s3-sqs-bridge redrive --from ON_FAILURE_QUEUE_URL --invoke STACK-realtime
  s3-sqs-bridge redrive --from DEAD_LETTER_QUEUE_URL --to QUEUE_URL";

const VERIFY: &str = "\
Examples:
  s3-sqs-bridge verify --bucket ledger --events got.jsonl
  zcat got.jsonl.gz | s3-sqs-bridge verify --bucket ledger --events - --json
  s3-sqs-bridge verify --bucket ledger --events got.jsonl --report wrong.html
  s3-sqs-bridge verify --bucket ledger --queue-url https://sqs.eu-west-1.amazonaws.com/123456789012/proof --keep
  s3-sqs-bridge verify --bucket ledger --queue-url QUEUE_URL --delete --copy got.jsonl
  s3-sqs-bridge verify --bucket ledger --events got.jsonl --heal QUEUE_URL --live-table LIVE_TABLE_NAME";

const SERVE: &str = "\
Examples:
  export QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/123456789012/events.fifo BUCKET_NAME=ledger LIVE_ORDER=newest
  s3-sqs-bridge serve --notifications-queue-url https://sqs.eu-west-1.amazonaws.com/123456789012/changes
  export NOTIFICATIONS_TOKEN=$(openssl rand -hex 24)
  s3-sqs-bridge serve --listen 127.0.0.1:9000";

const DOCTOR: &str = "\
Examples:
  s3-sqs-bridge doctor --stack s3-sqs-bridge
  s3-sqs-bridge doctor --stack s3-sqs-bridge --write --json
  s3-sqs-bridge doctor --stack s3-sqs-bridge --canary --canary-queue-url QUEUE_URL";

const COMPLETIONS: &str = "\
Examples:
  mkdir -p ~/.local/share/bash-completion/completions
  s3-sqs-bridge completions bash > ~/.local/share/bash-completion/completions/s3-sqs-bridge
  s3-sqs-bridge completions zsh > \"${fpath[1]}/_s3-sqs-bridge\"
  s3-sqs-bridge completions fish > ~/.config/fish/completions/s3-sqs-bridge.fish";

const MAN: &str = "\
Examples:
  s3-sqs-bridge man | man -l -
  s3-sqs-bridge man --out ~/.local/share/man/man1";

/// Options of `reseed`.
#[derive(Debug, Args)]
#[command(group(
    // All of them are named when none is given.
    ArgGroup::new("target").args(["queue_url", "out", "dry_run", "resume"]).required(true).multiple(true)
))]
#[command(group(ArgGroup::new("file").args(["out", "report"]).multiple(true)))]
#[command(group(ArgGroup::new("plan").args(["dry_run", "resume"])))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct ReseedArguments {
    /// The versioned bucket; required, except with `--resume`
    #[arg(long, value_name = "NAME", required_unless_present = "resume")]
    pub bucket: Option<String>,
    /// Send to this SQS queue, FIFO or standard
    #[arg(long, value_name = "URL")]
    pub queue_url: Option<String>,
    /// Write to this file, one event a line; `-` is standard output
    ///
    /// The file must not exist, unless `--append` or `--overwrite` is given. It is readable to its
    /// owner only. With `-`, a reader that has enough (`| head`) ends the job like an interrupt.
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "queue_url", "order", "pause_above_depth", "records_per_message", "delivery", "on_undeliverable",
    ])]
    pub out: Option<PathBuf>,
    /// Write behind what the file of `--out` holds
    #[arg(long, requires = "out")]
    pub append: bool,
    /// Replace what the file of `--out` holds, once the first event is written, or that of `--report`
    #[arg(long, requires = "file", conflicts_with = "append")]
    pub overwrite: bool,
    /// Which events, and how they are sent.
    #[command(flatten)]
    pub selection: Selection,
    /// Only keys that end so; default all
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub suffix: String,
    /// Send a plan that was made elsewhere, instead of listing the bucket
    ///
    /// Its manifest, `s3://bucket/prefix/manifest.json` or a file, or the folder of a `manifest.json`. All of it is
    /// read and checked before the first event is sent.
    #[arg(long = "plan", value_name = "URI|PATH")]
    pub elsewhere: Option<String>,
    /// Plan only: how many events, of which kind and month, cost and time
    #[arg(long, conflicts_with = "resume")]
    pub dry_run: bool,
    /// With `--dry-run`: what it found as a page in this file
    ///
    /// One HTML file to open in a browser: events over time by kind, the biggest prefixes and keys, sizes, cost
    /// and time. It fetches nothing and runs nothing. The file must not exist, unless `--overwrite` is given; it
    /// is readable to its owner only. The whole plan is read once more for it.
    #[arg(long, value_name = "FILE", requires = "plan")]
    pub report: Option<PathBuf>,
    /// `stop` (default) at an event that the queue refuses for good, or `park` it and continue
    ///
    /// Parked events are lines of `parked.jsonl` in the job's folder below `--state`: with `--resume`
    /// too, so that a job which has stopped at one can continue.
    #[arg(long, value_name = "stop|park", value_parser = word::<OnUndeliverable>)]
    pub on_undeliverable: Option<OnUndeliverable>,
    /// Continue with an interrupted or failed job, at its checkpoint: bucket, target and filters are the job's
    #[arg(long, value_name = "JOB", conflicts_with_all = [
        "bucket", "elsewhere", "queue_url", "out", "append", "overwrite", "prefix", "suffix", "from", "until", "order", "format",
        "current_only", "events", "refuse_ambiguous", "max_rate", "pause_above_depth", "records_per_message", "delivery",
    ])]
    pub resume: Option<JobId>,
    /// Where jobs and their plans are kept; made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".s3-sqs-bridge")]
    pub state: PathBuf,
    /// Tell the end as one JSON object on standard output (with `--out -`: on standard error)
    #[arg(long)]
    pub json: bool,
    /// Pages of the bucket's listing asked for at the same time, 1 to 1024
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count)]
    pub listers: usize,
    /// Requests sent to the queue at the same time, 1 to 1024; of `--order bucket` it is one
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count)]
    pub lanes: usize,
    /// MiB of memory for object versions while the bucket is listed, 16 or more
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = memory)]
    pub memory: usize,
}

impl ReseedArguments {
    /// What may become of the file of `--out` if it is there.
    pub(crate) fn existing(&self) -> Existing {
        match (self.append, self.overwrite) {
            (true, _) => Existing::Append,
            (false, true) => Existing::Overwrite,
            (false, false) => Existing::Refuse,
        }
    }
}

#[cfg(test)]
mod contract;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        let words = std::iter::once("s3-sqs-bridge").chain(line.split(' '));
        Arguments::try_parse_from(words).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, parts) in [
            ("reseed", ["--bucket", "required"]),
            ("reseed --bucket b", ["--queue-url <URL>", "--out <FILE>"]),
            ("reseed --bucket b", ["--dry-run", "required"]),
            (
                "reseed --bucket b --out - --from yesterday",
                ["--from", "yesterday"],
            ),
            (
                "reseed --bucket b --out - --format xml",
                ["--format", "expected `bridge` or `s3`"],
            ),
            (
                "reseed --bucket b --out - --max-rate fast",
                ["--max-rate", "from 1 to 1000000"],
            ),
            (
                "reseed --bucket b --out - --listers 0",
                ["--listers", "from 1 to"],
            ),
            (
                "reseed --bucket b --out - --queue-url https://x/1/q",
                ["--out", "--queue-url"],
            ),
            ("reseed --resume j --prefix a", ["--resume", "--prefix"]),
            ("reseed --resume j --plan p", ["--resume", "--plan"]),
            (
                "reseed --bucket b --queue-url https://x/1/q --on-undeliverable skip",
                ["--on-undeliverable", "expected `stop` or `park`"],
            ),
            (
                "reseed --bucket b --out - --on-undeliverable park",
                ["--out", "--on-undeliverable"],
            ),
            ("reseed --bucket b --prefx a", ["--prefx", "--prefix"]),
            ("redrive --from https://x/1/q", ["--to", "--invoke"]),
            ("redrive --from a --to b --invoke c", ["--to", "--invoke"]),
            ("reseed --bucket b --append", ["--append", "--out"]),
            (
                "reseed --bucket b --out - --report f",
                ["--dry-run", "--resume"],
            ),
            (
                "reseed --bucket b --dry-run --overwrite",
                ["--out", "--report"],
            ),
            (
                "reseed --bucket b --out f --append --overwrite",
                ["--append", "--overwrite"],
            ),
        ] {
            let error = refused(line);
            for part in parts {
                assert!(error.contains(part), "{line}: {part:?} is not in: {error}");
            }
        }
    }
}
