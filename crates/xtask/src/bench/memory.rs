//! Large buckets: memory.

use anyhow::ensure;

use super::Programs;
use super::cases::{per, reseed, start};
use super::page::Page;
use crate::run::say;

/// Scan and merge of ever larger buckets, events thrown away.
pub(super) fn memory(programs: &Programs, page: &mut Page, sizes: &[u64]) -> anyhow::Result<()> {
    say("memory");
    page.table(
        "Scan and merge with a budget of 256 MiB (`--memory 256 --out /dev/null`)",
        &["versions", "peak memory", "CPU an event", "seconds"],
    );
    for versions in sizes {
        let server = start(programs, "hashed", *versions, &[])?;
        let arguments = ["--out", "/dev/null", "--memory", "256"];
        let (measured, end) = reseed(programs, &server, &arguments)?;
        ensure!(end["checkpoint"] == *versions, "{end}");
        page.row(&[
            versions.to_string(),
            format!("{:.0} MiB", measured.peak_mib),
            format!("{:.2} µs", per(measured.cpu, *versions)),
            format!("{:.0}", measured.seconds),
        ]);
    }
    Ok(())
}
