//! What a command answers on standard output.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::anyhow;

use crate::tell;

/// Writes the result of a command. A reader that is gone (`| head`) has what it wanted.
///
/// # Errors
/// When it cannot be written for another reason, as on a full disk: whoever reads the file would take
/// it for the answer. So that it is not lost, it is written to standard error.
pub(crate) fn answer(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    drop(out);
    if let Err(error) = heard(written) {
        tell(text);
        return Err(error);
    }
    Ok(())
}

/// Cells of a line of standard output, if that is a terminal.
pub(crate) fn terminal_width() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    std::io::stdout().is_terminal().then_some(columns.into())
}

/// `--help` and `--version` are answers too; anything else that clap has to say is a wrong usage.
///
/// # Errors
/// As [`answer`].
pub(crate) fn usage(said: &clap::Error) -> anyhow::Result<ExitCode> {
    let printed = said.print();
    if said.use_stderr() {
        return Ok(ExitCode::from(2));
    }
    heard(printed)?;
    Ok(ExitCode::SUCCESS)
}

fn heard(written: std::io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(anyhow!(
            "the result could not be written to standard output: {error}"
        )),
        _ => Ok(()),
    }
}
