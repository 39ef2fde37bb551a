//! `jobs`: the jobs of a deployed stack, started, watched and stopped by invoking its reseed function.
//!
//! - [`client`]: the function, found by the stack's outputs, and asked
//! - [`start`]: what a new job is asked to do; [`list`]: all jobs, page after page
//! - [`watch`]: one job until its end; [`look`]: one look at it; [`told`]: a job in words

mod client;
mod list;
mod look;
mod start;
mod told;
mod watch;

use std::time::Duration;

use bridge_history::send::parking::OnUndeliverable;
use clap::{Args, Subcommand};
use client::{Client, StackArguments};
use serde_json::{Value, json};
use start::StartArguments;

use crate::Outcome;
use crate::account::Account;
use crate::values::{number, word};

/// What of the jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Start a job: the whole history, or a part of it, again
    ///
    /// The answer is the job, at once. A start that is doubled is one job. What of the bucket's setup would
    /// lose changes is told on standard error.
    #[command(after_help = START)]
    Start(Box<StartArguments>),
    /// Tell how far a job is
    ///
    /// A line for each thing that there is to tell. Exit code 0 whatever the job's phase.
    #[command(after_help = STATUS)]
    Status(OneArguments),
    /// Watch a job until it ends
    ///
    /// A bar on a terminal, lines otherwise: phase, events, rate, time left, depth of the queue. Rates are of
    /// the last half minute. Exit codes: 0 done, 1 failed or cancelled, 3 paused, or no longer watched (Ctrl-C;
    /// the job goes on).
    #[command(after_help = WATCH)]
    Watch(WatchArguments),
    /// Stop a job; it may continue
    ///
    /// It stops within seconds, behind what is under way; `jobs watch` tells when, and after how many events: the answer has
    /// those of its last checkpoint.
    #[command(after_help = PAUSE)]
    Pause(NamedArguments),
    /// Let a paused or failed job continue at its checkpoint
    #[command(after_help = RESUME)]
    Resume(ResumeArguments),
    /// Stop a job for good
    ///
    /// What it has sent stays sent. It stops within seconds, behind what is under way; `jobs watch` tells when, and after how many
    /// events: the answer has those of its last checkpoint.
    #[command(after_help = CANCEL)]
    Cancel(NamedArguments),
    /// List all jobs, the newest first
    ///
    /// A line a job: id, phase, when it was started, how far it is of how many events, and its last
    /// error. Jobs that cannot be read are reported on standard error, and end it with exit code 1.
    #[command(after_help = LIST)]
    List(StackArguments),
}

const START: &str = "\
Examples:
  s3-sqs-bridge jobs start --stack s3-sqs-bridge --dry-run
  s3-sqs-bridge jobs start --stack s3-sqs-bridge --prefix accounts/ --max-rate 500 --watch
  s3-sqs-bridge jobs start --stack s3-sqs-bridge --then live";

const STATUS: &str = "\
Examples:
  s3-sqs-bridge jobs status --stack s3-sqs-bridge
  s3-sqs-bridge jobs status 20240501-1a2b3c4d-1 --stack s3-sqs-bridge --json";

const WATCH: &str = "\
Examples:
  s3-sqs-bridge jobs watch --stack s3-sqs-bridge
  s3-sqs-bridge jobs watch 20240501-1a2b3c4d-1 --stack s3-sqs-bridge --interval 30";

const PAUSE: &str = "\
Examples:
  s3-sqs-bridge jobs pause 20240501-1a2b3c4d-1 --stack s3-sqs-bridge";

const CANCEL: &str = "\
Examples:
  s3-sqs-bridge jobs cancel 20240501-1a2b3c4d-1 --stack s3-sqs-bridge";

const RESUME: &str = "\
Examples:
  s3-sqs-bridge jobs resume 20240501-1a2b3c4d-1 --stack s3-sqs-bridge
  s3-sqs-bridge jobs resume 20240501-1a2b3c4d-1 --stack s3-sqs-bridge --on-undeliverable park";

const LIST: &str = "\
Examples:
  s3-sqs-bridge jobs list --stack s3-sqs-bridge
  s3-sqs-bridge jobs list --stack s3-sqs-bridge --json | head -1";

/// A job that need not be named.
#[derive(Debug, Args)]
pub(crate) struct OneArguments {
    /// The job's id, as `jobs list` tells it; default the newest
    #[arg(value_name = "JOB")]
    job: Option<String>,
    #[command(flatten)]
    stack: StackArguments,
}

/// Options of `jobs watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    #[command(flatten)]
    one: OneArguments,
    /// Seconds between two looks, 1 to 3600; each look invokes the function once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = number(1_u64, 3600))]
    interval: u64,
}

/// A job that must be named.
#[derive(Debug, Args)]
pub(crate) struct NamedArguments {
    /// The job's id, as `jobs list` tells it
    #[arg(value_name = "JOB")]
    job: String,
    #[command(flatten)]
    stack: StackArguments,
}

/// Options of `jobs resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArguments {
    #[command(flatten)]
    named: NamedArguments,
    /// From now on, at an event that the queue refuses for good: `stop`, or `park` it in the `OnFailure` queue and
    /// continue; default as before
    #[arg(long, value_name = "stop|park", value_parser = word::<OnUndeliverable>)]
    on_undeliverable: Option<OnUndeliverable>,
}

/// Does it.
///
/// # Errors
/// When the stack or its function cannot be asked, or refuses.
pub(crate) async fn run(account: &Account, command: JobsCommand) -> anyhow::Result<Outcome> {
    let stack = command.stack();
    let is_json = stack.json;
    let client = Client::of(account, &stack.stack).await?;
    let job = match command {
        JobsCommand::List(_) => return list::run(&client, is_json).await,
        JobsCommand::Watch(arguments) => {
            let job = named_or_newest(&client, arguments.one.job).await?;
            let interval = Duration::from_secs(arguments.interval);
            return watch::run(&client, &job, interval, is_json).await;
        }
        JobsCommand::Start(arguments) => return start::run(&client, &arguments, is_json).await,
        JobsCommand::Status(arguments) => {
            let job = named_or_newest(&client, arguments.job).await?;
            client
                .ask(&json!({ "action": "status", "jobId": job }))
                .await?
        }
        JobsCommand::Pause(arguments) => act(&client, "pause", &arguments.job).await?,
        JobsCommand::Cancel(arguments) => act(&client, "cancel", &arguments.job).await?,
        JobsCommand::Resume(arguments) => {
            let mut asked = json!({ "action": "resume", "jobId": arguments.named.job });
            if let Some(way) = arguments.on_undeliverable {
                asked["onUndeliverable"] = json!(way);
            }
            client.ask(&asked).await?
        }
    };
    told::tell(&job, &client.stack, is_json)?;
    Ok(Outcome::Done)
}

impl JobsCommand {
    fn stack(&self) -> &StackArguments {
        match self {
            Self::Start(arguments) => &arguments.stack,
            Self::Status(arguments) => &arguments.stack,
            Self::Watch(arguments) => &arguments.one.stack,
            Self::Pause(arguments) | Self::Cancel(arguments) => &arguments.stack,
            Self::Resume(arguments) => &arguments.named.stack,
            Self::List(stack) => stack,
        }
    }
}

async fn act(client: &Client, action: &str, job: &str) -> anyhow::Result<Value> {
    client.ask(&json!({ "action": action, "jobId": job })).await
}

async fn named_or_newest(client: &Client, job: Option<String>) -> anyhow::Result<String> {
    match job {
        Some(job) => Ok(job),
        None => client.newest().await,
    }
}
