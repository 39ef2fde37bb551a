//! The local AWS: ministack on a free port of the loopback interface.

use std::fs::File;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::background::{Group, remove_on_interrupt};
use crate::local;
use crate::run::say;
use crate::tools::Tools;

/// How long it may take to answer after its start.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running emulator. Dropping it stops it.
pub struct Emulator {
    state: State,
    leave: bool,
}

/// What is written down, so that `cargo xtask down` finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// The emulator leads a process group, to which the functions it runs belong.
    pid: i32,
    port: u16,
}

impl State {
    fn group(self) -> Group {
        Group::of(self.pid)
    }
}

impl Emulator {
    /// The one that is running, which goes on when this program ends.
    ///
    /// # Errors
    /// When the note about it cannot be read.
    pub fn find() -> anyhow::Result<Option<Self>> {
        Ok(running()?.map(|state| Self { state, leave: true }))
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When one is running already, or this one does not come up.
    pub fn start(tools: &Tools) -> anyhow::Result<Self> {
        if let Some(state) = running()? {
            bail!(
                "a local AWS is running already (process {}, port {}); `cargo xtask down` stops it",
                state.pid,
                state.port
            );
        }
        let port = free_port()?;
        say(&format!("starting the local AWS on 127.0.0.1:{port}"));
        // What it unpacks, some 24 MB, goes when it is stopped.
        let scratch = scratch();
        remove(&scratch);
        std::fs::create_dir_all(&scratch).context("making the emulator's temporary folder")?;
        let log = File::create(log_path()).context("creating the emulator's log")?;
        let group = Group::start(
            tools
                .command("ministack")
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string())
                // Lambda functions find the emulator by it.
                .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
                .env("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "1")
                .env("TMPDIR", scratch)
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        let pid = group.pid();
        let emulator = Self {
            state: State { pid, port },
            leave: false,
        };
        remember(emulator.state)?;
        remove_on_interrupt(state_path());
        remove_on_interrupt(self::scratch());
        emulator.wait_until_healthy()?;
        Ok(emulator)
    }

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.state.port)
    }

    /// What AWS programs need to talk to it, and to nothing else.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("SAM_CLI_TELEMETRY", "0".to_owned()),
        ]
    }

    /// Does not stop it when this program ends.
    pub fn leave_running(mut self) {
        self.leave = true;
    }

    fn wait_until_healthy(&self) -> anyhow::Result<()> {
        let url = format!("{}/_ministack/health", self.endpoint());
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if ureq::get(&url).call().is_ok() {
                return Ok(());
            }
            if !self.state.group().is_alive() {
                bail!("the local AWS ended at once; see {}", log_path().display());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        bail!(
            "the local AWS did not answer within {} s; see {}",
            PATIENCE.as_secs(),
            log_path().display()
        )
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if !self.leave {
            stop(self.state);
        }
    }
}

/// Stops the emulator that is written down, if it runs.
///
/// # Errors
/// When the note about it cannot be read.
pub fn stop_running() -> anyhow::Result<()> {
    match running()? {
        Some(state) => {
            stop(state);
            println!("stopped the local AWS (port {})", state.port);
        }
        None => println!("no local AWS is running"),
    }
    Ok(())
}

/// Stops it, with all functions it runs.
fn stop(state: State) {
    state.group().stop();
    let _ = std::fs::remove_file(state_path());
    remove(&scratch());
}

/// Where the emulator and the functions it runs keep what is temporary.
fn scratch() -> PathBuf {
    local().join("emulator-tmp")
}

/// Removes a folder, if it is there. One that stays costs room and nothing else.
fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != ErrorKind::NotFound
    {
        eprintln!("{} could not be removed: {error}", folder.display());
    }
}

fn running() -> anyhow::Result<Option<State>> {
    let text = match std::fs::read_to_string(state_path()) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("reading the note about the running emulator"),
    };
    let state: State = serde_json::from_str(&text)
        .with_context(|| format!("reading {}", state_path().display()))?;
    let answers = ureq::get(format!("http://127.0.0.1:{}/_ministack/health", state.port))
        .call()
        .is_ok();
    Ok(answers.then_some(state))
}

fn remember(state: State) -> anyhow::Result<()> {
    std::fs::write(state_path(), serde_json::to_string(&state)?)
        .with_context(|| format!("writing {}", state_path().display()))
}

/// A port of the loopback interface that nobody uses.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

fn state_path() -> PathBuf {
    local().join("emulator.json")
}

/// The emulator's log, with the functions' own logs in it.
pub fn log_path() -> PathBuf {
    local().join("emulator.log")
}
