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
pub(crate) struct Emulator {
    state: State,
    leave: bool,
    /// The folder where the note about it is.
    home: PathBuf,
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
    /// The one that is running, which continues when this program ends.
    ///
    /// # Errors
    /// When the note about it cannot be read.
    pub(crate) fn find() -> anyhow::Result<Option<Self>> {
        Self::find_in(local())
    }

    fn find_in(home: PathBuf) -> anyhow::Result<Option<Self>> {
        Ok(running(&home)?.map(|state| Self {
            state,
            leave: true,
            home,
        }))
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When one is running already, or this one does not come up.
    pub(crate) fn start(tools: &Tools) -> anyhow::Result<Self> {
        let home = local();
        if let Some(state) = running(&home)? {
            bail!(
                "a local AWS is running already (process {}, port {}); `cargo xtask down` stops it",
                state.pid,
                state.port
            );
        }
        let port = free_port()?;
        say(&format!("starting the local AWS on 127.0.0.1:{port}"));
        // What it unpacks, some 24 MB, goes when it is stopped.
        let scratch = scratch(&home);
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
                // As on AWS, and not what fits into this machine's memory.
                .env("LAMBDA_ACCOUNT_CONCURRENCY", "1000")
                .env("TMPDIR", scratch)
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        let pid = group.pid();
        let emulator = Self {
            state: State { pid, port },
            leave: false,
            home,
        };
        remember(&emulator.home, emulator.state)?;
        remove_on_interrupt(state_path(&emulator.home));
        remove_on_interrupt(self::scratch(&emulator.home));
        emulator.wait_until_healthy()?;
        Ok(emulator)
    }

    /// Where it answers.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.state.port)
    }

    /// What AWS programs need to talk to it, and to nothing else.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
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
    pub(crate) fn leave_running(mut self) {
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
            stop(&self.home, self.state);
        }
    }
}

/// Stops the emulator that is written down, if it runs.
///
/// # Errors
/// When the note about it cannot be read.
pub(crate) fn stop_running() -> anyhow::Result<()> {
    stop_running_in(&local())
}

fn stop_running_in(home: &Path) -> anyhow::Result<()> {
    match running(home)? {
        Some(state) => {
            stop(home, state);
            println!("stopped the local AWS (port {})", state.port);
        }
        None => println!("no local AWS is running"),
    }
    Ok(())
}

/// Stops it, with all functions it runs.
fn stop(home: &Path, state: State) {
    state.group().stop();
    let _ = std::fs::remove_file(state_path(home));
    remove(&scratch(home));
}

/// Where the emulator and the functions it runs keep what is temporary.
fn scratch(home: &Path) -> PathBuf {
    home.join("emulator-tmp")
}

/// Removes a folder, if it is there. One that stays costs room and nothing else.
fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != ErrorKind::NotFound
    {
        eprintln!("{} could not be removed: {error}", folder.display());
    }
}

fn running(home: &Path) -> anyhow::Result<Option<State>> {
    let path = state_path(home);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("reading the note about the running emulator"),
    };
    let state: State =
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    let answers = ureq::get(format!("http://127.0.0.1:{}/_ministack/health", state.port))
        .call()
        .is_ok();
    Ok(answers.then_some(state))
}

fn remember(home: &Path, state: State) -> anyhow::Result<()> {
    let path = state_path(home);
    std::fs::write(&path, serde_json::to_string(&state)?)
        .with_context(|| format!("writing {}", path.display()))
}

/// A port of the loopback interface that nobody uses.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

fn state_path(home: &Path) -> PathBuf {
    home.join("emulator.json")
}

/// The emulator's log, with the functions' own logs in it.
pub(crate) fn log_path() -> PathBuf {
    local().join("emulator.log")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{Read as _, Write as _};
    use std::process::Command;

    use super::*;

    impl Emulator {
        /// One that the tests play, and that is never stopped.
        pub(crate) fn played(home: &Path) -> Self {
            Self {
                state: State { pid: 0, port: 1 },
                leave: true,
                home: home.to_owned(),
            }
        }
    }

    /// Something that says it is healthy; it ends with the test.
    fn healthy() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            }
        });
        port
    }

    #[test]
    fn one_that_is_found_goes_on_until_it_is_stopped_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let group = Group::start(Command::new("sleep").arg("600")).unwrap();
        let (pid, port) = (group.pid(), healthy());
        remember(home, State { pid, port }).unwrap();
        std::fs::create_dir(scratch(home)).unwrap();
        std::fs::write(scratch(home).join("unpacked"), "24 MB").unwrap();
        // `up` a second time: found, used, dropped, also when a step fails.
        for _ in 0..2 {
            let found = Emulator::find_in(home.to_owned()).unwrap().unwrap();
            assert_eq!(found.endpoint(), format!("http://127.0.0.1:{port}"));
        }
        assert!(group.is_alive() && scratch(home).exists());
        stop_running_in(home).unwrap();
        assert!(!group.is_alive());
        assert_eq!(std::fs::read_dir(home).unwrap().count(), 0);
        stop_running_in(home).unwrap(); // none runs: said, and no failure
    }

    #[test]
    fn a_note_about_one_that_is_gone_finds_none() {
        let home = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        remember(home.path(), State { pid: 0, port }).unwrap();
        assert!(Emulator::find_in(home.path().to_owned()).unwrap().is_none());
    }
}
