//! Running other programs.

use std::process::Command;

use anyhow::{Context, bail};

use crate::root;

/// Cargo, in the repository's folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    as_from_a_shell(command.current_dir(root()));
    command
}

/// Takes from a command's environment what cargo tells the package it runs, this one. Build scripts that
/// ask for it, as ring's, would run again, and all above them would be compiled again, whenever cargo is
/// started by a task and by hand in turn.
pub(crate) fn as_from_a_shell(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if is_of_a_package(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
}

fn is_of_a_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_started_as_from_a_shell() {
        // Tests get the same of cargo as tasks do.
        assert!(std::env::vars().any(|(name, _)| is_of_a_package(&name)));
        let cargo = cargo();
        for (name, _) in std::env::vars() {
            let kept = !cargo.get_envs().any(|(n, v)| n == &*name && v.is_none());
            assert_eq!(kept, !is_of_a_package(&name), "{name}");
        }
    }
}
