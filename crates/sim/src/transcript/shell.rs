//! A shell that commands are typed into.

use std::io::{BufRead as _, BufReader, Error, Read as _, Result, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Behind what a command has said, with its exit code.
const MARK: &str = "--- the command has ended: ";

/// A command that takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// A shell in a folder. Dropping it ends it, with all that it started.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Shell {
    /// A shell of this test's environment and `variables`, which finds the programs in `programs` first.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(folder: &Path, programs: &Path, variables: &[(&str, &str)]) -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path));
        let (reader, writer) = std::io::pipe()?;
        let mut shell = Command::new("sh");
        shell
            .current_dir(folder)
            .env("PATH", std::env::join_paths(path).map_err(Error::other)?)
            .env("HOME", folder)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0);
        let mut child = shell.spawn()?;
        // Its ends of the pipe.
        drop(shell);
        let input = child
            .stdin
            .take()
            .ok_or_else(|| Error::other("a shell without input"))?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            let mut line = Vec::new();
            while reader
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line).into_owned();
                if sender.send(text).is_err() {
                    return;
                }
                line.clear();
            }
            // Whoever writes on is not broken off.
            let _ = reader.read_to_end(&mut line);
        });
        Ok(Self {
            child,
            input,
            lines,
        })
    }

    /// Types a command; what it said on standard output and error, and its exit code.
    ///
    /// # Errors
    /// When it does not end.
    pub fn run(&mut self, command: &str) -> Result<(String, i32)> {
        // Nothing reads what is typed behind it; `$?` is this command's for the next one.
        write!(
            self.input,
            "{{ {command}\n}} </dev/null\n_code=$?; printf '\\n{MARK}%s\\n' \"$_code\"; (exit \"$_code\")\n"
        )?;
        self.input.flush()?;
        let (end, mut said) = (Instant::now() + PATIENCE, String::new());
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(error) => {
                    let why = match error {
                        RecvTimeoutError::Timeout => "it does not end",
                        RecvTimeoutError::Disconnected => "the shell ended",
                    };
                    return Err(Error::other(format!("{why}: {command}\n{said}")));
                }
            };
            if let Some(code) = line.strip_prefix(MARK) {
                // The mark's own line's end; that of a last line that had none stays.
                let has_own_end = said.ends_with("\n\n") || said == "\n";
                if has_own_end {
                    said.pop();
                }
                return Ok((said, code.trim().parse().map_err(Error::other)?));
            }
            said.push_str(&line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_remembers_what_was_typed_and_tells_what_was_said_and_the_exit_code() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Shell::start(folder.path(), folder.path(), &[("NAME", "n")]).unwrap();
        let mut run = |command: &str| shell.run(command).unwrap();
        assert_eq!(run("A=$NAME"), (String::new(), 0));
        assert_eq!(run("echo $A; echo b >&2"), ("n\nb\n".to_owned(), 0));
        assert_eq!(run("printf x; false"), ("x\n".to_owned(), 1));
        assert_eq!(run("echo $?"), ("1\n".to_owned(), 0));
        assert_eq!(run("cat"), (String::new(), 0));
        assert_eq!(run("sleep 60 &"), (String::new(), 0));
        assert_eq!(run("kill $!; wait $!").1, 143);
    }
}
