//! Answers are read up to a bound, whatever reads them.
//!
//! A server, or whoever answers in its place, may send without end: the SDK would collect it all
//! before it looks at it.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// An answer that has more bytes than any answer to its request can have.
#[derive(Debug, Clone, Copy)]
pub struct TooLong {
    /// What was read at most.
    pub most: usize,
}

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the answer has more than {} bytes, as no answer to this request should: it was not read on",
            self.most
        )
    }
}

impl std::error::Error for TooLong {}

/// `inner`, with answers of at most `most` bytes each. Around one that is bounded already, the lesser bound
/// holds.
#[must_use]
pub fn bounded(inner: SharedHttpClient, most: usize) -> SharedHttpClient {
    SharedHttpClient::new(Bounded { inner, most })
}

/// As [`bounded`], of a connector.
#[must_use]
pub fn bounded_connector(inner: SharedHttpConnector, most: usize) -> SharedHttpConnector {
    SharedHttpConnector::new(Bounded { inner, most })
}

#[derive(Debug)]
struct Bounded<T> {
    inner: T,
    most: usize,
}

impl HttpClient for Bounded<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Bounded {
            inner: self.inner.http_connector(settings, components),
            most: self.most,
        })
    }
}

impl HttpConnector for Bounded<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.inner.call(request);
        let most = self.most;
        HttpConnectorFuture::new(async move {
            let mut response = answer.await?;
            let announced = response.headers().get("content-length");
            if announced.is_some_and(|length| length.parse().is_ok_and(|bytes: usize| bytes > most))
            {
                return Err(ConnectorError::io(TooLong { most }.into()));
            }
            let body = std::mem::replace(response.body_mut(), SdkBody::taken());
            let body = Limited::new(body, most).map_err(move |error| {
                if error.is::<LengthLimitError>() {
                    TooLong { most }.into()
                } else {
                    error
                }
            });
            *response.body_mut() = SdkBody::from_body_1_x(body);
            Ok(response)
        })
    }
}
