//! What a service answers: a document, or a refusal.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bridge_core::failure::FailureKind;
use bridge_core::text::{MOST_SHOWN, shown};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde::Deserialize;

use crate::request_error::{RequestError, is_too_long, sources};
use crate::signed::xml::texts;

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `Date`: the service's clock.
    pub(super) date: Option<String>,
    /// `x-amzn-query-error`: `CODE;Sender` or `CODE;Receiver`.
    query_error: Option<String>,
    /// `x-amzn-errortype`.
    error_type: Option<String>,
    /// `Location`, of a redirection.
    location: Option<String>,
    body: Bytes,
}

/// A service's refusal.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) RequestError);

/// Why it refuses, in its body; nothing where the body does not tell.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reason {
    #[serde(rename = "__type")]
    code: Option<String>,
    #[serde(alias = "Message", alias = "errorMessage")]
    message: Option<String>,
}

impl Reason {
    /// Of a service that speaks JSON.
    pub(super) fn of_json(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Of S3.
    /// Source: Amazon S3 API Reference, "Error responses".
    pub(super) fn of_xml(body: &[u8]) -> Self {
        let [code, message] = texts(body, "Error", ["Code", "Message"]).unwrap_or_default();
        Self { code, message }
    }
}

impl Answer {
    /// Reads it to its end.
    pub(super) async fn of(
        response: Result<HttpResponse, ConnectorError>,
    ) -> Result<Self, RequestError> {
        let mut response = response.map_err(|error| failed("ConnectionFailed", &error))?;
        let status = response.status().as_u16();
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        let body = match body.bytes() {
            Some(bytes) => Bytes::copy_from_slice(bytes),
            None => match body.collect().await {
                Ok(collected) => collected.to_bytes(),
                Err(error) => return Err(failed("ConnectionFailed", &*error)),
            },
        };
        let headers = response.headers();
        let is_refusal = !(200..300).contains(&status);
        let header = |name: &str| {
            let value = headers.get(name).filter(|_| is_refusal);
            value.map(ToOwned::to_owned)
        };
        Ok(Self {
            status,
            date: header("date"),
            query_error: header("x-amzn-query-error"),
            error_type: header("x-amzn-errortype"),
            location: header("location"),
            body,
        })
    }

    /// The document, or why there is none, which `reason` reads.
    pub(super) fn document(&self, reason: fn(&[u8]) -> Reason) -> Result<Bytes, Refusal> {
        if (200..300).contains(&self.status) {
            return Ok(self.body.clone());
        }
        let reason = reason(&self.body);
        let of_query = self
            .query_error
            .as_deref()
            .and_then(|e| e.split(';').next());
        let code = of_query.or_else(|| {
            let told = self.error_type.as_deref().or(reason.code.as_deref());
            told.map(plain)
        });
        let to = self
            .location
            .as_ref()
            .filter(|_| (300..400).contains(&self.status));
        let to = to.map(|to| format!("redirected to {}: not followed", shown(to, MOST_SHOWN)));
        let message = reason.message.or(to);
        let error = RequestError::of_service(code, message.as_deref(), self.status);
        Err(Refusal(error))
    }
}

impl Refusal {
    /// Whether other credentials may be taken.
    pub(super) fn is_of_credentials(&self) -> bool {
        let code = &self.0.code;
        code.contains("ExpiredToken") || code.contains("UnrecognizedClient")
    }

    /// Whether a wrong time may be the reason; a signature with one is none.
    /// Source: the SDKs' lists, AWS SDKs and Tools Reference Guide, "Retry behavior".
    pub(super) fn is_of_time(&self) -> bool {
        let of_time = [
            "RequestTimeTooSkewed",
            "RequestExpired",
            "RequestInTheFuture",
            "InvalidSignatureException",
            "InvalidSignature",
            "SignatureDoesNotMatch",
            "AuthFailure",
        ];
        let code = self.0.code.rsplit('.').next().unwrap_or_default();
        of_time.contains(&code)
    }
}

/// A document of the shape that the operation answers with.
///
/// # Errors
/// When it is not.
pub(super) fn parse<'a, T: Deserialize<'a>>(document: &'a [u8]) -> Result<T, RequestError> {
    serde_json::from_slice(document).map_err(|error| failed("BadResponse", &error))
}

/// What no other attempt will make better.
pub(super) fn not_sent(error: &(dyn std::error::Error + 'static)) -> RequestError {
    RequestError {
        code: "NotSent".to_owned(),
        message: sources(error),
        kind: FailureKind::Permanent,
    }
}

/// Without a refusal of the service: it may or may not have acted.
pub(super) fn failed(code: &str, error: &(dyn std::error::Error + 'static)) -> RequestError {
    let code = if is_too_long(error) {
        "AnswerTooLong"
    } else {
        code
    };
    RequestError {
        code: code.to_owned(),
        message: shown(&sources(error), MOST_SHOWN),
        kind: FailureKind::Transient,
    }
}

/// A code without the namespace before it and the address behind it.
/// Source: Smithy 2.0, "AWS JSON 1.0 protocol", "Operation error serialization".
fn plain(code: &str) -> &str {
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    code.split(':').next().unwrap_or_default()
}
