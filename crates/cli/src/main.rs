//! `s3-sqs-bridge`: the operator's program.
//!
//! - [`arguments`]: the command line; [`selection`]: what `reseed` and `jobs start` have in common; [`account`]:
//!   whose account is asked; [`completions`] and [`man`]: what is made of all that;
//!   [`values`]: what options may be set to
//! - [`reseed`]: a whole job in this process, its state in a local directory
//! - [`jobs`]: the jobs of a deployed stack
//! - [`clean`]: the jobs of a local directory that have ended are removed
//! - [`doctor`]: whether a deployed stack is as it must be
//! - [`stack`]: a deployed stack, known by its outputs; [`function`]: one of its functions, asked and answered
//! - [`serve`]: realtime without Lambda, until it is told to end
//! - [`redrive`]: what lies in a failure queue is sent again
//! - [`verify`]: what a consumer got, against the bucket
//! - [`preflight`]: whether bucket and queue answer, asked first
//! - [`target`]: where events go: an SQS queue, a file, standard output; [`sink`]: the last two as a
//!   queue
//! - [`progress`]: how far a job is, on standard error; [`rate`]: how fast it gets on; [`report`]: how it ended; [`estimate`]: what a
//!   plan would cost; [`picture`]: its figures as a page and as bars
//! - [`answer`]: what a command answers, on standard output; [`numbers`] and [`paint`]: how
//! - [`interrupt`]: how a person or a supervisor stops it

mod account;
mod answer;
mod arguments;
mod clean;
mod completions;
mod doctor;
mod estimate;
mod function;
mod interrupt;
mod jobs;
mod man;
mod numbers;
mod paint;
mod picture;
mod place;
mod preflight;
mod progress;
mod rate;
mod redrive;
mod report;
mod reseed;
mod selection;
mod serve;
mod sink;
mod stack;
mod target;
mod values;
mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use bridge_aws::logging;
use bridge_core::text::{MOST_SHOWN, shown};
use clap::{CommandFactory as _, Parser as _};

/// Instead of glibc's, which keeps for each thread what it freed (docs/decisions/0042-allocator.md).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How the program ended (README.md, exit codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything was delivered, or planned in a dry run.
    Done,
    /// Stopped on request; it can continue.
    Interrupted,
    /// The job failed; it can continue once the reason is gone.
    Failed,
}

/// A wrong option, or a job or directory that cannot be used: nothing was done.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Says something on standard error. Nobody may be listening: that is no reason to fail.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(said) => return exit_code(answer::usage(&said)),
    };
    if matches!(arguments.command, Command::Serve(_)) {
        // It runs unseen: its lines are for machines.
        logging::init();
    } else {
        log_errors();
    }
    if let Err(error) = interrupt::outlive_file_limit() {
        return exit_code(Err(error));
    }
    let account = &arguments.account;
    let end = match arguments.command {
        Command::Reseed(options) => Box::pin(reseed::run(account, *options)).await,
        Command::Clean(options) => clean::run(&options).await,
        Command::Redrive(options) => redrive::run(account, options).await,
        Command::Verify(options) => Box::pin(verify::run(account, *options)).await,
        Command::Jobs(command) => jobs::run(account, command).await,
        Command::Serve(options) => Box::pin(serve::run(account, options)).await,
        Command::Doctor(options) => Box::pin(doctor::run(account, options)).await,
        Command::Completions(options) => completions::run(Arguments::command(), &options),
        Command::Man(options) => man::run(Arguments::command(), &options),
    };
    exit_code(end.map(|outcome| match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Interrupted => ExitCode::from(3),
        Outcome::Failed => ExitCode::FAILURE,
    }))
}

/// On standard error, beside what the command tells.
fn log_errors() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error")),
        )
        .init();
}

/// The exit code; an error is shown before.
fn exit_code(end: anyhow::Result<ExitCode>) -> ExitCode {
    end.unwrap_or_else(|error| {
        let text = format!("{error:#}");
        tell(&format!("error: {}", shown(&text, 4 * MOST_SHOWN)));
        ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
    })
}
