//! The real template, built and deployed with `sam`.

use std::process::Command;
use std::time::SystemTime;

use anyhow::Context as _;
use serde::Deserialize;

use crate::emulator::Emulator;
use crate::progress::{compiled_since, watch, watch_counting};
use crate::root;
use crate::run::say;
use crate::tools::Tools;

/// What makes `sam build` quick. Nothing of it is set where functions are built for AWS.
const LOCAL_BUILD: [(&str, &str); 4] = [
    // Cargo's `dev` profile: no optimisation across crates.
    ("SAM_BUILD_MODE", "debug"),
    // This machine's linker, not zig's for an older glibc.
    ("CARGO_LAMBDA_COMPILER", "cargo"),
    // The programs are packed, sent and unpacked for each stack.
    ("CARGO_PROFILE_DEV_DEBUG", "false"),
    ("CARGO_PROFILE_DEV_STRIP", "true"),
];

/// Builds and deploys on an emulator.
pub(crate) struct Stack<'a> {
    tools: &'a Tools,
    emulator: &'a Emulator,
}

impl<'a> Stack<'a> {
    /// On `emulator`, with `tools`.
    pub(crate) fn new(tools: &'a Tools, emulator: &'a Emulator) -> Self {
        Self { tools, emulator }
    }

    /// A command that talks to the emulator.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.tools.command(program);
        command
            .envs(self.emulator.environment())
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN");
        command
    }

    /// Builds both functions by the `sam build` that builds them for AWS, but unoptimised and with this
    /// machine's compiler and linker, as tests are built: that takes a fraction of the time.
    ///
    /// # Errors
    /// When `sam build` fails.
    pub(crate) fn build(&self) -> anyhow::Result<()> {
        say("building both functions with sam build (minutes, the first time)");
        let mut command = self.command("sam");
        command.arg("build").envs(LOCAL_BUILD);
        // `sam` shows cargo's output when all is done.
        let (target, begin) = (root().join("target"), SystemTime::now());
        watch_counting("sam build", &mut command, &|| {
            compiled_since(&target, begin)
        })?;
        Ok(())
    }

    /// Deploys what was built under a stack name, with template parameters (`Name=value`).
    ///
    /// # Errors
    /// When `sam deploy` fails.
    pub(crate) fn deploy(&self, name: &str, parameters: &[&str]) -> anyhow::Result<()> {
        let mut command = self.command("sam");
        command.args(["deploy", "--no-confirm-changeset", "--no-progressbar"]);
        command.args(["--no-fail-on-empty-changeset", "--stack-name", name]);
        if !parameters.is_empty() {
            command.arg("--parameter-overrides").args(parameters);
        }
        watch(&format!("deploying stack {name}"), &mut command)
    }

    /// An output of a deployed stack.
    ///
    /// # Errors
    /// When `sam` cannot list them, or there is none of this name.
    pub(crate) fn output(&self, stack: &str, name: &str) -> anyhow::Result<String> {
        let mut command = self.command("sam");
        command.args(["list", "stack-outputs", "--stack-name", stack]);
        let told = command
            .args(["--output", "json"])
            .output()
            .context("`sam list` could not be started")?;
        let outputs: Vec<Output> = serde_json::from_slice(&told.stdout).with_context(|| {
            let error = String::from_utf8_lossy(&told.stderr);
            format!("reading the outputs of stack {stack}: {error}")
        })?;
        let found = outputs.into_iter().find(|output| output.key == name);
        let found = found.with_context(|| format!("stack {stack} has no output {name}"))?;
        Ok(found.value)
    }
}

/// An output of a stack, as `sam list` tells it.
#[derive(Deserialize)]
struct Output {
    #[serde(rename = "OutputKey")]
    key: String,
    #[serde(rename = "OutputValue")]
    value: String,
}
