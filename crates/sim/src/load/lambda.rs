//! Lambda's Runtime API around one process, with the moments of what it asks and answers.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// What an invocation may take, as this server tells the function.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What the function said, and when.
#[derive(Debug)]
pub enum Said {
    /// It asks for an invocation.
    Next(Instant),
    /// An invocation was handed out.
    Handed(Instant),
    /// It answers the invocation.
    Response(Instant, Bytes),
    /// The invocation failed, or the function could not start.
    Error(Instant, Bytes),
}

/// The Runtime API of one process: invocations go in, what the process says comes out.
#[derive(Debug)]
pub struct RuntimeApi {
    address: String,
    invocations: mpsc::Sender<Bytes>,
    said: mpsc::Receiver<Said>,
}

/// What the connections of one process share.
struct Shared {
    invocations: Mutex<mpsc::Receiver<Bytes>>,
    said: mpsc::Sender<Said>,
}

impl RuntimeApi {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is none.
    pub async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (invocations, waiting) = mpsc::channel(1);
        let (told, said) = mpsc::channel(16);
        let shared = Arc::new(Shared {
            invocations: Mutex::new(waiting),
            said: told,
        });
        tokio::spawn(serve(listener, shared));
        Ok(Self {
            address,
            invocations,
            said,
        })
    }

    /// `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next thing that the function says.
    ///
    /// # Errors
    /// When it says nothing for half a minute.
    pub async fn said(&mut self) -> io::Result<Said> {
        let silent = || io::Error::other("the function keeps silent");
        let said = tokio::time::timeout(Duration::from_secs(30), self.said.recv()).await;
        said.ok().flatten().ok_or_else(silent)
    }

    /// Waits until the function asks for an invocation.
    ///
    /// # Errors
    /// When it does not, but fails.
    pub async fn asked(&mut self) -> io::Result<Instant> {
        match self.said().await? {
            Said::Next(at) => Ok(at),
            other => Err(io::Error::other(format!("instead of asking: {other:?}"))),
        }
    }

    /// Has the function handle `input`, which it must have asked for. Tells when it was handed out, when it was
    /// answered, and the answer.
    ///
    /// # Errors
    /// When it fails.
    pub async fn invoke(&mut self, input: Bytes) -> io::Result<(Instant, Instant, Bytes)> {
        let gone = |_| io::Error::other("the server is gone");
        self.invocations.send(input).await.map_err(gone)?;
        match (self.said().await?, self.said().await?) {
            (Said::Handed(begin), Said::Response(end, answer)) => Ok((begin, end, answer)),
            other => Err(io::Error::other(format!("instead of an answer: {other:?}"))),
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&shared, request));
            // A function that goes away is none of ours.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET && path.ends_with("/invocation/next") {
        return Ok(next(shared).await);
    }
    let body = request.into_body().collect().await;
    let body = body.map(http_body_util::Collected::to_bytes);
    let body = body.unwrap_or_default();
    let said = if path.ends_with("/response") {
        Said::Response(Instant::now(), body)
    } else {
        Said::Error(Instant::now(), body)
    };
    // Nobody listens when the run is over.
    let _ = shared.said.send(said).await;
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"status\":\"OK\"}")));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    let _ = shared.said.send(Said::Next(Instant::now())).await;
    let input = shared.invocations.lock().await.recv().await;
    let deadline = SystemTime::now() + TIMEOUT;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
    let response = Response::builder()
        .header("lambda-runtime-aws-request-id", request_id())
        .header(
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        )
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:realtime",
        )
        .header(
            "lambda-runtime-trace-id",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
        )
        .header("content-type", "application/json")
        .body(Full::new(input.unwrap_or_default()));
    let _ = shared.said.send(Said::Handed(Instant::now())).await;
    response.unwrap_or_default()
}

/// In the form of a UUID.
fn request_id() -> String {
    let random = fastrand::u128(..);
    let hex = format!("{random:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}
