//! HTTP around the synthetic bucket and the checking queue: latency, throttling, counts.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::inbox::{Inbox, Receive};
use super::listing::{Query, page};
use super::shape::Synthetic;
use super::sqs::Arrivals;
use super::written::Written;

/// How often it is looked whether a message has come.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// When a send came, and when it was answered.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Its head was there.
    pub came: Instant,
    /// Its answer was ready.
    pub answered: Instant,
    /// Messages that were taken of it.
    pub messages: usize,
}

/// A server's bucket, queue and manners.
#[derive(Debug)]
pub struct Load {
    /// What is listed.
    pub bucket: Synthetic,
    /// How long a page takes at least.
    pub list_latency: Duration,
    /// How long a send takes at least.
    pub send_latency: Duration,
    /// More lists than this at the same time are answered 503 `SlowDown`.
    pub most_lists: u64,
    listing: AtomicU64,
    lists: AtomicU64,
    /// The most lists at the same time, and how many milliseconds behind the first list that was.
    most_at_once: AtomicU64,
    most_after: AtomicU64,
    first_list: OnceLock<Instant>,
    versions: AtomicU64,
    throttled: AtomicU64,
    arrivals: Mutex<Arrivals>,
    moments: Option<Mutex<Vec<Sent>>>,
    inbox: Mutex<Inbox>,
    written: Mutex<Written>,
    is_out: AtomicBool,
}

impl Load {
    /// The queue of notifications.
    pub fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    /// What was put into the bucket since the server runs; if there is anything, nothing else is listed.
    pub fn written(&self) -> MutexGuard<'_, Written> {
        lock(&self.written)
    }

    /// What has arrived.
    pub fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        lock(&self.arrivals)
    }

    /// From now on sends are answered 503, or again taken.
    pub fn let_sends_fail(&self, do_fail: bool) {
        self.is_out.store(do_fail, Ordering::Relaxed);
    }

    /// Refuses the events of these sequences for good.
    pub fn refuse(&mut self, sequences: Vec<u64>) {
        let arrivals = self.arrivals.get_mut();
        arrivals.unwrap_or_else(PoisonError::into_inner).refuses = sequences;
    }

    /// A server over `bucket`, without latency or limits.
    #[must_use]
    pub fn new(bucket: Synthetic) -> Self {
        Self {
            bucket,
            list_latency: Duration::ZERO,
            send_latency: Duration::ZERO,
            most_lists: u64::MAX,
            listing: AtomicU64::new(0),
            lists: AtomicU64::new(0),
            most_at_once: AtomicU64::new(0),
            most_after: AtomicU64::new(0),
            first_list: OnceLock::new(),
            versions: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            arrivals: Mutex::default(),
            moments: None,
            inbox: Mutex::default(),
            written: Mutex::default(),
            is_out: AtomicBool::new(false),
        }
    }

    /// Keeps the moments of sends, and makes their latency exact: a timer of tokio's rounds up to a millisecond,
    /// the thread that is slept in instead costs more than a bench of many sends should.
    pub fn keep_moments(&mut self) {
        self.moments = Some(Mutex::default());
    }

    /// The moments of all sends since the last time, in the order of their answers.
    #[must_use]
    pub fn take_moments(&self) -> Vec<Sent> {
        let kept = self.moments.as_ref().map(lock);
        kept.map(|mut kept| std::mem::take(&mut *kept))
            .unwrap_or_default()
    }

    /// Serves on a free port of this machine until the program ends; what it counts, and where it is.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn listen(self) -> std::io::Result<(Arc<Self>, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let load = Arc::new(self);
        tokio::spawn(Arc::clone(&load).serve(listener));
        Ok((load, endpoint))
    }

    /// Answers `listener`'s connections for ever.
    ///
    /// # Errors
    /// When a connection cannot be accepted.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> std::io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let load = Arc::clone(&self);
            tokio::spawn(async move {
                let service = service_fn(|request| load.answer(request));
                // A client that goes away is none of ours.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let query = request.uri().query().unwrap_or_default();
        Ok(match *request.method() {
            Method::GET if request.uri().path() == "/_load/stats" => self.stats(),
            Method::GET if query.split('&').any(|part| part.starts_with("versions")) => {
                self.list(&parse(query)).await
            }
            Method::GET if query.starts_with("versioning") => text(
                StatusCode::OK,
                "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            ),
            Method::POST => self.post(request).await,
            _ => text(
                StatusCode::NOT_FOUND,
                "this server lists versions and takes messages",
            ),
        })
    }

    async fn list(&self, query: &Query) -> Response<Full<Bytes>> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        let at_once = self.listing.fetch_add(1, Ordering::Relaxed) + 1;
        let first = self.first_list.get_or_init(Instant::now);
        if at_once > self.most_at_once.fetch_max(at_once, Ordering::Relaxed) {
            let after = u64::try_from(first.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.most_after.store(after, Ordering::Relaxed);
        }
        sleep_exactly(self.list_latency).await;
        self.listing.fetch_sub(1, Ordering::Relaxed);
        if at_once > self.most_lists {
            self.throttled.fetch_add(1, Ordering::Relaxed);
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
            );
        }
        let written = self.written();
        let (xml, versions) = if written.is_empty() {
            page(&self.bucket, query)
        } else {
            written.page(query)
        };
        drop(written);
        self.versions.fetch_add(versions, Ordering::Relaxed);
        text(StatusCode::OK, xml)
    }

    async fn post(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let came = Instant::now();
        let target = request.headers().get("x-amz-target");
        let action = target
            .and_then(|target| target.to_str().ok()?.strip_prefix("AmazonSQS."))
            .unwrap_or_default()
            .to_owned();
        let Ok(body) = request.into_body().collect().await else {
            return text(StatusCode::BAD_REQUEST, "the body broke off");
        };
        let body = body.to_bytes();
        match action.as_str() {
            "ReceiveMessage" => self.receive(&body).await,
            "ChangeMessageVisibilityBatch" | "DeleteMessageBatch" => {
                answered(self.inbox().answer(&action, &body))
            }
            _ => self.send(came, &action, &body).await,
        }
    }

    async fn receive(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let asked: Receive = match serde_json::from_slice(body) {
            Ok(asked) => asked,
            Err(error) => return text(StatusCode::BAD_REQUEST, error.to_string()),
        };
        let end = Instant::now() + asked.wait();
        loop {
            let found = self.inbox().receive(asked);
            match found {
                Some(answer) => return text(StatusCode::OK, answer),
                None if Instant::now() >= end => return text(StatusCode::OK, "{}"),
                None => sleep(LOOK_AGAIN).await,
            }
        }
    }

    async fn send(&self, came: Instant, action: &str, body: &[u8]) -> Response<Full<Bytes>> {
        if self.moments.is_none() {
            sleep_exactly(self.send_latency).await;
        } else if let Some(left) = self.send_latency.checked_sub(came.elapsed()) {
            // A task that panics sleeps no less.
            let _ = spawn_blocking(move || std::thread::sleep(left)).await;
        }
        if self.is_out.load(Ordering::Relaxed) && action != "GetQueueAttributes" {
            let code = r#"{"__type":"com.amazonaws.sqs#ServiceUnavailable"}"#;
            return text(StatusCode::SERVICE_UNAVAILABLE, code);
        }
        let mut arrivals = lock(&self.arrivals);
        let before = arrivals.messages;
        let answer = arrivals.answer(action, body);
        if let (Ok(Some(_)), Some(kept)) = (&answer, &self.moments) {
            lock(kept).push(Sent {
                came,
                answered: Instant::now(),
                messages: usize::try_from(arrivals.messages - before).unwrap_or(0),
            });
        }
        answered(answer)
    }

    fn stats(&self) -> Response<Full<Bytes>> {
        let arrivals = lock(&self.arrivals);
        let stats = json!({
            "lists": self.lists.load(Ordering::Relaxed),
            "mostAtOnce": self.most_at_once.load(Ordering::Relaxed),
            "mostAfterMs": self.most_after.load(Ordering::Relaxed),
            "versions": self.versions.load(Ordering::Relaxed),
            "throttled": self.throttled.load(Ordering::Relaxed),
            "sends": arrivals.requests,
            "messages": arrivals.messages,
            "distinct": arrivals.distinct,
            "outOfOrder": arrivals.out_of_order,
            "badRequests": arrivals.bad_requests,
        });
        text(StatusCode::OK, stats.to_string())
    }
}

/// What an action is answered with.
fn answered(answer: Result<Option<String>, serde_json::Error>) -> Response<Full<Bytes>> {
    match answer {
        Ok(Some(answer)) => text(StatusCode::OK, answer),
        Ok(None) => text(StatusCode::NOT_FOUND, "unknown action"),
        Err(error) => text(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Without latency there is no timer either.
async fn sleep_exactly(latency: Duration) {
    if !latency.is_zero() {
        sleep(latency).await;
    }
}

fn parse(query: &str) -> Query {
    let fields: HashMap<&str, String> = query
        .split('&')
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name, decoded(value)))
        .collect();
    let text = |name: &str| fields.get(name).filter(|value| !value.is_empty()).cloned();
    Query {
        prefix: text("prefix").unwrap_or_default(),
        key_marker: text("key-marker"),
        version_id_marker: text("version-id-marker"),
        max_keys: text("max-keys")
            .and_then(|n| n.parse().ok())
            .map_or(1000, |n: u64| n.min(1000)),
        url_encoded: text("encoding-type").as_deref() == Some("url"),
    }
}

fn decoded(value: &str) -> String {
    percent_decode_str(&value.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}
