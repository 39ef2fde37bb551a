//! A small client for services that speak AWS's JSON protocol, past the SDK's orchestrator: AWS's own signer,
//! credentials, endpoint rules and HTTP client, and little between them (docs/decisions/0027).
//!
//! - [`service`]: which service, and how it wants to be spoken to
//! - `endpoint`: where it is
//! - `credentials`: kept and renewed
//! - `skew`: how far this machine's clock is off
//! - `answer`: what it answers, and its refusals
//! - [`queue`]: port `Queue` by it

mod answer;
mod credentials;
mod endpoint;
pub mod queue;
pub mod service;
mod skew;

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bridge_core::failure::FailureKind;
use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::request_error::RequestError;
use crate::sdk::REQUEST_TIMEOUT;
use crate::signed::answer::{Answer, Refusal, not_sent};
use crate::signed::credentials::Credentials;
use crate::signed::endpoint::Endpoint;
use crate::signed::service::Service;
use crate::signed::skew::Skew;

/// Calls one service.
#[derive(Debug)]
pub struct ServiceClient {
    service: Service,
    endpoint: Endpoint,
    credentials: Credentials,
    skew: Skew,
    clock: SharedTimeSource,
    http: SharedHttpConnector,
    /// Held while a connection is opened ahead: a call in the meantime waits for that one.
    preparing: Mutex<()>,
}

/// How long a call waits for the connection that is opened ahead, before it opens one of its own.
const PATIENCE: Duration = Duration::from_millis(200);

impl ServiceClient {
    /// A client of `service` with the region, credentials, endpoints and clock of `config`, which talks by `http`:
    /// its answers must be bounded. Nothing is looked up yet, and what is missing is told by the first call.
    #[must_use]
    pub fn new(service: Service, config: &SdkConfig, http: SharedHttpConnector) -> Self {
        Self {
            endpoint: Endpoint::new(&service, config),
            credentials: Credentials::new(config.credentials_provider()),
            skew: Skew::default(),
            clock: config.time_source().unwrap_or_default(),
            service,
            http,
            preparing: Mutex::default(),
        }
    }

    /// Finds endpoint and credentials and opens a connection, so that the first call finds them ready. What
    /// fails is left to that call.
    pub async fn prepare(&self) {
        let _preparing = self.preparing.lock().await;
        let opened = async {
            let (credentials, endpoint) =
                futures_util::join!(self.credentials.get(&self.clock), self.endpoint.get());
            credentials?;
            // AWS's load balancers answer this without a signature; others refuse it, on a connection too.
            let ping = format!("{}/ping", endpoint?.trim_end_matches('/'));
            let request = HttpRequest::get(ping).map_err(|error| not_sent(&error))?;
            let http = self.http.clone();
            // The first call reads the machine's certificates, for a millisecond or more.
            let response = spawn_blocking(move || http.call(request)).await;
            let response = response.map_err(|error| not_sent(&error))?.await;
            Answer::of(response).await
        };
        match timeout(REQUEST_TIMEOUT, opened).await {
            Ok(Ok(answer)) => tracing::debug!(status = answer.status, "connected"),
            Ok(Err(error)) => tracing::debug!(%error, "not connected yet"),
            Err(_) => tracing::debug!("not connected in time"),
        }
    }

    /// Calls `operation` with a JSON document, and gives the JSON document that it answers. It takes
    /// [`REQUEST_TIMEOUT`] at most, and nothing is repeated but what was refused for this machine's clock.
    ///
    /// # Errors
    /// [`RequestError`], as the SDK's errors are read.
    pub async fn call(&self, operation: &str, body: Bytes) -> Result<Bytes, RequestError> {
        let called = timeout(REQUEST_TIMEOUT, self.call_in_time(operation, body));
        called.await.unwrap_or_else(|_| {
            Err(RequestError {
                code: "RequestTimeout".to_owned(),
                message: format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()),
                kind: FailureKind::Transient,
            })
        })
    }

    async fn call_in_time(&self, operation: &str, body: Bytes) -> Result<Bytes, RequestError> {
        // A second handshake beside the first would make both late.
        drop(timeout(PATIENCE, self.preparing.lock()).await);
        let mut refused_for_time = false;
        loop {
            let identity = self.credentials.get(&self.clock).await?;
            let signed_at = self.skew.corrected(self.clock.now());
            let request = self.request(operation, body.clone(), &identity, signed_at);
            let answer = self.exchange(request.await?).await?;
            let refusal = match answer.document() {
                Ok(document) => return Ok(document),
                Err(refusal) => refusal,
            };
            if refusal.is_of_credentials() {
                self.credentials.forget(&identity);
            }
            let now = self.clock.now();
            // Refused before anything was looked at: to send it again repeats nothing.
            if refused_for_time || !self.skew.learn(&refusal, &answer, signed_at, now) {
                return Err(refusal.into());
            }
            refused_for_time = true;
        }
    }

    /// A signed request.
    async fn request(
        &self,
        operation: &str,
        body: Bytes,
        identity: &Identity,
        time: SystemTime,
    ) -> Result<HttpRequest, RequestError> {
        let endpoint = self.endpoint.get().await?;
        let region = self.endpoint.region()?;
        let target = format!("{}.{operation}", self.service.target);
        let content_type = self.service.content_type;
        let host = host_of(endpoint);
        let query_mode = self.service.has_query_codes.then_some("true");
        let told = [
            ("content-type", content_type),
            ("host", host),
            ("x-amz-target", target.as_str()),
        ];
        let told = told
            .into_iter()
            .chain(query_mode.map(|mode| ("x-amzn-query-mode", mode)));
        let signable = SignableRequest::new("POST", endpoint, told, SignableBody::Bytes(&body))
            .map_err(|error| not_sent(&error))?;
        let parameters = v4::SigningParams::builder()
            .identity(identity)
            .region(region)
            .name(self.service.signing_name)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| not_sent(&error))?
            .into();
        let (signature, _) = sign(signable, &parameters)
            .map_err(|error| not_sent(&error))?
            .into_parts();
        let length = body.len().to_string();
        let mut request = HttpRequest::new(SdkBody::from(body));
        let refused = request
            .set_method("POST")
            .and_then(|()| request.set_uri(endpoint));
        refused.map_err(|error| not_sent(&error))?;
        let headers = request.headers_mut();
        headers.insert("content-type", content_type);
        headers.insert("content-length", length);
        headers.insert("user-agent", USER_AGENT);
        if let Some(mode) = query_mode {
            headers.insert("x-amzn-query-mode", mode);
        }
        for (name, value) in [("host", host.to_owned()), ("x-amz-target", target)] {
            headers
                .try_insert(name, value)
                .map_err(|error| not_sent(&error))?;
        }
        let (signed, _) = signature.into_parts();
        for header in signed {
            headers
                .try_insert(header.name(), header.value().to_owned())
                .map_err(|error| not_sent(&error))?;
        }
        Ok(request)
    }

    /// One request, and its whole answer.
    async fn exchange(&self, request: HttpRequest) -> Result<Answer, RequestError> {
        Answer::of(self.http.call(request).await).await
    }
}

const USER_AGENT: &str = concat!("s3-sqs-bridge/", env!("CARGO_PKG_VERSION"));

/// Host and port of a URL, as the request will name it.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

impl From<Refusal> for RequestError {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}
