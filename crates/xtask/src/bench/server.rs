//! The load server of `crates/sim`, started and stopped.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::Programs;

/// A running server. Dropping it stops it.
pub(super) struct Server {
    child: Child,
    endpoint: String,
}

impl Server {
    /// Starts one with these arguments.
    ///
    /// # Errors
    /// When it cannot be started or does not tell its address.
    pub(super) fn start(programs: &Programs, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(programs.target.join("load-server"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the load server")?;
        let stdout = child.stdout.take().context("it has no output")?;
        let mut server = Self {
            child,
            endpoint: String::new(),
        };
        BufReader::new(stdout).read_line(&mut server.endpoint)?;
        server.endpoint.truncate(server.endpoint.trim_end().len());
        Ok(server)
    }

    /// Makes `command` talk to it.
    pub(super) fn client<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_CONFIG_FILE", "/dev/null")
    }

    /// A queue of it.
    pub(super) fn queue(&self) -> String {
        format!("{}/1/load.fifo", self.endpoint)
    }

    /// What it has counted.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn stats(&self) -> anyhow::Result<Value> {
        let mut answer = ureq::get(format!("{}/_load/stats", self.endpoint)).call()?;
        Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
