//! `cargo xtask mutants`: the tests are tested. Each patch of `crates/sim/mutants` is what a hasty author
//! could have got wrong; applied to a copy, it must make the test that its header names fail.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail, ensure};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::run::run_quietly;
use crate::{local, root};

/// How long one build may take, and one run of a test: many times what they take on a machine that does nothing else.
const BOUND: Duration = Duration::from_mins(20);

/// All mutants take some twenty minutes on two cores: the test command runs one part of so many, another each day.
const PARTS: u64 = 14;

/// What `cargo xtask mutants` takes.
#[derive(Args)]
pub(crate) struct MutantsArguments {
    /// Names of patches in crates/sim/mutants; none is all
    names: Vec<String>,
    /// One part of all: K/N, K from 1
    #[arg(long, conflicts_with = "names")]
    part: Option<String>,
}

/// A patch and the arguments of `cargo test` for the test that must catch it.
struct Mutant {
    name: String,
    patch: PathBuf,
    caught_by: Vec<String>,
}

/// Runs the mutants asked for.
///
/// # Errors
/// When one survives, does not apply or does not build.
pub(crate) fn check(arguments: &MutantsArguments) -> anyhow::Result<()> {
    let mut mutants = all()?;
    if let Some(part) = &arguments.part {
        let (part, parts) = part.split_once('/').context("--part is K/N")?;
        return run_all(&part_of(mutants, part.parse()?, parts.parse()?)?);
    }
    if !arguments.names.is_empty() {
        for name in &arguments.names {
            let is_known = mutants.iter().any(|mutant| mutant.name == *name);
            ensure!(is_known, "there is no crates/sim/mutants/{name}.patch");
        }
        mutants.retain(|mutant| arguments.names.contains(&mutant.name));
    }
    run_all(&mutants)
}

/// Runs today's part of the mutants.
///
/// # Errors
/// See [`check`].
pub(crate) fn check_part_of_today() -> anyhow::Result<()> {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let day = since_epoch.as_secs() / (24 * 60 * 60);
    run_all(&part_of(all()?, day % PARTS + 1, PARTS)?)
}

fn part_of(mutants: Vec<Mutant>, part: u64, parts: u64) -> anyhow::Result<Vec<Mutant>> {
    ensure!((1..=parts).contains(&part), "--part is K/N, K from 1 to N");
    let numbered = (0_u64..).zip(mutants);
    let of_part = numbered.filter(|(number, _)| *number % parts == part - 1);
    Ok(of_part.map(|(_, mutant)| mutant).collect())
}

/// All mutants by name.
fn all() -> anyhow::Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for entry in fs::read_dir(root().join("crates/sim/mutants"))? {
        let patch = entry?.path();
        let text = fs::read_to_string(&patch)?;
        let (header, _) = text.split_once("\n--- ").context("a patch has a diff")?;
        let caught_by = header
            .lines()
            .find_map(|line| line.strip_prefix("caught-by: "))
            .with_context(|| format!("{}: no line `caught-by: `", patch.display()))?;
        mutants.push(Mutant {
            name: patch
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            caught_by: caught_by.split_whitespace().map(str::to_owned).collect(),
            patch,
        });
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

fn run_all(mutants: &[Mutant]) -> anyhow::Result<()> {
    let folder = local().join("mutants");
    let copy = folder.join("copy");
    copy_workspace(&copy)?;
    let mut table = Vec::new();
    let mut is_any_left = false;
    for mutant in mutants {
        println!("    {}", mutant.name);
        let begin = Instant::now();
        apply(&copy, mutant, &[])?;
        let judged = judge(&folder, mutant);
        apply(&copy, mutant, &["--reverse"])?;
        let found = judged.map_or_else(
            |error| {
                is_any_left = true;
                format!("NOT CAUGHT: {error:#}")
            },
            |()| mutant.caught_by.join(" "),
        );
        let took = begin.elapsed().as_secs();
        table.push(format!("{:<32} {took:>5} s  {found}", mutant.name));
    }
    println!("\n{}", table.join("\n"));
    if is_any_left {
        bail!("a mutant was not caught; logs are in {}", folder.display());
    }
    Ok(())
}

/// Whether the mutant builds and its test fails.
fn judge(folder: &Path, mutant: &Mutant) -> anyhow::Result<()> {
    let log = folder.join(format!("{}.log", mutant.name));
    let built = cargo_test(folder, mutant, &["--no-run"], &log)?;
    ensure!(built, "it does not build: {}", log.display());
    let passed = cargo_test(folder, mutant, &[], &log)?;
    ensure!(!passed, "its test passes");
    let output = fs::read_to_string(&log)?;
    let failed = output
        .lines()
        .any(|line| line.starts_with("test result: FAILED"));
    ensure!(failed, "no test failed: {}", log.display());
    Ok(())
}

/// Runs `cargo test` in the copy. Tells whether it succeeded.
fn cargo_test(folder: &Path, mutant: &Mutant, more: &[&str], log: &Path) -> anyhow::Result<bool> {
    let log = File::create(log)?;
    let mut child = Command::new("cargo")
        .args(["test", "--locked"])
        .args(&mutant.caught_by)
        .args(more)
        .current_dir(folder.join("copy"))
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("`cargo test` could not be started")?;
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if begin.elapsed() > BOUND {
            // The test is a child of cargo's.
            kill_process_group(Pid::from_child(&child), Signal::KILL)?;
            child.wait()?;
            bail!("it took longer than {} s", BOUND.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Applies a patch to the copy, which is no repository, though it lies in one.
fn apply(copy: &Path, mutant: &Mutant, more: &[&str]) -> anyhow::Result<()> {
    let mut git = Command::new("git");
    git.arg("apply").args(more).arg(&mutant.patch);
    git.current_dir(copy)
        .env("GIT_CEILING_DIRECTORIES", copy.parent().unwrap_or(copy));
    run_quietly(&mut git).with_context(|| format!("mutant {}", mutant.name))
}

/// Makes the copy what the tracked files are now. What has not changed is left, so that it is not built anew.
fn copy_workspace(copy: &Path) -> anyhow::Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .context("git is needed to list the workspace's files")?;
    ensure!(listed.status.success(), "`git ls-files` failed");
    let listed = String::from_utf8(listed.stdout)?;
    let mut wanted = BTreeSet::new();
    for name in listed.split_terminator('\0') {
        let (from, to) = (root().join(name), copy.join(name));
        if !from.is_file() {
            continue;
        }
        let content = fs::read(&from)?;
        if fs::read(&to).ok().as_ref() != Some(&content) {
            fs::create_dir_all(to.parent().unwrap_or(copy))?;
            fs::write(&to, content)?;
        }
        wanted.insert(to);
    }
    remove_others(copy, &wanted)
}

/// Removes files that are not wanted.
fn remove_others(folder: &Path, wanted: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, wanted)?;
        } else if !wanted.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_applies_and_names_the_test_that_must_catch_it() {
        let mutants = all().unwrap();
        assert!(mutants.len() >= 20, "only {} mutants", mutants.len());
        for mutant in mutants {
            assert!(mutant.caught_by.len() >= 3, "{}", mutant.name);
            let output = Command::new("git")
                .args(["apply", "--check"])
                .arg(&mutant.patch)
                .current_dir(root())
                .output()
                .expect("git is needed to check that mutants apply");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {told}", mutant.name);
        }
    }

    #[test]
    fn parts_are_all_mutants_together() {
        let count = all().unwrap().len();
        let of_parts = (1..=PARTS).map(|part| part_of(all().unwrap(), part, PARTS).unwrap().len());
        assert_eq!(of_parts.sum::<usize>(), count);
        assert!(part_of(all().unwrap(), 0, PARTS).is_err());
    }
}
