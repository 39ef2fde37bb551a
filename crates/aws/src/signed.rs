//! A small client for AWS's services, past the SDK's orchestrator: AWS's own signer, credentials and endpoint rules,
//! and little between them (docs/decisions/0027).
//!
//! - [`ServiceClient`]: of services that speak AWS's JSON protocols; [`service`]: which, and how each wants to be
//!   spoken to
//! - [`s3`]: of S3's reads
//! - `transport`: one request, signed and answered
//! - `endpoint`: where a service is
//! - `credentials`: kept and renewed
//! - `skew`: how far this machine's clock is off
//! - `answer`: what a service answers, and its refusals; `xml`: in S3's documents
//! - [`queue`]: port `Queue`; [`bucket`]: ports `Lister` and `Versioned`; `table`: what the live table's ports
//!   share

mod answer;
pub mod bucket;
mod credentials;
mod endpoint;
pub mod queue;
pub mod s3;
pub mod service;
mod skew;
pub(crate) mod table;
mod transport;
mod xml;

use std::borrow::Cow;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sigv4::http_request::SigningSettings;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use bytes::Bytes;
use tokio::sync::Mutex;

use crate::request_error::RequestError;
use crate::signed::answer::Reason;
use crate::signed::endpoint::Endpoint;
use crate::signed::service::Service;
use crate::signed::transport::{Transport, Unsigned, in_time};

/// Calls one service.
#[derive(Debug)]
pub struct ServiceClient {
    service: Service,
    endpoint: Endpoint,
    transport: Transport,
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
        let settings = SigningSettings::default();
        Self {
            endpoint: Endpoint::new(&service, config),
            transport: Transport::new(service.signing_name, settings, config, http),
            service,
            preparing: Mutex::default(),
        }
    }

    /// Finds endpoint and credentials and opens a connection, so that the first call finds them ready. What
    /// fails is left to that call.
    pub async fn prepare(&self) {
        let _preparing = self.preparing.lock().await;
        let opened = async {
            let endpoint = self.endpoint.get().await?;
            // AWS's load balancers answer this without a signature; others refuse it, on a connection too.
            let ping = format!("{}/ping", endpoint.trim_end_matches('/'));
            self.transport.open(ping).await
        };
        match in_time(opened).await {
            Ok(answer) => tracing::debug!(status = answer.status, "connected"),
            Err(error) => tracing::debug!(%error, "not connected yet"),
        }
    }

    /// Calls `operation` with a JSON document, and gives the JSON document that it answers. It takes
    /// [`crate::sdk::REQUEST_TIMEOUT`] at most, and nothing is repeated but what was refused for this machine's
    /// clock.
    ///
    /// # Errors
    /// [`RequestError`], as the SDK's errors are read.
    pub async fn call(&self, operation: &str, body: Bytes) -> Result<Bytes, RequestError> {
        in_time(async {
            // A second handshake beside the first would make both late.
            drop(tokio::time::timeout(PATIENCE, self.preparing.lock()).await);
            let target = format!("{}.{operation}", self.service.target);
            let mut headers = vec![
                ("content-type", Cow::Borrowed(self.service.content_type)),
                ("x-amz-target", Cow::Owned(target)),
            ];
            if self.service.has_query_codes {
                headers.push(("x-amzn-query-mode", Cow::Borrowed("true")));
            }
            let request = Unsigned {
                method: "POST",
                url: self.endpoint.get().await?,
                headers,
                body,
            };
            self.transport.exchange(&request, Reason::of_json).await
        })
        .await
    }

    /// The JSON document at a path of a service whose paths name what is asked for. `path` has no `/` in front, and nothing
    /// in it that would have to be escaped. Its time and repeats are those of [`Self::call`].
    ///
    /// # Errors
    /// [`RequestError`], as the SDK's errors are read.
    pub async fn get(&self, path: &str) -> Result<Bytes, RequestError> {
        in_time(async {
            let endpoint = self.endpoint.get().await?.trim_end_matches('/');
            let request = Unsigned {
                method: "GET",
                url: &format!("{endpoint}/{path}"),
                headers: Vec::new(),
                body: Bytes::new(),
            };
            self.transport.exchange(&request, Reason::of_json).await
        })
        .await
    }
}
