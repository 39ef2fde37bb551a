//! What the tests of the program share.
#![allow(dead_code)] // each of them uses a part

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use bridge_sim::load::server::Load;
use bridge_sim::load::shape::{Shape, Synthetic};
use tokio::net::TcpListener;

/// A load server on a thread of its own; it ends with the test.
pub(crate) fn serve(shape: Shape, versions: u64, change: impl FnOnce(&mut Load)) -> String {
    let mut load = Load::new(Synthetic {
        shape,
        versions,
        per_key: 2,
    });
    change(&mut load);
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            sender.send(url).unwrap();
            Arc::new(load).serve(listener).await
        })
    });
    address.recv().unwrap()
}

/// `s3-sqs-bridge reseed`.
pub(crate) fn program(endpoint: &str, folder: &Path, arguments: &[&str]) -> Command {
    command(endpoint, folder, &[&["reseed"], arguments].concat())
}

/// The program, which talks to `endpoint` and works in `folder`.
pub(crate) fn command(endpoint: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-sqs-bridge"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn run(endpoint: &str, folder: &Path, arguments: &[&str]) -> Output {
    program(endpoint, folder, arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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
