//! `man`: the manual, made of what `--help` says.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bridge_local::reason::reason;
use clap::{Args, Command};
use clap_mangen::Man;

use crate::answer::answer;
use crate::{Outcome, Usage};

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
/// [`Usage`] for a file of somebody else's in the folder; else when standard output or the folder does not take it.
pub(crate) fn run(command: Command, arguments: &ManArguments) -> anyhow::Result<Outcome> {
    match &arguments.out {
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            answer(String::from_utf8_lossy(&page).trim_end())?;
        }
        Some(folder) => {
            let others = write(command, folder).map_err(|e| {
                let why = reason(folder, &e);
                anyhow!(
                    "writing the manual's pages into {}: {why}",
                    folder.display()
                )
            })?;
            if let Some(others) = others {
                return Err(Usage(format!(
                    "--out: {} is there, and is no page of this manual: nothing was written; move it, or give another folder",
                    others.display()
                ))
                .into());
            }
        }
    }
    Ok(Outcome::Done)
}

/// Makes the pages beside those that are there, and puts each in its place: a link is replaced, not followed. Answers what is in
/// the way; then none was.
fn write(command: Command, folder: &Path) -> io::Result<Option<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let made = tempfile::tempdir_in(folder)?;
    clap_mangen::generate_to(command, made.path())?;
    let names = std::fs::read_dir(made.path())?.map(|page| Ok(page?.file_name()));
    let names = names.collect::<io::Result<Vec<OsString>>>()?;
    for name in &names {
        let place = folder.join(name);
        if !may_be_replaced(&place, &std::fs::read(made.path().join(name))?)? {
            return Ok(Some(place));
        }
    }
    for name in &names {
        std::fs::rename(made.path().join(name), folder.join(name))?;
    }
    Ok(None)
}

/// Whether there is nothing, a link, or a page of the same command, of any version.
fn may_be_replaced(place: &Path, page: &[u8]) -> io::Result<bool> {
    let found = match place.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        found => found?.file_type(),
    };
    if !found.is_file() {
        return Ok(found.is_symlink());
    }
    // The command and the section stand before the version.
    let version = page.iter().position(|byte| *byte == b'"');
    let head = &page[..version.unwrap_or(page.len())];
    Ok(std::fs::read(place)?.starts_with(head))
}
