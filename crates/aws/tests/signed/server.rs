//! A service that answers from a list, and a client of it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{ConfigLoader, Region};
use aws_credential_types::Credentials;
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bridge_aws::request_error::RequestError;
use bridge_aws::sdk;
use bridge_aws::signed::ServiceClient;
use bridge_aws::signed::bucket::SignedBucket;
use bridge_aws::signed::s3::S3Client;
use bridge_aws::signed::service::Service;
use bytes::Bytes;
use serde_json::Value;

pub(crate) const NOW: u64 = 1_795_698_309;

/// `NOW`, as HTTP writes it, and twenty minutes later.
pub(crate) const DATE: &str = "Thu, 26 Nov 2026 13:05:09 GMT";
pub(crate) const LATER: &str = "Thu, 26 Nov 2026 13:25:09 GMT";

pub(crate) type Reply = (u16, Vec<(&'static str, &'static str)>, &'static str);

/// Answers from a list, its last for ever; keeps what it was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Server {
    replies: Arc<Mutex<Vec<Reply>>>,
    asked: Arc<Mutex<Vec<HttpRequest>>>,
    /// How long an answer takes.
    latency: Duration,
}

impl HttpConnector for Server {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.lock().unwrap().push(request);
        let mut replies = self.replies.lock().unwrap();
        let (status, headers, body) = match replies.len() {
            0 => (200, vec![], "{}"),
            1 => replies[0].clone(),
            _ => replies.remove(0),
        };
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        let latency = self.latency;
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(latency).await;
            Ok(response)
        })
    }
}

impl Server {
    pub(crate) fn of(replies: &[Reply]) -> Self {
        Self {
            replies: Arc::new(Mutex::new(replies.to_vec())),
            ..Self::default()
        }
    }

    pub(crate) fn slow(latency: Duration) -> Self {
        Self {
            latency,
            ..Self::default()
        }
    }

    pub(crate) fn header(&self, number: usize, name: &str) -> String {
        let asked = self.asked.lock().unwrap();
        let header = asked[number].headers().get(name);
        header.unwrap_or_default().to_owned()
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|r| r.uri().to_owned()).collect()
    }

    /// The document of a request.
    pub(crate) fn asked(&self, number: usize) -> Value {
        let asked = self.asked.lock().unwrap();
        let body = asked[number].body().bytes().unwrap();
        serde_json::from_slice(body).unwrap()
    }

    /// A bucket by a client as `loader` configures it.
    pub(crate) async fn bucket(&self, loader: ConfigLoader, name: &str) -> SignedBucket {
        let http = SharedHttpConnector::new(self.clone());
        let client = S3Client::new(&loader.load().await, http);
        SignedBucket::new(Arc::new(client), name.to_owned())
    }

    /// A client that stands at `NOW` and has everything it needs.
    pub(crate) async fn client(&self, service: Service) -> ServiceClient {
        self.client_by(service, signed_in()).await
    }

    pub(crate) async fn client_by(&self, service: Service, loader: ConfigLoader) -> ServiceClient {
        ServiceClient::new(
            service,
            &loader.load().await,
            SharedHttpConnector::new(self.clone()),
        )
    }
}

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

pub(crate) fn config() -> ConfigLoader {
    // Credentials are none of its business here.
    let http = http_client_fn(|_, _| SharedHttpConnector::new(Server::default()));
    sdk::defaults(http)
        .region(Region::from_static("eu-west-1"))
        .time_source(StaticTimeSource::new(now()))
}

/// As [`config`], with credentials.
pub(crate) fn signed_in() -> ConfigLoader {
    config().credentials_provider(Credentials::new("id", "secret", None, None, "test"))
}

pub(crate) async fn ask(client: &ServiceClient) -> Result<Bytes, RequestError> {
    client
        .call("SendMessageBatch", Bytes::from_static(b"{}"))
        .await
}
