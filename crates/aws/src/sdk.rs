//! One configuration for all clients.

use std::sync::LazyLock;
use std::time::Duration;

use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::default_async_sleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use bridge_core::listing::dialect::Dialect;

use crate::bounded::{bounded, bounded_connector};
use crate::http::Http1;

pub use aws_config::SdkConfig;
pub use aws_smithy_runtime_api::client::http::SharedHttpConnector;

/// The longest that one request may take. Leases count on it.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of an answer of any kind, at most: a row group of a plan (`bridge_history::plan::store::MOST_PART`, which
/// realtime does not have). What reads less has a bound of its own.
const MOST_ANSWER: usize = 256 * 1024 * 1024;

/// Bytes of an answer of SQS, `DynamoDB`, Lambda or `EventBridge`, at most. They hold a megabyte of texts (six for an
/// invocation), which JSON may write six times as long.
/// Source: Amazon SQS API Reference, "`ReceiveMessage`"; Amazon `DynamoDB` Developer Guide, "`Scan`"; AWS
/// Lambda Developer Guide, "Lambda quotas".
pub(crate) const MOST_DOCUMENT: usize = 16 * 1024 * 1024;

/// What all clients share, talking by `http`: answers are bounded in bytes and time, and the SDK does not
/// retry: lanes, scans and segments do, with their own time budgets and in order.
#[must_use]
pub fn defaults(http: SharedHttpClient) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(bounded(http, MOST_ANSWER))
        .timeout_config(timeouts())
        .retry_config(RetryConfig::disabled())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // Answers that are read whole by the SDK or the lister, reading included.
        .operation_attempt_timeout(REQUEST_TIMEOUT)
        .build()
}

/// Region, credentials and endpoints as Lambda gives them: in the environment, and nowhere else. What `machine::load` knows
/// besides (profiles, roles, the metadata service) a function never has, and need not have in it.
#[must_use]
pub fn of_environment() -> SdkConfig {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let is_on = |name| variable(name).map(|text| text.eq_ignore_ascii_case("true"));
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(variable("AWS_REGION").map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(IdentityCache::lazy().build())
        .http_client(plain_client())
        .timeout_config(timeouts())
        .retry_config(RetryConfig::disabled())
        .service_config(Variables);
    config.set_endpoint_url(variable("AWS_ENDPOINT_URL"));
    config.set_use_fips(is_on("AWS_USE_FIPS_ENDPOINT"));
    config.set_use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"));
    config.set_sleep_impl(default_async_sleep());
    config.set_time_source(Some(SharedTimeSource::default()));
    config.build()
}

/// What is said for one service: `AWS_ENDPOINT_URL_SQS` …
#[derive(Debug)]
struct Variables;

impl LoadServiceConfig for Variables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        let text = std::env::var(format!("{}_{service}", key.env())).ok();
        text.filter(|text| !text.is_empty())
    }
}

/// The connections of [`crate::signed`], for answers that are one document.
#[must_use]
pub fn connector() -> SharedHttpConnector {
    SharedHttpConnector::new(OnFirstCall(LazyLock::new(|| {
        documents_by(SharedHttpConnector::new(Http1::new(CONNECT_TIMEOUT)))
    })))
}

/// The same connections, for an SDK's client.
fn plain_client() -> SharedHttpClient {
    let connector = connector();
    http_client_fn(move |_, _| connector.clone())
}

/// A connector that is made when it is needed: making it reads all certificates of the machine.
#[derive(Debug)]
struct OnFirstCall(LazyLock<SharedHttpConnector>);

impl HttpConnector for OnFirstCall {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.call(request)
    }
}

/// `inner`, for answers that are one document.
#[must_use]
pub fn documents_by(inner: SharedHttpConnector) -> SharedHttpConnector {
    bounded_connector(inner, MOST_DOCUMENT)
}

/// The endpoint of the user's own that `variable` or else `AWS_ENDPOINT_URL` names, and which of
/// them does.
#[must_use]
pub fn endpoint(variable: &'static str) -> Option<(&'static str, String)> {
    [variable, "AWS_ENDPOINT_URL"].into_iter().find_map(|name| {
        let url = std::env::var(name).ok().filter(|url| !url.is_empty())?;
        Some((name, url))
    })
}

/// An SQS client.
#[must_use]
pub fn sqs(config: &SdkConfig) -> aws_sdk_sqs::Client {
    let builder = aws_sdk_sqs::config::Builder::from(config);
    let config = builder.http_client(documents(config)).build();
    aws_sdk_sqs::Client::from_conf(config)
}

/// A `DynamoDB` client.
#[cfg(feature = "history")]
#[must_use]
pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let builder = aws_sdk_dynamodb::config::Builder::from(config);
    let config = builder.http_client(documents(config)).build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// A Lambda client.
#[cfg(feature = "history")]
#[must_use]
pub fn lambda(config: &SdkConfig) -> aws_sdk_lambda::Client {
    let builder = aws_sdk_lambda::config::Builder::from(config);
    let config = builder.http_client(documents(config)).build();
    aws_sdk_lambda::Client::from_conf(config)
}

/// An `EventBridge` client.
#[cfg(feature = "history")]
#[must_use]
pub fn eventbridge(config: &SdkConfig) -> aws_sdk_eventbridge::Client {
    let builder = aws_sdk_eventbridge::config::Builder::from(config);
    let config = builder.http_client(documents(config)).build();
    aws_sdk_eventbridge::Client::from_conf(config)
}

/// The configuration's HTTP client, for answers that are one JSON document.
fn documents(config: &SdkConfig) -> SharedHttpClient {
    let http = config.http_client().unwrap_or_else(plain_client);
    bounded(http, MOST_DOCUMENT)
}

/// What is known beforehand of how the configured S3 lists: Amazon's as S3 does, another endpoint's must prove
/// it.
#[must_use]
pub fn dialect() -> Dialect {
    match endpoint("AWS_ENDPOINT_URL_S3") {
        None => Dialect::of_s3(),
        Some(_) => Dialect::default(),
    }
}

/// An S3 client; at an endpoint of the user's own with the bucket in the path, as such servers want it.
#[cfg(feature = "history")]
#[must_use]
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(endpoint("AWS_ENDPOINT_URL_S3").is_some())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
