//! Debian's packages, for what the tests can do without, but less well.

use std::process::Command;

use crate::progress::watch;

/// Whether this machine's packages may be changed.
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n")
}

/// Installs a package; `what` it is, for people.
///
/// # Errors
/// When it cannot be.
pub(crate) fn install(what: &str, package: &str) -> anyhow::Result<()> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let mut install = apt();
    install.args(["install", "--yes", "--no-install-recommends", package]);
    if watch(&format!("installing {what}"), &mut install).is_err() {
        // The lists may be old, or there may be none.
        watch("package lists", apt().arg("update"))?;
        watch(&format!("installing {what}"), &mut install)?;
    }
    Ok(())
}
