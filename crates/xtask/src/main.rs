//! The project's own tasks.
//!
//! - [`tools`]: the pinned programs, installed into `.local/tools`
//! - [`emulator`]: the local AWS (ministack), started and stopped
//! - [`moto`]: a second S3, for the tests; [`browser`]: what pages are looked at in; [`java`]: what
//!   Spark runs on; [`apt`]: both, from Debian
//! - [`stack`]: the real template, built and deployed with `sam`
//! - [`up`]: a stack that stays, and a shell that talks to it
//! - [`demo`], [`check`]: what `demo` and `test` do with them
//! - [`mod@bench`]: this project against what a user would write
//! - [`mutants`]: mistakes in a copy, each of which a test must catch
//! - [`mod@plans`]: what Spark and SQL make of an inventory, against what the program lists
//! - [`outside`]: the program against a server from outside, Ceph
//! - [`mod@architecture`]: what was built, looked at before it is deployed
//! - [`background`]: programs that run until a task is over
//! - [`steps`]: which part of a task takes how long
//! - `supply` (tests): what may come into a build
//! - [`run`]: running other programs, with errors that say which; [`progress`]: a sign of life meanwhile

mod apt;
mod architecture;
mod background;
mod bench;
mod browser;
mod check;
mod demo;
mod emulator;
mod java;
mod moto;
mod mutants;
mod outside;
mod plans;
mod progress;
mod run;
mod stack;
mod steps;
#[cfg(test)]
mod supply;
mod tools;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of S3 SQS Bridge.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Show the whole way on a local AWS: history, realtime, reseed; then stop everything
    Demo,
    /// Start a local AWS with the stack deployed, and leave it running; or deploy it anew there
    Up {
        /// Parameters of the template, NAME=VALUE; what was said before stays
        parameters: Vec<String>,
    },
    /// Open a shell that talks to the local AWS, or run one command so
    Shell {
        /// The command; none is your shell
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Stop the local AWS
    Down,
    /// Look whether `sam build` has built both functions for these processors
    Architecture {
        /// The template's `Architecture`
        wanted: architecture::Architecture,
    },
    /// Run all checks and tests
    Test {
        /// Leave out what needs the local AWS
        #[arg(long)]
        quick: bool,
        /// Only the end-to-end tests whose name, or whose file's, holds this
        #[arg(long, conflicts_with = "quick")]
        end_to_end: Option<String>,
    },
    /// Apply mistakes to a copy, one by one: the test that each names must fail
    Mutants(mutants::MutantsArguments),
    /// Check the program against a Ceph RGW from Debian's packages, installed if missing
    Outside,
    /// Plan a large bucket by listing, Spark and SQL, compare the rows and the events, and tell what each took
    Plans(plans::PlansArguments),
    /// Break what comes from outside at random and feed it to its readers
    Fuzz {
        /// TARGET, --minutes N, --seed N, --input FILE; `-- --help` tells more
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure this project against what a user would write, and write docs/BENCHMARKS.md
    Bench(bench::BenchArguments),
}

fn main() -> ExitCode {
    match perform(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Demo => demo::show(),
        Task::Up { parameters } => up::up(parameters),
        Task::Shell { command } => up::shell(command),
        Task::Down => emulator::stop_running(),
        Task::Architecture { wanted } => architecture::check(*wanted),
        Task::Test {
            end_to_end: Some(name),
            ..
        } => check::end_to_end(name),
        Task::Test { quick, .. } => check::all(*quick),
        Task::Mutants(arguments) => mutants::check(arguments),
        Task::Outside => outside::check(),
        Task::Plans(arguments) => plans::by_hand(*arguments),
        Task::Fuzz { arguments } => fuzz(arguments),
        Task::Bench(arguments) => bench::all(arguments),
    }
}

/// Another program does it: built with what it feeds, as tests are, so that overflows are found.
fn fuzz(arguments: &[String]) -> anyhow::Result<()> {
    let mut command = run::cargo();
    command.args([
        "run",
        "--locked",
        "--quiet",
        "--package",
        "bridge-fuzz",
        "--",
    ]);
    run::run(command.args(arguments))
}

/// The repository's folder.
fn root() -> PathBuf {
    // This crate is two folders below it.
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root.pop();
    root
}

/// What tasks install and write, ignored by git.
fn local() -> PathBuf {
    root().join(".local")
}
