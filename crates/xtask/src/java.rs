//! A Java for Spark: one that is there, or Debian's without windows.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::apt;
use crate::run::say;

/// The oldest that Spark 4 runs on.
const OLDEST: u32 = 17;

/// Debian's package of a newer one: 17 in bookworm, 21 in trixie.
const PACKAGE: &str = "default-jre-headless";

/// Where Debian keeps them.
const FOLDER: &str = "/usr/lib/jvm";

/// A Java's home: found, or installed if this machine can. Where it cannot, what needs it is not run, and
/// [`tell_what_was_not_run`] says so.
pub(crate) fn find_or_install() -> Option<PathBuf> {
    find()
        .map_or_else(install, Ok)
        .inspect_err(|error| say(&format!("no Java can be installed: {error:#}")))
        .ok()
}

/// Says that Spark was left out, if it was.
pub(crate) fn tell_what_was_not_run(java: Option<&Path>) {
    if java.is_none() {
        say(&format!(
            "NOT RUN: Spark's plans (engines/spark), as there is no Java {OLDEST} or newer and none could be installed \
             (see above)"
        ));
    }
}

fn find() -> Option<PathBuf> {
    let named = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter_map(|folder| home_of(&folder.join("java")));
    let installed = std::fs::read_dir(FOLDER).into_iter().flatten().flatten();
    named
        .into_iter()
        .chain(on_path)
        .chain(installed.map(|entry| entry.path()))
        .find(|home| is_new_enough(home))
}

/// The home of a program `bin/java`, through all links.
fn home_of(program: &Path) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}

fn is_new_enough(home: &Path) -> bool {
    let version = Command::new(home.join("bin/java")).arg("-version").output();
    // It tells on standard error.
    version.is_ok_and(|told| major(&String::from_utf8_lossy(&told.stderr)) >= Some(OLDEST))
}

/// The number of what `java -version` tells: 17 of `openjdk version "17.0.15" 2025-04-15`. Before 9, it is 1.
fn major(told: &str) -> Option<u32> {
    let (_, version) = told.split_once("version \"")?;
    let end = version.find(|c: char| !c.is_ascii_digit())?;
    version[..end].parse().ok()
}

fn install() -> anyhow::Result<PathBuf> {
    if !apt::is_root() {
        bail!(
            "only root can install {PACKAGE}; any Java from {OLDEST} on will do, on the PATH or by JAVA_HOME"
        );
    }
    apt::install("a Java", PACKAGE)?;
    find().with_context(|| format!("{PACKAGE} is installed and brings no Java {OLDEST} or newer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_that_of_the_version_whatever_stands_around_it() {
        for (told, number) in [
            (
                "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime",
                Some(17),
            ),
            (
                "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"21\" 2023-09-19",
                Some(21),
            ),
            ("java version \"1.8.0_402\"", Some(1)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            (
                "The operation couldn't be completed. Unable to locate a Java Runtime.",
                None,
            ),
        ] {
            assert_eq!(major(told), number, "{told}");
        }
    }

    #[test]
    fn a_home_is_two_folders_above_the_program_whatever_links_lead_there() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("jvm/java-17");
        std::fs::create_dir_all(home.join("bin")).unwrap();
        std::fs::write(home.join("bin/java"), "").unwrap();
        let link = folder.path().join("java");
        std::os::unix::fs::symlink(home.join("bin/java"), &link).unwrap();
        assert_eq!(home_of(&link), home.canonicalize().ok());
        assert_eq!(home_of(&folder.path().join("none")), None);
    }
}
