//! `man`: the manual, made of what `--help` says.

use std::path::PathBuf;

use anyhow::anyhow;
use bridge_local::reason::reason;
use clap::{Args, Command};
use clap_mangen::Man;

use crate::Outcome;
use crate::answer::answer;

/// Options of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Write a page for each command into this folder, made if it is not there; default one page to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Writes that of `command`.
///
/// # Errors
/// When standard output or the folder does not take it.
pub(crate) fn run(command: Command, arguments: &ManArguments) -> anyhow::Result<Outcome> {
    match &arguments.out {
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            answer(String::from_utf8_lossy(&page).trim_end())?;
        }
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .map_err(|e| {
                let why = reason(folder, &e);
                anyhow!(
                    "writing the manual's pages into {}: {why}",
                    folder.display()
                )
            })?,
    }
    Ok(Outcome::Done)
}
