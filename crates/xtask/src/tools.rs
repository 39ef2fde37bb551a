//! The pinned programs, each kind in a Python environment of the repository's own.
//!
//! `tools/NAME.in` names them; `tools/NAME.txt` is made of it and has all that they need in turn, with hashes.
//! Nothing else is installed, and nothing is built: a source package would fetch its build tools unpinned. `PySpark`, which
//! comes as source only, is unpacked by a pinned one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::progress::watch;
use crate::run::{as_from_a_shell, run_quietly, say};
use crate::{local, root};

/// What is installed: a name in `.local`, and the requirements.
type Pinned = (&'static str, &'static str);

const PINNED: Pinned = ("tools", include_str!("../tools/tools.txt"));

/// Has an environment of its own: it wants other versions of what the others want.
const CHECKOV: Pinned = ("checkov", include_str!("../tools/checkov.txt"));

/// A second S3, which only the tests need.
const MOTO: Pinned = ("moto", include_str!("../tools/moto.txt"));

/// A consumer that others wrote, which only the tests need.
const CONSUMER: Pinned = ("consumer", include_str!("../tools/consumer.txt"));

/// Spark and `DuckDB`, which only the tests need.
const PLANS: Pinned = ("plans", include_str!("../tools/plans.txt"));

/// What comes as source only, of which requirements. `tools/unpack.txt` has what unpacks it.
const SOURCES: [(&str, &str); 1] = [("plans", "pyspark")];

/// The spelling check, which only the tests need.
const TYPOS: Pinned = ("typos", include_str!("../tools/typos.txt"));

/// The installed tools.
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Where the programs are.
    pub(crate) fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// A command with the tools on its path, in the repository's folder.
    pub(crate) fn command(&self, program: &str) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let with_tools = std::iter::once(self.bin()).chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        as_from_a_shell(command.current_dir(root()));
        if let Ok(joined) = std::env::join_paths(with_tools) {
            command.env("PATH", joined);
        }
        command
    }
}

/// Installs what `tools/tools.txt` lists, unless it is there already.
///
/// # Errors
/// When Python 3.10 or newer with venv is missing, or a package cannot be installed.
pub(crate) fn install() -> anyhow::Result<Tools> {
    install_into(&local(), PINNED)
}

/// Installs checkov, which only the tests need.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_checkov() -> anyhow::Result<Tools> {
    install_into(&local(), CHECKOV)
}

/// Installs moto, which only the tests need.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_moto() -> anyhow::Result<Tools> {
    install_into(&local(), MOTO)
}

/// Installs what the tests' consumer is written with.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_consumer() -> anyhow::Result<Tools> {
    install_into(&local(), CONSUMER)
}

/// Installs Spark and `DuckDB`: a gigabyte.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_plans() -> anyhow::Result<Tools> {
    install_into(&local(), PLANS)
}

/// Installs the spelling check, which only the tests need.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_typos() -> anyhow::Result<Tools> {
    install_into(&local(), TYPOS)
}

/// Makes a Python environment below `local` that holds these packages.
fn install_into(local: &Path, (name, packages): Pinned) -> anyhow::Result<Tools> {
    let tools = Tools {
        folder: local.join(name),
    };
    let stamp = tools.folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == packages) {
        return Ok(tools);
    }
    say(&format!(
        "installing pinned programs into {} (once)",
        tools.folder.display()
    ));
    install_locked(&tools.folder, name)?;
    std::fs::write(&stamp, packages).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(tools)
}

/// Makes a Python environment of what `tools/NAME.txt` has, and of nothing else.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_locked(folder: &Path, name: &str) -> anyhow::Result<()> {
    check_python()?;
    run_quietly(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder),
    )
    .context("Python cannot make a virtual environment; on Debian: apt-get install python3-venv")?;
    let sources = SOURCES.iter().find(|(of, _)| *of == name);
    let Some((_, package)) = sources else {
        return install_requirements(folder, name, &[]);
    };
    install_requirements(folder, "unpack", &[])?;
    // What unpacks it is what was just installed, not what pip would fetch for it.
    let unpacked = ["--no-binary", package, "--no-build-isolation"];
    install_requirements(folder, name, &unpacked)
}

fn install_requirements(folder: &Path, name: &str, more: &[&str]) -> anyhow::Result<()> {
    let requirements = root().join(format!("crates/xtask/tools/{name}.txt"));
    watch(
        &format!("installing {name}"),
        Command::new(folder.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--progress-bar",
                "off",
                "--no-deps",
                "--require-hashes",
            ])
            .args(["--only-binary", ":all:"])
            .args(more)
            .arg("--requirement")
            .arg(requirements),
    )
}

fn check_python() -> anyhow::Result<()> {
    let new_enough = "import sys; sys.exit(sys.version_info < (3, 10))";
    let status = Command::new("python3").args(["-c", new_enough]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("python3 is older than 3.10; the local AWS needs 3.10 or newer"),
        Err(error) => bail!("python3 could not be started ({error}); install Python 3.10 or newer"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    impl Tools {
        /// Tools below `folder` that the tests play: a name and a shell script.
        pub(crate) fn played(folder: &Path, scripts: &[(&str, &str)]) -> Self {
            let tools = Self {
                folder: folder.to_owned(),
            };
            std::fs::create_dir_all(tools.bin()).unwrap();
            for (name, script) in scripts {
                let path = tools.bin().join(name);
                std::fs::write(&path, script).unwrap();
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            }
            tools
        }
    }

    #[test]
    fn every_program_is_pinned_with_all_it_needs_and_their_hashes() {
        let others = [
            ("release", include_str!("../tools/release.txt")),
            ("bench", include_str!("../tools/bench.txt")),
            ("unpack", include_str!("../tools/unpack.txt")),
        ];
        for (name, locked) in [PINNED, CHECKOV, MOTO, PLANS, TYPOS]
            .into_iter()
            .chain(others)
        {
            let path = root().join(format!("crates/xtask/tools/{name}.in"));
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let wanted = line.split('#').next().unwrap_or_default().trim();
                // `ministack[full]==1.5.33` is `ministack==1.5.33` or the same there.
                let (package, version) = wanted.split_once("==").unwrap_or_default();
                let package = package.split('[').next().unwrap_or_default();
                let is_locked = locked.lines().any(|line| {
                    line.starts_with(package) && line.contains(&format!("=={version}"))
                });
                assert!(is_locked, "{name}.txt is not made of {name}.in: {wanted:?}");
            }
            let packages = locked
                .lines()
                .filter(|line| line.contains("==") && !line.starts_with([' ', '#']));
            for line in packages {
                assert!(line.ends_with('\\'), "{name}.txt: {line} has no hash");
            }
        }
    }
}
