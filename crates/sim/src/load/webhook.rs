//! Who hands notifications over by HTTP, as `MinIO` does with a `queue_dir`: each is sent again until it is taken.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{sleep, timeout};

/// Between two attempts.
/// Source: `MinIO`, `internal/store/store.go`, `retryInterval`.
const PAUSE: Duration = Duration::from_secs(3);

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// A webhook's client, with connections that are kept.
#[derive(Debug, Clone)]
pub struct Webhook {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    token: String,
}

impl Webhook {
    /// One that posts to `url` with `token`.
    #[must_use]
    pub fn new(url: String, token: String) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url,
            token,
        }
    }

    /// Hands a notification over, however often that takes; answers how often it was not taken.
    pub async fn hand_over(&self, notification: &Bytes) -> u64 {
        let mut refusals = 0;
        while !self.is_taken(notification).await {
            refusals += 1;
            sleep(PAUSE).await;
        }
        refusals
    }

    async fn is_taken(&self, notification: &Bytes) -> bool {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(notification.clone()));
        let Ok(request) = request else { return false };
        let answer = async {
            let answer = self.client.request(request).await.ok()?;
            let is_taken = answer.status().is_success();
            // Read to its end, or the connection cannot be used again.
            answer.into_body().collect().await.ok()?;
            Some(is_taken)
        };
        timeout(PATIENCE, answer).await.ok().flatten() == Some(true)
    }
}
