//! HTTP/1.1 with TLS by rustls: what SQS, `DynamoDB` and S3 speak. The SDK's HTTP client speaks HTTP/2 besides, whose
//! code is a tenth of all that a realtime function would load (docs/decisions/0027).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tower_service::Service;

/// Connections to any hosts, kept for a while.
#[derive(Debug, Clone)]
pub(crate) struct Http1(Client<InTime<HttpsConnector<Tcp>>, SdkBody>);

impl Http1 {
    /// A connection, its handshake included, may take `connect_timeout`. Reads the certificates that the machine
    /// trusts.
    pub(crate) fn new(connect_timeout: Duration) -> Self {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let connect = InTime {
            inner: https,
            limit: connect_timeout,
        };
        let mut builder = Client::builder(TokioExecutor::new());
        Self(builder.pool_timer(TokioTimer::new()).build(connect))
    }
}

fn tls() -> ClientConfig {
    let found = rustls_native_certs::load_native_certs();
    let mut trusted = RootCertStore::empty();
    let (read, _) = trusted.add_parsable_certificates(found.certs);
    if read == 0 {
        // An endpoint of the user's own may need none.
        tracing::warn!(errors = ?found.errors, "this machine trusts no certificates");
    }
    ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider has the ciphers of both versions")
        .with_root_certificates(trusted)
        .with_no_client_auth()
}

impl HttpConnector for Http1 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer
                .await
                .map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Connects within a time.
#[derive(Debug, Clone)]
struct InTime<C> {
    inner: C,
    limit: Duration,
}

impl<C, T> Service<T> for InTime<C>
where
    C: Service<T, Error = BoxError>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, to: T) -> Self::Future {
        let connected = timeout(self.limit, self.inner.call(to));
        let limit = self.limit.as_secs();
        Box::pin(async move {
            let connected = connected.await;
            connected.unwrap_or_else(|_| Err(format!("no connection within {limit} s").into()))
        })
    }
}
