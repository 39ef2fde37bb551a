//! `cargo xtask test`: everything that must hold before a change lands.

use std::process::Command;

use anyhow::Context;

use crate::emulator::{Emulator, log_path};
use crate::moto::Moto;
use crate::run::{run, run_quietly, say};
use crate::stack::Stack;
use crate::{mutants, root, tools};

/// Stacks the end-to-end tests need: name and parameters. Their names are in `tests/src/lib.rs`.
const STACKS: [(&str, &[&str]); 6] = [
    ("e2e", &[]),
    // Segments of two seconds.
    ("e2e-short", &["ReseedTimeout=3"]),
    // Its processes get killed.
    ("e2e-killed", &[]),
    // The same, ten times.
    ("e2e-kills", &["LeaseSeconds=15"]),
    // Deployed anew while a job is in flight.
    ("e2e-upgraded", &["LeaseSeconds=15"]),
    // To be broken.
    (
        "e2e-broken",
        &[
            "MessageFormat=s3",
            "Dashboard=true",
            "AlarmTopicArn=arn:aws:sns:us-east-1:000000000000:alarms",
        ],
    ),
];

/// All checks; `quick` leaves out what needs the local AWS.
///
/// # Errors
/// The first check that fails.
pub fn all(quick: bool) -> anyhow::Result<()> {
    say("formatting");
    run(cargo().args(["fmt", "--all", "--check"])).context("`cargo fmt --all` fixes it")?;
    say("clippy");
    run(cargo()
        .args([
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--quiet",
        ])
        .args(["--", "-D", "warnings"]))?;
    say("unit, property and simulation tests");
    run(&mut test_runner(cargo()))?;
    if quick {
        return Ok(());
    }
    mutants::check_part_of_today()?;
    let tools = tools::install()?;
    say("template");
    let mut validate = tools.command("sam");
    validate
        .args(["validate", "--lint"])
        .env("SAM_CLI_TELEMETRY", "0");
    run_quietly(validate.env("AWS_DEFAULT_REGION", "eu-west-1"))?;
    say("template: checkov");
    let mut checkov = tools::install_checkov()?.command("checkov");
    checkov.args(["--file", "template.yaml", "--framework", "cloudformation"]);
    run_quietly(checkov.args(["--compact", "--quiet", "--skip-download"]))
        .context("an exception is written beside its resource, with the reason")?;
    let emulator = Emulator::start(&tools)?;
    let stack = Stack::new(&tools, &emulator);
    stack.build()?;
    for (name, parameters) in STACKS {
        stack.deploy(name, parameters)?;
    }
    let moto = Moto::start()?;
    say("end-to-end tests on the deployed stacks");
    // The tests of the documentation run `sam` and Python as a reader would.
    let mut tests = test_runner(stack.command("cargo"));
    tests.env("MOTO_ENDPOINT", moto.endpoint());
    run(tests.args(["--package", "e2e"]))
        .with_context(|| format!("the emulator's log is {}", log_path().display()))
}

fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    command
}

/// nextest if it is installed, else cargo's own.
fn test_runner(mut command: Command) -> Command {
    let has_nextest = cargo()
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if has_nextest {
        command.args(["nextest", "run", "--locked", "--no-fail-fast"]);
    } else {
        command.args(["test", "--locked", "--no-fail-fast"]);
    }
    command
}
