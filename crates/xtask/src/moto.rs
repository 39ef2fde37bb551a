//! moto for the tests: a second S3, which lists delete markers apart from versions, in whole seconds; and a judge, which
//! refuses what is not signed or not allowed.

use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::background::Background;
use crate::emulator::free_port;
use crate::run::say;
use crate::{local, tools};

/// How long it may take to answer after its start.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running moto. Dropping it stops it.
pub(crate) struct Moto {
    server: Background,
    port: u16,
}

impl Moto {
    /// Installs it if need be, starts it and waits until it answers.
    ///
    /// # Errors
    /// When it cannot be installed or does not come up.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let tools = tools::install_moto()?;
        Self::serve("moto", tools.command("moto_server"))
    }

    /// The same with its judge at work (`tests/judge.py`).
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn judge() -> anyhow::Result<Self> {
        let mut python = tools::install_moto()?.command("python");
        python.arg("tests/judge.py");
        Self::serve("judge", python)
    }

    fn serve(name: &str, mut command: Command) -> anyhow::Result<Self> {
        let port = free_port()?;
        say(&format!("starting {name} on 127.0.0.1:{port}"));
        let path = local().join(format!("{name}.log"));
        let log = File::create(&path).with_context(|| format!("creating {name}'s log"))?;
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        let server = Background::start(command.stdout(log.try_clone()?).stderr(log))?;
        let moto = Self { server, port };
        let begin = Instant::now();
        // Whoever asks without a signature is refused by the judge: that is an answer, too.
        let asked = || {
            let asked = ureq::get(moto.endpoint()).config();
            asked.http_status_as_error(false).build().call()
        };
        while asked().is_err() {
            if !moto.server.is_alive() || begin.elapsed() > PATIENCE {
                bail!("{name} does not answer; see {}", path.display());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(moto)
    }

    /// Where it answers.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
