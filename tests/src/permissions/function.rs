//! A built function outside of Lambda: the test is its runtime interface.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};

/// What an invocation ends with: an answer, or an error.
type Answer = Result<Value, Value>;

/// A function that runs. Dropping it ends it.
pub struct Function {
    process: Child,
    log: NamedTempFile,
    ask: mpsc::UnboundedSender<Ask>,
}

/// An invocation to come.
struct Ask {
    input: Value,
    time: Duration,
    answer: oneshot::Sender<Answer>,
}

/// What the function asks for and answers to.
struct Runtime {
    asks: Mutex<mpsc::UnboundedReceiver<Ask>>,
    open: std::sync::Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    number: AtomicU64,
}

/// The program of a function, by its name in the template.
///
/// # Errors
/// When it is not built.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::var("FUNCTIONS");
    let folder = folder.context("this test needs functions: run it with `cargo xtask test`")?;
    let program = PathBuf::from(folder).join(name).join("bootstrap");
    if !program.is_file() {
        bail!("{} is not built", program.display());
    }
    Ok(program)
}

impl Function {
    /// Starts it with these variables and no others.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(name: &str, variables: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (ask, asks) = mpsc::unbounded_channel();
        let runtime = Arc::new(Runtime {
            asks: Mutex::new(asks),
            open: std::sync::Mutex::default(),
            number: AtomicU64::default(),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let runtime = Arc::clone(&runtime);
                let service = service_fn(move |request| Arc::clone(&runtime).serve(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let log = NamedTempFile::new()?;
        let mut command = Command::new(program(name)?);
        command.env_clear().envs(variables);
        command.env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        let output: File = log.reopen()?;
        let process = command.stdout(output.try_clone()?).stderr(output).spawn();
        let process = process.with_context(|| format!("starting {name}"))?;
        Ok(Self { process, log, ask })
    }

    /// Invokes it as Lambda would that ends it after `time`.
    ///
    /// # Errors
    /// When it has not answered half a minute after that.
    pub async fn invoke(&self, input: Value, time: Duration) -> anyhow::Result<Answer> {
        let (answer, answered) = oneshot::channel();
        let patience = time + Duration::from_secs(30);
        self.ask.send(Ask {
            input,
            time,
            answer,
        })?;
        let answered = tokio::time::timeout(patience, answered).await;
        let answered = answered.map_err(anyhow::Error::from).and_then(|a| Ok(a?));
        answered.with_context(|| format!("no answer; it wrote:\n{}", self.said()))
    }

    /// What it wrote.
    fn said(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Runtime {
    async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let steps: Vec<&str> = path.trim_matches('/').split('/').collect();
        let answer = match steps.as_slice() {
            [_, "runtime", "invocation", "next"] => return Ok(self.next().await),
            [
                _,
                "runtime",
                "invocation",
                id,
                what @ ("response" | "error"),
            ] => {
                let body = request.into_body().collect().await;
                let body = body.map(http_body_util::Collected::to_bytes);
                let body = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
                let waits = self.open().remove(*id);
                let told = if *what == "error" {
                    Err(body)
                } else {
                    Ok(body)
                };
                // Who waits may have given up.
                let _ = waits.map(|waits| waits.send(told));
                StatusCode::ACCEPTED
            }
            _ => StatusCode::NOT_FOUND,
        };
        let mut response = Response::new(Full::default());
        *response.status_mut() = answer;
        Ok(response)
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let Some(ask) = self.asks.lock().await.recv().await else {
            // The test is over, and so is the function, soon.
            return std::future::pending().await;
        };
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let id = format!("00000000-0000-4000-8000-{number:012}");
        self.open().insert(id.clone(), ask.answer);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let deadline = now.unwrap_or_default() + ask.time;
        let response = Response::builder()
            .header("lambda-runtime-aws-request-id", id)
            .header(
                "lambda-runtime-deadline-ms",
                deadline.as_millis().to_string(),
            )
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:1:function:f",
            );
        let body = Full::from(ask.input.to_string());
        response.body(body).expect("these headers are text")
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Answer>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
