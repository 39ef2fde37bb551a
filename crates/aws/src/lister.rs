//! Port `Lister`: `ListObjectVersions` by the AWS SDK, but past its parser.
//!
//! The SDK signs, finds endpoints and credentials. Its parser would hand out versions and delete
//! markers as two lists, which loses the order between them, and takes most of the time. So the
//! HTTP client below keeps a listing's document for itself and gives the SDK an empty one.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Config, HttpClient, RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::EncodingType;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use bridge_core::failure::FailureKind;
use bridge_core::listing::lister::{ListError, Lister};
use bridge_core::listing::page::{MOST_DOCUMENT, Marker};
use bytes::Bytes;

use crate::bounded::bounded;
use crate::request_error::RequestError;
use crate::{machine, sdk};

/// What the SDK gets to read instead of a listing.
const EMPTY: &str = "<ListVersionsResult/>";

/// Lists one bucket.
#[derive(Debug, Clone)]
pub struct S3Lister {
    client: Client,
    http: SharedHttpClient,
    bucket: String,
}

impl S3Lister {
    /// Lists `bucket` as `config` says.
    #[must_use]
    pub fn new(config: &SdkConfig, bucket: String) -> Self {
        Self {
            client: sdk::s3(config),
            http: bounded(
                config.http_client().unwrap_or_else(machine::http_client),
                MOST_DOCUMENT,
            ),
            bucket,
        }
    }

    /// Lists another bucket the same way.
    #[must_use]
    pub fn of(&self, bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            ..self.clone()
        }
    }
}

#[async_trait]
impl Lister for S3Lister {
    async fn list(&self, prefix: &str, marker: Option<&Marker>) -> Result<Bytes, ListError> {
        let kept = Kept::default();
        self.client
            .list_object_versions()
            .bucket(&self.bucket)
            .set_prefix((!prefix.is_empty()).then(|| prefix.to_owned()))
            .set_key_marker(marker.map(|m| m.key.clone()))
            .set_version_id_marker(marker.and_then(|m| m.version_id.clone()))
            .encoding_type(EncodingType::Url)
            .customize()
            .config_override(Config::builder().http_client(KeepingClient {
                inner: self.http.clone(),
                kept: kept.clone(),
            }))
            .send()
            .await
            .map_err(|e| {
                let fault = RequestError::of(&e);
                ListError {
                    kind: fault.kind,
                    code: fault.code,
                    message: fault.message,
                }
            })?;
        kept.take().ok_or_else(|| ListError {
            kind: FailureKind::Transient,
            code: "NoDocument".to_owned(),
            message: "the answer came without a listing".to_owned(),
        })
    }
}

/// The document of one call.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Option<Bytes>>>);

impl Kept {
    fn put(&self, document: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(document);
    }

    fn take(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// An HTTP client for one call, which keeps the answer's document.
#[derive(Debug)]
struct KeepingClient {
    inner: SharedHttpClient,
    kept: Kept,
}

impl HttpClient for KeepingClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(KeepingConnector {
            inner: self.inner.http_connector(settings, components),
            kept: self.kept.clone(),
        })
    }
}

#[derive(Debug)]
struct KeepingConnector {
    inner: SharedHttpConnector,
    kept: Kept,
}

impl HttpConnector for KeepingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.inner.call(request);
        let kept = self.kept.clone();
        HttpConnectorFuture::new(async move {
            let mut response = answer.await?;
            if !response.status().is_success() {
                return Ok(response); // the SDK reads errors
            }
            let body = std::mem::replace(response.body_mut(), SdkBody::from(EMPTY));
            let document = ByteStream::new(body)
                .collect()
                .await
                .map_err(|e| ConnectorError::io(e.into()))?
                .into_bytes();
            // The SDK compares lengths. The document itself is checked by the page parser, which
            // refuses one that is cut short.
            response
                .headers_mut()
                .insert("content-length", EMPTY.len().to_string());
            kept.put(document);
            Ok(response)
        })
    }
}
