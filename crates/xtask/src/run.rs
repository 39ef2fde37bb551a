//! Running other programs.

use std::process::Command;

use anyhow::{Context, bail};

/// Tells what is about to happen.
pub(crate) fn say(what: &str) {
    println!("\n==> {what}");
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started or fails; the error shows the command.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    let status = command
        .status()
        .with_context(|| format!("`{shown}` could not be started"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a program to its end and keeps its output for an error.
///
/// # Errors
/// When it cannot be started or fails; the error shows the command and its output.
pub(crate) fn run_quietly(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    let output = command
        .output()
        .with_context(|| format!("`{shown}` could not be started"))?;
    if !output.status.success() {
        bail!(
            "`{shown}` failed ({})\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
