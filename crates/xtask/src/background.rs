//! Programs that run until a task is over, and folders that are of use until then. They go with it, on
//! Ctrl-C too.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// How long a program may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an interrupt has to stop, in the order it was started.
static RUNNING: Mutex<Vec<Group>> = Mutex::new(Vec::new());

/// Files and folders that an interrupt has to remove.
static PATHS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A program that leads a process group, to which the programs that it starts belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group(i32);

impl Group {
    /// The group of this number.
    pub(crate) fn of(pid: i32) -> Self {
        Self(pid)
    }

    /// Starts a program in a group of its own. An interrupt of this task stops it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        stop_on_interrupt()?;
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let group = Self(i32::try_from(child.id()).context("an impossible process id")?);
        // Somebody has to take note of its end, or its group would seem to be alive.
        std::thread::spawn(move || child.wait());
        running().push(group);
        Ok(group)
    }

    /// The number of its leader.
    pub(crate) fn pid(self) -> i32 {
        self.0
    }

    /// Whether something of it runs.
    pub(crate) fn is_alive(self) -> bool {
        Pid::from_raw(self.0).is_some_and(|pid| test_kill_process_group(pid).is_ok())
    }

    /// Asks all of it to end; makes it after five seconds.
    pub(crate) fn stop(self) {
        running().retain(|group| *group != self);
        let Some(pid) = Pid::from_raw(self.0) else {
            return;
        };
        // It may have ended by itself.
        let _ = kill_process_group(pid, Signal::TERM);
        let begin = Instant::now();
        while self.is_alive() && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

fn paths() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    PATHS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn running() -> std::sync::MutexGuard<'static, Vec<Group>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ctrl-C and termination stop what was started, the last first.
fn stop_on_interrupt() -> anyhow::Result<()> {
    static ONCE: Once = Once::new();
    let mut set = Ok(());
    ONCE.call_once(|| {
        set = ctrlc::set_handler(|| {
            let groups = running().clone();
            eprintln!("\ninterrupted: stopping what was started");
            for group in groups.into_iter().rev() {
                group.stop();
            }
            for path in paths().iter() {
                let _ = std::fs::remove_file(path).or_else(|_| std::fs::remove_dir_all(path));
            }
            std::process::exit(130);
        });
    });
    set.context("setting the interrupt handler")
}

/// Has a file or a folder removed when this task is interrupted.
pub(crate) fn remove_on_interrupt(path: PathBuf) {
    paths().push(path);
}

/// A program that is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Background(Group);

impl Background {
    /// Starts it: see [`Group::start`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        Group::start(command).map(Self)
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.is_alive()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryFolder(tempfile::TempDir);

impl TemporaryFolder {
    /// Makes it, in the system's folder for such. Its path is short, as sockets ask for.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new() -> anyhow::Result<Self> {
        stop_on_interrupt()?;
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        remove_on_interrupt(folder.path().to_owned());
        Ok(Self(folder))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
