//! `cargo xtask outside`: the program against a server that this project did not write.
//!
//! A Ceph RGW of one node, from Debian's packages. The default tests leave it out: it installs packages
//! as root.
//!
//! - [`packages`]: Debian's packages, and what to say where they are unavailable
//! - [`ceph`]: monitor, storage daemon and gateway, on the loopback interface

mod ceph;
mod packages;

use anyhow::Context as _;

use crate::background::TemporaryFolder;
use crate::progress::watch;
use crate::run::{cargo, run, say};

/// Installs what is missing, starts the server, runs the checks, stops the server.
///
/// # Errors
/// When the server is unavailable or a check fails; what was started is stopped.
pub(crate) fn check() -> anyhow::Result<()> {
    packages::install().context(
        "NOT RUN: nothing was checked against Ceph. The history of a bucket and live notifications \
         on a server from outside are untested on this machine",
    )?;
    say("building the program and what drives it");
    let mut build = cargo();
    build.args(["build", "--locked", "-p", "s3-sqs-bridge", "-p", "e2e"]);
    watch("building", build.arg("--bins"))?;
    let folder = TemporaryFolder::new()?;
    let ceph = ceph::Ceph::start(folder.path())?;
    say("writing a history of some thousands of versions; the longest key takes a minute or two");
    run(cargo()
        .args([
            "run", "--locked", "--quiet", "-p", "e2e", "--bin", "outside",
        ])
        .envs(ceph.environment())
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .env("OUTSIDE_FOLDER", folder.path()))
    .context("what differs is told above")
}
