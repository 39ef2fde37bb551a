//! `cargo xtask bench`: this project against what a user would write, in one run on one machine.
//!
//! - [`measure`]: processor time, memory and time of one program
//! - [`server`]: the load server of `crates/sim`
//! - [`cases`]: reading and scanning; [`sending`]: sending, and whole jobs; [`memory`]: large buckets;
//!   [`continuation`]: how soon a killed job goes on; [`realtime`]: the function that follows changes; [`serve`]: the
//!   process that does
//! - [`page`]: how it is written down

mod cases;
mod continuation;
mod measure;
mod memory;
mod page;
mod realtime;
mod sending;
mod serve;
mod server;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::progress::watch;
use crate::run::{cargo, say};
use crate::{local, root, tools};

/// How much is measured.
#[derive(Debug, Clone, Copy, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct BenchArguments {
    /// Also 10 and 50 million versions: takes about five minutes more
    #[arg(long)]
    large: bool,
    /// Also 100 million versions
    #[arg(long)]
    huge: bool,
    /// Only memory and continuation; the other figures stay as they are
    #[arg(long)]
    only_memory: bool,
    /// Only the realtime function
    #[arg(long, conflicts_with = "only_memory")]
    only_realtime: bool,
    /// Only `serve`: takes a quarter of an hour
    #[arg(long, conflicts_with_all = ["only_memory", "only_realtime"])]
    only_serve: bool,
}

/// What is built of this project for nearly all figures.
const PROGRAMS: (&str, &[&str]) = (
    "programs",
    &["--package", "s3-sqs-bridge", "--package", "bridge-sim"],
);

/// The programs that are measured.
pub(crate) struct Programs {
    target: PathBuf,
    peers: PathBuf,
}

impl Programs {
    /// Builds this project's, or of it only what the realtime function's figures need, and installs the peers.
    fn prepare(only_realtime: bool) -> anyhow::Result<Self> {
        let servers = [("servers", &["--package", "bridge-sim"][..])];
        let all = [
            PROGRAMS,
            ("examples", &["--package", "bridge-aws", "--examples"]),
        ];
        let programs = Self::build(if only_realtime { &servers } else { &all })?;
        realtime::build()?;
        programs.install_peers()?;
        for script in ["reseed.py", "reseed.mjs", "realtime.mjs"] {
            let from = root().join("crates/xtask/peers").join(script);
            std::fs::copy(&from, programs.peers.join(script))
                .with_context(|| format!("copying {}", from.display()))?;
        }
        Ok(programs)
    }

    /// Only what is needed for `serve`: it has no peers.
    fn build_for_serve() -> anyhow::Result<Self> {
        Self::build(&[PROGRAMS])
    }

    fn build(all: &[(&str, &[&str])]) -> anyhow::Result<Self> {
        say("building in release mode");
        for (what, built) in all {
            let mut cargo = cargo();
            cargo.args(["build", "--locked", "--release"]);
            watch(&format!("building the {what}"), cargo.args(*built))?;
        }
        Ok(Self {
            target: root().join("target/release"),
            peers: local().join("peers"),
        })
    }

    fn install_peers(&self) -> anyhow::Result<()> {
        if self.peers.join("done").is_file() {
            return Ok(());
        }
        say("installing boto3 and the AWS SDK for JavaScript into .local/peers");
        let python = self.peers.join("python");
        tools::install_locked(&python, "bench")?;
        for name in ["package.json", "package-lock.json"] {
            let from = root().join("crates/xtask/peers").join(name);
            std::fs::copy(from, self.peers.join(name))?;
        }
        // What the lock file names by hash, and without running what packages bring.
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        watch("npm ci", npm.current_dir(&self.peers))?;
        std::fs::write(self.peers.join("done"), "")?;
        Ok(())
    }
}

/// Measures, prints, and writes docs/BENCHMARKS.md's figures.
///
/// # Errors
/// When a program cannot be built, fails, or tells another number of versions than there are.
pub(crate) fn all(arguments: BenchArguments) -> anyhow::Result<()> {
    if arguments.only_serve {
        let programs = Programs::build_for_serve()?;
        let mut page = page::Page::new();
        serve::serve(&programs, &mut page)?;
        return page.write();
    }
    let programs = Programs::prepare(arguments.only_realtime)?;
    let mut page = page::Page::new();
    if !arguments.only_memory {
        realtime::realtime(&programs, &mut page)?;
    }
    if arguments.only_realtime {
        return page.write();
    }
    if !arguments.only_memory {
        cases::reading(&programs, &mut page)?;
        cases::scanning(&programs, &mut page)?;
        cases::latency(&programs, &mut page)?;
        sending::peers(&programs, &mut page)?;
        sending::sending(&programs, &mut page)?;
        sending::whole(&programs, &mut page)?;
        serve::serve(&programs, &mut page)?;
    }
    let mut sizes = vec![1_000_000];
    if arguments.large {
        sizes.extend([10_000_000, 50_000_000]);
    }
    if arguments.huge {
        sizes.push(100_000_000);
    }
    memory::memory(&programs, &mut page, &sizes)?;
    memory::verify(&programs, &mut page, &sizes)?;
    let planned = if arguments.large {
        50_000_000
    } else {
        2_000_000
    };
    continuation::continuation(&programs, &mut page, planned)?;
    page.write()
}
