//! `completions`: what a shell needs to complete this command line.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::Outcome;
use crate::answer::answer;

/// Options of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell that is to complete this command line
    shell: Shell,
}

/// Writes those of `command`.
///
/// # Errors
/// When standard output does not take them.
pub(crate) fn run(
    mut command: Command,
    arguments: &CompletionsArguments,
) -> anyhow::Result<Outcome> {
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut text);
    answer(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Outcome::Done)
}
