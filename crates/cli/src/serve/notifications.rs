//! Notifications by HTTP: what `MinIO` sends to a webhook, and every other form that is understood from a queue. An
//! answer of 200 says that all of it is in the queue of events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use bridge_core::notification::parse_body;
use bridge_core::realtime::error::ForwardError;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use metrics::counter;
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::serve::answer::{document, refused};
use crate::serve::memory::{Loan, Memory};
use crate::serve::token::Token;
use crate::serve::work::Work;

/// Bytes of a request, at most: what an SQS message may hold.
const MOST_BODY: usize = 1024 * 1024;

/// Bytes of a body that is read though its request is refused, at most.
const MOST_DROPPED: usize = 16 * MOST_BODY;

/// How long a body may take to arrive.
pub(crate) const BODY: Duration = Duration::from_secs(10);

/// How long a request may wait for its turn.
const TURN: Duration = Duration::from_secs(5);

/// Bytes of requests that are not forwarded yet, about.
const MEMORY: usize = 64 * 1024 * 1024;

/// Where notifications come in.
pub(crate) struct Door {
    token: Option<Token>,
    work: Arc<Work>,
    memory: Memory,
    /// What was taken, to its end.
    taken: TaskTracker,
    stop: CancellationToken,
}

/// Why a request is not taken.
type Refused = (StatusCode, String);

impl Door {
    /// Lets in who knows `token`, and nobody without one.
    pub(crate) fn new(
        token: Option<Token>,
        work: Arc<Work>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            token,
            work,
            memory: Memory::new(MEMORY),
            taken: tasks,
            stop,
        })
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Refused> {
        match &self.token {
            None => Err((
                StatusCode::FORBIDDEN,
                "notifications are not taken by HTTP: NOTIFICATIONS_TOKEN is not set".to_owned(),
            )),
            Some(token) if token.is_in(headers) => Ok(()),
            Some(_) => Err((
                StatusCode::UNAUTHORIZED,
                "send the token of NOTIFICATIONS_TOKEN as Authorization: Bearer TOKEN".to_owned(),
            )),
        }
    }

    /// Whether a request may come in, and there is room for it.
    fn admit(&self, headers: &HeaderMap) -> Result<Loan, Refused> {
        self.check_token(headers)?;
        if self.stop.is_cancelled() {
            let ending = "the program is ending: ask again".to_owned();
            return Err((StatusCode::SERVICE_UNAVAILABLE, ending));
        }
        let announced = announced(headers);
        if announced > MOST_BODY {
            return Err(too_large());
        }
        self.memory.try_borrow(1, announced).ok_or_else(|| {
            let full = "too much is waiting to be forwarded: ask again".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, full)
        })
    }

    /// Takes a request's body. That of one who is refused is read, too, and dropped: who is still writing it would
    /// not read the answer.
    async fn take(&self, request: Request<Body>) -> Result<(Bytes, Loan), Refused> {
        let (head, body) = request.into_parts();
        let mut loan = match self.admit(&head.headers) {
            Ok(loan) => loan,
            Err(refusal) => {
                drop_body(body).await;
                return Err(refusal);
            }
        };
        let body = Limited::new(body, MOST_BODY).collect();
        let body = timeout(BODY, body).await.map_err(|_| {
            let late = format!("the body did not arrive within {} s", BODY.as_secs());
            (StatusCode::REQUEST_TIMEOUT, late)
        })?;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                too_large()
            } else {
                (StatusCode::BAD_REQUEST, format!("the body: {error}"))
            }
        })?;
        let body = body.to_bytes();
        loan.shrink(1, body.len());
        Ok((body, loan))
    }
}

/// Reads a body to its end and keeps nothing, unless it is far too long or too slow.
async fn drop_body(body: Body) {
    let mut body = Limited::new(body, MOST_DROPPED);
    let read = async { while let Some(Ok(_)) = body.frame().await {} };
    // Who is slower than that may lose the answer.
    let _ = timeout(BODY, read).await;
}

fn too_large() -> Refused {
    let reason = format!("a request holds {MOST_BODY} bytes at most");
    (StatusCode::PAYLOAD_TOO_LARGE, reason)
}

/// Bytes of the body, as many as there may be where nobody says how many.
fn announced(headers: &HeaderMap) -> usize {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|text| text.to_str().ok()?.parse().ok());
    length.unwrap_or(MOST_BODY)
}

/// `MinIO` asks so whether somebody is there.
pub(crate) async fn head(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response<Body> {
    match door.check_token(&headers) {
        Ok(()) => Response::new(Body::empty()),
        Err((status, reason)) => refused(status, &reason),
    }
}

/// Forwards a notification.
pub(crate) async fn post(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    let (body, loan) = match door.take(request).await {
        Ok(taken) => taken,
        Err((status, reason)) => {
            counter!("RequestsRefused", "Status" => status.as_str().to_owned()).increment(1);
            return refused(status, &reason);
        }
    };
    counter!("NotificationsTaken", "Source" => "http").increment(1);
    // To its end, also when nobody waits for the answer any more.
    let forwarding = Arc::clone(&door);
    let work = door.taken.spawn(async move {
        let answer = forward(&forwarding.work, &body).await;
        drop(loan);
        answer
    });
    let (status, answer) = work
        .await
        .unwrap_or_else(|error| (StatusCode::INTERNAL_SERVER_ERROR, Err(error.to_string())));
    match answer {
        Ok(answer) => document(status, &answer),
        Err(reason) => {
            counter!("NotificationsFailed", "Source" => "http").increment(1);
            refused(status, &reason)
        }
    }
}

async fn forward(work: &Work, body: &[u8]) -> (StatusCode, Result<serde_json::Value, String>) {
    let notification = match parse_body(body) {
        Ok(notification) => notification,
        Err(error) => {
            let reason = error.to_string();
            tracing::error!(reason, "a request that is no notification");
            counter!("RecordsUnreadable").increment(1);
            return (StatusCode::BAD_REQUEST, Err(reason));
        }
    };
    match work.document(notification, TURN).await {
        None => {
            let busy = "too much is being forwarded: ask again".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, Err(busy))
        }
        Some(Ok(done)) => {
            let answer = json!({
                "forwarded": done.sent, "skipped": done.skipped, "retried": done.retried, "late": done.late,
            });
            (StatusCode::OK, Ok(answer))
        }
        Some(Err(error)) => (status_of(&error), Err(error.to_string())),
    }
}

/// Whether it is worth sending the same again.
fn status_of(error: &ForwardError) -> StatusCode {
    match error {
        ForwardError::Undelivered { undelivered: 0, .. } => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}
