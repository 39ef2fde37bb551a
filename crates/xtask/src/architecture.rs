//! `cargo xtask architecture`: whether what `sam build` made runs on the processors that are deployed.
//!
//! `sam build` and `sam deploy` read the parameters from different places (docs/CHANGING.md): a function whose
//! program is for other processors deploys, and never starts.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::root;

/// The template's `Architecture`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Architecture {
    /// Intel's and AMD's.
    #[value(name = "x86_64")]
    X86,
    /// AWS's Graviton.
    #[value(name = "arm64")]
    Arm,
}

/// The functions as `template.yaml` names them.
const FUNCTIONS: [&str; 2] = ["Realtime", "Reseed"];

/// Checks both functions of `.aws-sam/build`.
///
/// # Errors
/// When one was not built, or for another architecture.
pub(crate) fn check(wanted: Architecture) -> anyhow::Result<()> {
    check_in(&root().join(".aws-sam/build"), wanted)
}

fn check_in(folder: &Path, wanted: Architecture) -> anyhow::Result<()> {
    for function in FUNCTIONS {
        let path = folder.join(function).join("bootstrap");
        let program = std::fs::read(&path)
            .with_context(|| format!("reading {}: `sam build` makes it", path.display()))?;
        let found = of(&program).with_context(|| path.display().to_string())?;
        if found != wanted {
            bail!(
                "{} is for {found:?}, wanted is {wanted:?}: save `parameter_overrides` for build and deploy, \
                 as docs/CHANGING.md says, and `sam build` again",
                path.display()
            );
        }
        println!("{function}: {found:?}");
    }
    Ok(())
}

/// The processor that an ELF program is for.
/// Source: System V ABI, "ELF Header": `e_machine` is the half word at 18.
fn of(program: &[u8]) -> anyhow::Result<Architecture> {
    if !program.starts_with(b"\x7fELF") {
        bail!("it is no ELF program");
    }
    match program.get(18..20) {
        Some([0x3e, 0]) => Ok(Architecture::X86),
        Some([0xb7, 0]) => Ok(Architecture::Arm),
        other => bail!("it is for machine {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(machine: u8) -> Vec<u8> {
        let mut program = b"\x7fELF".to_vec();
        program.resize(18, 0);
        program.extend([machine, 0]);
        program
    }

    #[test]
    fn a_program_for_other_processors_is_found_before_it_is_deployed() {
        let folder = tempfile::tempdir().unwrap();
        let put = |function: &str, content: &[u8]| {
            let folder = folder.path().join(function);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("bootstrap"), content).unwrap();
        };
        put("Realtime", &program(0xb7));
        let told = check_in(folder.path(), Architecture::Arm).unwrap_err();
        assert!(told.to_string().contains("sam build"), "{told}");
        put("Reseed", &program(0xb7));
        check_in(folder.path(), Architecture::Arm).unwrap();
        put("Reseed", &program(0x3e));
        let told = check_in(folder.path(), Architecture::Arm).unwrap_err();
        assert!(
            told.to_string().contains("Reseed/bootstrap is for X86"),
            "{told}"
        );
        put("Realtime", b"#!/bin/sh\n");
        assert!(check_in(folder.path(), Architecture::X86).is_err());
    }

    /// This very test is one.
    #[test]
    fn this_machine_is_known() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let expected = match std::env::consts::ARCH {
            "x86_64" => Architecture::X86,
            "aarch64" => Architecture::Arm,
            _ => return,
        };
        assert_eq!(of(&own).unwrap(), expected);
    }
}
