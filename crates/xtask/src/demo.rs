//! `cargo xtask demo`: the whole way on a local AWS.

use crate::emulator::{Emulator, log_path};
use crate::run::{run, say};
use crate::stack::Stack;
use crate::tools;

const STACK: &str = "s3-sqs-bridge";

/// Starts, builds, deploys, shows, stops.
///
/// # Errors
/// When a step fails; what was started is stopped.
pub fn show() -> anyhow::Result<()> {
    let tools = tools::install()?;
    let emulator = Emulator::start(&tools)?;
    let stack = Stack::new(&tools, &emulator);
    stack.build()?;
    stack.deploy(STACK, &[])?;
    say("writing a small history, and reading what arrives");
    run(stack
        .command("cargo")
        .args([
            "run",
            "--locked",
            "--quiet",
            "--package",
            "e2e",
            "--bin",
            "demo",
        ])
        .env("BRIDGE_STACK", STACK))?;
    say("stopping the local AWS");
    println!("its log, with the functions' own: {}", log_path().display());
    Ok(())
}
