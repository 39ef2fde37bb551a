//! The pinned programs, in a Python environment of the repository's own.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::run::{run_quietly, say};
use crate::{local, root};

/// Programs and versions.
const PINNED: &str = include_str!("../tools.txt");

/// Has an environment of its own: it wants other versions of what the others want.
const CHECKOV: &str = "checkov==3.3.30";

/// A second S3, which only the tests need.
const MOTO: &str = "moto[server]==5.2.1";

/// The installed tools.
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Where the programs are.
    pub fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// A command with the tools on its path, in the repository's folder.
    pub fn command(&self, program: &str) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let with_tools = std::iter::once(self.bin()).chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command.current_dir(root());
        if let Ok(joined) = std::env::join_paths(with_tools) {
            command.env("PATH", joined);
        }
        command
    }
}

/// Installs what `tools.txt` lists, unless it is there already.
///
/// # Errors
/// When Python 3.10 or newer with venv is missing, or a package cannot be installed.
pub fn install() -> anyhow::Result<Tools> {
    install_into("tools", PINNED)
}

/// Installs checkov, which only the tests need.
///
/// # Errors
/// As [`install`].
pub fn install_checkov() -> anyhow::Result<Tools> {
    install_into("checkov", CHECKOV)
}

/// Installs moto, which only the tests need.
///
/// # Errors
/// As [`install`].
pub fn install_moto() -> anyhow::Result<Tools> {
    install_into("moto", MOTO)
}

/// Makes a Python environment below `.local` that holds these packages.
fn install_into(name: &str, packages: &str) -> anyhow::Result<Tools> {
    let tools = Tools {
        folder: local().join(name),
    };
    let stamp = tools.folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == packages) {
        return Ok(tools);
    }
    say(&format!(
        "installing pinned programs into .local/{name} (once; a minute or two)"
    ));
    check_python()?;
    run_quietly(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&tools.folder),
    )
    .context("Python cannot make a virtual environment; on Debian: apt-get install python3-venv")?;
    run_quietly(
        Command::new(tools.bin().join("python"))
            .args(["-m", "pip", "install", "--quiet"])
            .args(requirements(packages)),
    )?;
    std::fs::write(&stamp, packages).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(tools)
}

/// The lines of a requirements file, without its comments.
fn requirements(packages: &str) -> impl Iterator<Item = &str> {
    packages
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
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
pub mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::Tools;

    impl Tools {
        /// Tools below `folder` that the tests play: a name and a shell script.
        pub fn played(folder: &Path, scripts: &[(&str, &str)]) -> Self {
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
}
