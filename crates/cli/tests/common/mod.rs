//! What the tests of the program share.
#![allow(dead_code)] // each of them uses a part

pub(crate) mod html;
pub(crate) mod played;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bridge_sim::load::server::Load;
use bridge_sim::load::shape::{Shape, Synthetic};
use serde_json::Value;
use tokio::net::TcpListener;

/// A load server over a bucket of two versions a key; it ends with the test.
pub(crate) fn serve(shape: Shape, versions: u64, change: impl FnOnce(&mut Load)) -> String {
    let bucket = Synthetic {
        shape,
        versions,
        per_key: 2,
    };
    load_server(bucket, change).1
}

/// A load server on a thread of its own, and where it is.
pub(crate) fn load_server(
    bucket: Synthetic,
    change: impl FnOnce(&mut Load),
) -> (Arc<Load>, String) {
    let mut load = Load::new(bucket);
    change(&mut load);
    let load = Arc::new(load);
    let served = Arc::clone(&load);
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            sender.send(url).unwrap();
            served.serve(listener).await
        })
    });
    (load, address.recv().unwrap())
}

/// `s3-sqs-bridge reseed` with the words of a line.
pub(crate) fn program(endpoint: &str, folder: &Path, line: &str) -> Command {
    let words = std::iter::once("reseed").chain(line.split_whitespace());
    command(endpoint, folder, &words.collect::<Vec<_>>())
}

/// The program, which talks to `endpoint` and works in `folder`.
pub(crate) fn command(endpoint: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-sqs-bridge"));
    talking_to(endpoint, folder, command.args(arguments));
    command
}

/// A line of the documentation, as a shell runs it. The exit code is that of a pipe's last command.
pub(crate) fn shell(endpoint: &str, folder: &Path, line: &str) -> Command {
    let program = concat!(env!("CARGO_BIN_EXE_s3-sqs-bridge"), " ");
    let mut command = Command::new("sh");
    command.args(["-c", &line.replace("s3-sqs-bridge ", program)]);
    talking_to(endpoint, folder, &mut command);
    command
}

/// The program's answer on a terminal of its own, which `script` gives it.
pub(crate) fn on_a_terminal(endpoint: &str, folder: &Path, width: usize, arguments: &str) -> End {
    let program = env!("CARGO_BIN_EXE_s3-sqs-bridge");
    let line = format!("stty cols {width} rows 50; exec {program} {arguments} 2>/dev/null");
    let mut script = Command::new("script");
    // Its exit code is the program's.
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    talking_to(endpoint, folder, &mut script);
    End::of(&mut script)
}

fn talking_to(endpoint: &str, folder: &Path, command: &mut Command) {
    command
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
}

/// Runs `reseed` with the words of a line.
pub(crate) fn run(endpoint: &str, folder: &Path, line: &str) -> End {
    End::of(&mut program(endpoint, folder, line))
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct End {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// What was run, shown when a test fails.
    pub of: String,
}

impl End {
    /// Runs a command.
    pub(crate) fn of(command: &mut Command) -> Self {
        let line = format!("{command:?}");
        Self::new(command.output().unwrap(), line)
    }

    /// Waits for a process.
    pub(crate) fn wait(child: Child) -> Self {
        Self::new(child.wait_with_output().unwrap(), String::new())
    }

    fn new(output: Output, of: String) -> Self {
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            of,
        }
    }

    /// It must have ended with this exit code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}: {}", self.of, self.stderr);
        self
    }

    /// It must have written these parts on standard error.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        self.holds(&self.stderr, parts);
        self
    }

    /// It must have written these parts on standard output.
    #[track_caller]
    pub(crate) fn answers(self, parts: &[&str]) -> Self {
        self.holds(&self.stdout, parts);
        self
    }

    #[track_caller]
    fn holds(&self, text: &str, parts: &[&str]) {
        for part in parts {
            assert!(
                text.contains(part),
                "{}: {part:?} is not in: {text}",
                self.of
            );
        }
    }

    /// The JSON that it wrote on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts a command, and waits until there is something in the file that it writes.
pub(crate) fn start(command: &mut Command, file: &Path) -> Child {
    let child = command.spawn().unwrap();
    while std::fs::metadata(file).map_or(0, |found| found.len()) == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// Sends a signal: `-INT`, `-STOP`, `-CONT`.
pub(crate) fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args([signal, &pid]).status();
    assert!(status.unwrap().success());
}

/// The only job of the state directory.
pub(crate) fn job_of(folder: &Path) -> Option<String> {
    let jobs = std::fs::read_dir(folder.join(".s3-sqs-bridge/jobs")).ok()?;
    let job = jobs.map(|job| job.unwrap()).next()?;
    job.path()
        .join("job.json")
        .is_file()
        .then(|| job.file_name().into_string().unwrap())
}

/// A server that answers every request, given its head and body, with this status and a body.
pub(crate) fn answering(
    status: &'static str,
    body: impl Fn(&str, &[u8]) -> String + Send + Sync + 'static,
) -> String {
    answering_with(move |head, asked| (status, String::new(), body(head, asked)))
}

/// The same, with a status for each.
pub(crate) fn answering_each(
    answer: impl Fn(&str, &[u8]) -> (&'static str, String) + Send + Sync + 'static,
) -> String {
    answering_with(move |head, asked| {
        let (status, body) = answer(head, asked);
        (status, String::new(), body)
    })
}

/// The same, with a status and lines of the head for each.
pub(crate) fn answering_with(
    answer: impl Fn(&str, &[u8]) -> (&'static str, String, String) + Send + Sync + 'static,
) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) < 3 {
                        break;
                    }
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    head.push_str(&line);
                }
                let mut rest = vec![0; length];
                reader.read_exact(&mut rest).unwrap();
                let (status, lines, body) = answer(&head, &rest);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{lines}connection: close\r\n\r\n{body}"
                );
                let _ = reader.get_mut().write_all(answer.as_bytes());
            });
        }
    });
    url
}

/// What `CloudFormation` answers about the stack `s`, if that is what the request asks: its outputs and
/// parameters. Nothing for other requests.
pub(crate) fn stack(
    asked: &[u8],
    outputs: &[(&str, &str)],
    parameters: &[(&str, &str)],
) -> Option<(&'static str, String)> {
    let asked = text(asked);
    if !asked.contains("Action=DescribeStacks") {
        return None;
    }
    if !asked.contains("StackName=s&") && !asked.ends_with("StackName=s") {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id \
                    other does not exist</Message></Error></ErrorResponse>";
        return Some(("400 Bad Request", body.to_owned()));
    }
    let members = |of: &str, list: &[(&str, &str)]| {
        let member = |(name, value): &(&str, &str)| {
            format!("<member><{of}Key>{name}</{of}Key><{of}Value>{value}</{of}Value></member>")
        };
        list.iter().map(member).collect::<String>()
    };
    let (outputs, parameters) = (members("Output", outputs), members("Parameter", parameters));
    Some((
        "200 OK",
        format!(
            "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName>\
             <StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-26T12:00:00Z</CreationTime>\
             <Outputs>{outputs}</Outputs><Parameters>{parameters}</Parameters></member></Stacks>\
             </DescribeStacksResult></DescribeStacksResponse>"
        ),
    ))
}
