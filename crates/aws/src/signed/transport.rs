//! One request, signed, sent and answered: what all services have in common.

use std::borrow::Cow;
use std::time::SystemTime;

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
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::request_error::RequestError;
use crate::sdk::REQUEST_TIMEOUT;
use crate::signed::answer::{Answer, Reason, not_sent};
use crate::signed::credentials::Credentials;
use crate::signed::skew::Skew;

const USER_AGENT: &str = concat!("s3-sqs-bridge/", env!("CARGO_PKG_VERSION"));

/// Signs, sends, and reads answers.
#[derive(Debug)]
pub(super) struct Transport {
    /// What signatures are for: `sqs`, `dynamodb`, `s3`.
    signing_name: &'static str,
    settings: SigningSettings,
    region: Option<String>,
    credentials: Credentials,
    skew: Skew,
    clock: SharedTimeSource,
    http: SharedHttpConnector,
}

/// A request before it is signed.
#[derive(Debug)]
pub(super) struct Unsigned<'a> {
    pub(super) method: &'static str,
    /// With a path.
    pub(super) url: &'a str,
    /// What is signed besides the host, the body and the time.
    pub(super) headers: Vec<(&'static str, Cow<'static, str>)>,
    pub(super) body: Bytes,
}

impl Transport {
    pub(super) fn new(
        signing_name: &'static str,
        settings: SigningSettings,
        config: &SdkConfig,
        http: SharedHttpConnector,
    ) -> Self {
        Self {
            signing_name,
            settings,
            region: config.region().map(ToString::to_string),
            credentials: Credentials::new(config.credentials_provider()),
            skew: Skew::default(),
            clock: config.time_source().unwrap_or_default(),
            http,
        }
    }

    /// Opens a connection to `url`, an address that does not ask for a signature, and finds credentials.
    pub(super) async fn open(&self, url: String) -> Result<Answer, RequestError> {
        self.credentials.get(&self.clock).await?;
        let request = HttpRequest::get(url).map_err(|error| not_sent(&error))?;
        let http = self.http.clone();
        // The first call reads the machine's certificates, for a millisecond or more.
        let response = spawn_blocking(move || http.call(request)).await;
        let response = response.map_err(|error| not_sent(&error))?.await;
        Answer::of(response).await
    }

    /// Sends a request, and gives the document that is answered; `reason` reads why there is none. Nothing is
    /// repeated but what was refused for this machine's clock.
    pub(super) async fn exchange(
        &self,
        unsigned: &Unsigned<'_>,
        reason: fn(&[u8]) -> Reason,
    ) -> Result<Bytes, RequestError> {
        let mut refused_for_time = false;
        loop {
            let identity = self.credentials.get(&self.clock).await?;
            let signed_at = self.skew.corrected(self.clock.now());
            let request = self.sign(unsigned, &identity, signed_at)?;
            let answer = Answer::of(self.http.call(request).await).await?;
            let refusal = match answer.document(reason) {
                Ok(document) => return Ok(document),
                Err(refusal) => refusal,
            };
            if refusal.is_of_credentials() {
                self.credentials.forget(&identity);
            }
            let now = self.clock.now();
            // Refused before anything was looked at: to send it again repeats nothing.
            if refused_for_time || !self.skew.learn(&refusal, &answer, signed_at, now) {
                return Err(refusal.0);
            }
            refused_for_time = true;
        }
    }

    fn sign(
        &self,
        unsigned: &Unsigned<'_>,
        identity: &Identity,
        time: SystemTime,
    ) -> Result<HttpRequest, RequestError> {
        let region = self.region.as_deref().ok_or_else(|| not_sent(&NoRegion))?;
        let Unsigned { method, url, .. } = *unsigned;
        let host = host_of(url);
        let told = unsigned.headers.iter();
        let told = told.map(|(name, value)| (*name, &**value));
        let told = std::iter::once(("host", host)).chain(told);
        let signable = SignableRequest::new(method, url, told, SignableBody::Bytes(&unsigned.body))
            .map_err(|error| not_sent(&error))?;
        let parameters = v4::SigningParams::builder()
            .identity(identity)
            .region(region)
            .name(self.signing_name)
            .time(time)
            .settings(self.settings.clone())
            .build()
            .map_err(|error| not_sent(&error))?
            .into();
        let (signature, _) = sign(signable, &parameters)
            .map_err(|error| not_sent(&error))?
            .into_parts();
        let mut request = HttpRequest::new(SdkBody::from(unsigned.body.clone()));
        let refused = request
            .set_method(method)
            .and_then(|()| request.set_uri(url));
        refused.map_err(|error| not_sent(&error))?;
        let headers = request.headers_mut();
        headers.insert("user-agent", USER_AGENT);
        if method != "GET" {
            headers.insert("content-length", unsigned.body.len().to_string());
        }
        let (signed, _) = signature.into_parts();
        let signed = signed.into_iter().map(|header| {
            let value = Cow::Owned(header.value().to_owned());
            (header.name(), value)
        });
        let told = unsigned.headers.iter().cloned();
        let host = std::iter::once(("host", Cow::Owned(host.to_owned())));
        for (name, value) in host.chain(told).chain(signed) {
            headers
                .try_insert(name, value)
                .map_err(|error| not_sent(&error))?;
        }
        Ok(request)
    }
}

/// What `call` comes to in [`REQUEST_TIMEOUT`].
pub(super) async fn in_time<T>(
    call: impl Future<Output = Result<T, RequestError>>,
) -> Result<T, RequestError> {
    timeout(REQUEST_TIMEOUT, call).await.unwrap_or_else(|_| {
        Err(RequestError {
            code: "RequestTimeout".to_owned(),
            message: format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()),
            kind: FailureKind::Transient,
        })
    })
}

/// Host and port of a URL, as the request will name it.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// Nothing tells where to send to.
#[derive(Debug, thiserror::Error)]
#[error("no region: set AWS_REGION")]
struct NoRegion;
