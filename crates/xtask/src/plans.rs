//! Plans from elsewhere: what Spark and SQL make of an inventory, against what the program makes by listing.
//!
//! - [`check`]: a small bucket, beside the other tests
//! - [`by_hand`]: one of any size, with time and memory

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::progress::{watch, watch_keeping};
use crate::run::{cargo, run, say};
use crate::tools::{self, Tools};
use crate::{java, root};

/// What is measured by hand.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct PlansArguments {
    /// Versions and delete markers in the bucket
    #[arg(long, default_value_t = 1_000_000)]
    versions: u64,
}

/// Folders of tests, and whether all in them need Java.
const TESTS: [(&str, bool); 2] = [("engines/spark/tests", true), ("tests/plans", false)];

/// Runs the tests in Python with the programs that the tests' build has left in `target/debug`. Without Java
/// those that need none. Tells what the tests said.
///
/// # Errors
/// When what they need cannot be installed, or one fails.
pub(crate) fn check(java: Option<&Path>) -> anyhow::Result<String> {
    let tools = tools::install_plans()?;
    let mut said = String::new();
    for (folder, needs_java) in TESTS {
        if needs_java && java.is_none() {
            continue;
        }
        let mut tests = python(&tools, "debug", java);
        tests.args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider", folder]);
        if java.is_none() {
            tests.args(["-m", "not java"]);
        }
        said += &watch_keeping(folder, &mut tests)?;
    }
    Ok(said)
}

/// Has `tests/plans/large.py` make and compare the plans of a large bucket, and tell what each took.
///
/// # Errors
/// When there is no Java, something cannot be built or installed, or rows differ.
pub(crate) fn by_hand(arguments: PlansArguments) -> anyhow::Result<()> {
    let java = java::find_or_install().context("Spark needs a Java")?;
    let tools = tools::install_plans()?;
    say("building in release mode");
    let mut build = cargo();
    build.args(["build", "--locked", "--release"]);
    build.args(["--package", "s3-sqs-bridge", "--package", "bridge-sim"]);
    watch("building the programs", &mut build)?;
    let mut large = python(&tools, "release", Some(&java));
    large.args(["tests/plans/large.py", "--versions"]);
    run(large.arg(arguments.versions.to_string()))
}

/// A Python with what the tests need, at the lowest priority, which finds the programs of a profile.
fn python(tools: &Tools, profile: &str, java: Option<&Path>) -> Command {
    let mut command = tools.command("nice");
    command.args(["-n", "19", "python", "-B"]);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PROGRAMS", root().join("target").join(profile));
    // Spark's own servers, whatever the machine's name resolves to.
    command.env("SPARK_LOCAL_IP", "127.0.0.1");
    command.envs(java.map(|java| ("JAVA_HOME", java)));
    command
}
