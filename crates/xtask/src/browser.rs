//! A browser for the tests of pages: one that is there, or Debian's Chromium without a window.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::apt;
use crate::local;
use crate::progress::watch;
use crate::run::say;

/// Programs that are one, by the name they may have.
const NAMES: [&str; 5] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Debian's package of the smallest.
const PACKAGE: &str = "chromium-headless-shell";

/// A browser: found, or installed if this machine can. Where it cannot, what needs it is not run, and
/// [`tell_what_was_not_run`] says so.
pub(crate) fn find_or_install() -> Option<PathBuf> {
    let unpacked = local().join("browser/chromium");
    if let Some(found) = find().or_else(|| unpacked.is_file().then(|| unpacked.clone())) {
        return Some(found);
    }
    let installed = if apt::is_root() {
        install()
    } else {
        unpack(&unpacked)
    };
    installed
        .inspect_err(|error| say(&format!("no browser can be installed: {error:#}")))
        .ok()
}

/// Says that the tests in a browser were left out, if they were: where all else has passed, nobody would
/// know.
pub(crate) fn tell_what_was_not_run(browser: Option<&Path>) {
    if browser.is_none() {
        say(
            "NOT RUN: the report in a browser, as there is none and none could be installed (see above)",
        );
    }
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let programs = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    programs
        // Ubuntu's are scripts that ask for a snap.
        .filter(|program| program.is_file())
        .find(|program| works(program))
}

fn works(program: &Path) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// With the machine's packages.
fn install() -> anyhow::Result<PathBuf> {
    apt::install("a browser", PACKAGE)?;
    find().with_context(|| format!("{PACKAGE} is installed and does not start"))
}

/// Without a right to install: Debian's packages are fetched and unpacked into `.local/browser`, those of
/// the libraries that are missing, too.
fn unpack(program: &Path) -> anyhow::Result<PathBuf> {
    let folder = local().join("browser");
    let (packages, root) = (folder.join("packages"), folder.join("root"));
    std::fs::create_dir_all(&packages).context("making a folder for a browser")?;
    let plan = Command::new("apt-get")
        .args(["install", "--simulate", "--no-install-recommends", PACKAGE])
        .output()
        .context("apt-get could not be started")?;
    let simulated = String::from_utf8_lossy(&plan.stdout);
    let missing = installs(&simulated);
    if missing.is_empty() {
        bail!(
            "apt-get knows no {PACKAGE}: {}",
            String::from_utf8_lossy(&plan.stderr).trim()
        );
    }
    let mut download = Command::new("apt-get");
    download
        .arg("download")
        .args(&missing)
        .current_dir(&packages);
    watch("fetching a browser", &mut download)?;
    for package in std::fs::read_dir(&packages).context("reading the fetched packages")? {
        let package = package?.path();
        watch(
            "unpacking",
            Command::new("dpkg").arg("-x").args([&package, &root]),
        )?;
    }
    std::fs::remove_dir_all(&packages).context("removing what was unpacked")?;
    let script = "#!/bin/sh\n\
        root=\"$(dirname \"$(readlink -f \"$0\")\")/root\"\n\
        libraries=$(find \"$root\" -name '*.so*' -printf '%h\\n' | sort -u | tr '\\n' ':')\n\
        LD_LIBRARY_PATH=\"$libraries\" exec \"$root/usr/lib/chromium/chromium-headless-shell\" \"$@\"\n";
    let unfinished = program.with_extension("unfinished");
    std::fs::write(&unfinished, script).context("writing the browser's start")?;
    std::fs::set_permissions(&unfinished, Permissions::from_mode(0o755))
        .context("making the browser's start a program")?;
    if !works(&unfinished) {
        bail!("{} does not start", unfinished.display());
    }
    std::fs::rename(&unfinished, program).context("naming the browser")?;
    Ok(program.to_owned())
}

/// What apt-get would install.
fn installs(simulated: &str) -> Vec<&str> {
    let lines = simulated
        .lines()
        .filter_map(|line| line.strip_prefix("Inst "));
    lines.filter_map(|line| line.split(' ').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_that_are_missing_are_those_that_would_be_installed() {
        let simulated = "Reading package lists...\nInst libnspr4 (2:4.35 Debian:12 [amd64])\n\
                         Inst chromium-headless-shell (156 Debian:12 [amd64])\nConf libnspr4 (2:4.35)\n";
        assert_eq!(installs(simulated), ["libnspr4", PACKAGE]);
        assert!(installs("E: Unable to locate package\n").is_empty());
    }
}
