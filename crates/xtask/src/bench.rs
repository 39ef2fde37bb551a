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
use clap::ValueEnum as _;

use crate::progress::watch;
use crate::run::{cargo, say};
use crate::{local, root, tools};

/// How much is measured.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BenchArguments {
    /// Only this; may be repeated. The other figures of docs/BENCHMARKS.md stay as they are
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Versions of the large buckets whose memory is measured. 100 million take half an hour a table
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "N,...",
        default_value = "1000000,10000000"
    )]
    versions: Vec<u64>,
}

/// What is measured at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The function that follows changes
    Realtime,
    /// Pages read, and runs written
    Listing,
    /// Events sent, and whole jobs, against what a user would write
    Sending,
    /// `serve` with outages and kills: a quarter of an hour
    Serve,
    /// Scan and merge of large buckets
    Memory,
    /// `verify` of large buckets
    Verify,
    /// How soon a killed job goes on
    Continuation,
}

/// What is built for the realtime function's figures, besides the function.
const SERVERS: (&str, &[&str]) = ("servers", &["--package", "bridge-sim"]);

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
    /// Builds what these parts need, and installs the peers if they need them.
    fn prepare(parts: &[Part]) -> anyhow::Result<Self> {
        let needed = |wanted: &[Part]| parts.iter().any(|part| wanted.contains(part));
        let compared = needed(&[Part::Realtime, Part::Listing, Part::Sending]);
        let is_realtime = parts == [Part::Realtime];
        let mut built = vec![if is_realtime { SERVERS } else { PROGRAMS }];
        if needed(&[Part::Listing]) {
            built.push(("examples", &["--package", "bridge-aws", "--examples"]));
        }
        let programs = Self::build(&built)?;
        if needed(&[Part::Realtime]) {
            realtime::build()?;
        }
        if !compared {
            return Ok(programs);
        }
        programs.install_peers()?;
        for script in ["reseed.py", "reseed.mjs", "realtime.mjs"] {
            let from = root().join("crates/xtask/peers").join(script);
            std::fs::copy(&from, programs.peers.join(script))
                .with_context(|| format!("copying {}", from.display()))?;
        }
        Ok(programs)
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
pub(crate) fn all(arguments: &BenchArguments) -> anyhow::Result<()> {
    let parts = match &arguments.only[..] {
        [] => Part::value_variants(),
        only => only,
    };
    let programs = Programs::prepare(parts)?;
    let mut page = page::Page::new();
    for part in parts {
        match part {
            Part::Realtime => realtime::realtime(&programs, &mut page)?,
            Part::Listing => {
                cases::reading(&programs, &mut page)?;
                cases::scanning(&programs, &mut page)?;
                cases::latency(&programs, &mut page)?;
            }
            Part::Sending => {
                sending::peers(&programs, &mut page)?;
                sending::sending(&programs, &mut page)?;
                sending::whole(&programs, &mut page)?;
            }
            Part::Serve => serve::serve(&programs, &mut page)?,
            Part::Memory => memory::memory(&programs, &mut page, &arguments.versions)?,
            Part::Verify => memory::verify(&programs, &mut page, &arguments.versions)?,
            Part::Continuation => {
                continuation::continuation(&programs, &mut page, &arguments.versions)?;
            }
        }
        // What a long run has measured is kept when it is ended early.
        page.write()?;
    }
    Ok(())
}
