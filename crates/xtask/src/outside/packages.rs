//! Debian's packages, and what to say where they are unavailable.

use std::process::Command;

use anyhow::{Context as _, bail};

use crate::run::{run, say};

/// Debian's packages. The last two are wanted by the first three too: named as they are used here.
const PACKAGES: [&str; 4] = ["ceph-mon", "ceph-osd", "radosgw", "ceph-common"];

/// Installs the packages that are missing.
///
/// # Errors
/// When there is no apt-get, no way to be root, or no such package.
pub(super) fn install() -> anyhow::Result<()> {
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|p| !is_installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    if !answers("apt-get", &["--version"]) {
        bail!("this machine has no apt-get to install {wanted} with (Debian 12 has them)");
    }
    let as_root: &[&str] = if rustix::process::geteuid().is_root() {
        &[]
    } else if answers("sudo", &["-n", "true"]) {
        &["sudo", "-n"]
    } else {
        bail!("only root may install {wanted}, and sudo wants a password: install them by hand");
    };
    say(&format!(
        "installing Debian packages, as they are missing: {wanted} (some 150 MB; they stay)"
    ));
    apt_get(as_root, &["update", "--quiet=2"])?;
    let install = ["install", "--quiet=2", "--yes", "--no-install-recommends"];
    apt_get(as_root, &[&install[..], &missing].concat())
        .with_context(|| format!("{wanted} cannot be installed"))
}

fn apt_get(as_root: &[&str], arguments: &[&str]) -> anyhow::Result<()> {
    let words = [
        as_root,
        &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"],
        arguments,
    ]
    .concat();
    run(Command::new(words[0]).args(&words[1..]))
}

fn is_installed(package: &str) -> bool {
    let asked = Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .output();
    asked.is_ok_and(|answer| answer.stdout == b"installed")
}

/// Whether a program is there and content.
fn answers(program: &str, arguments: &[&str]) -> bool {
    let asked = Command::new(program).args(arguments).output();
    asked.is_ok_and(|answer| answer.status.success())
}
