//! One configuration for all clients.

use std::sync::LazyLock;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, imds};
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::default_async_sleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use bridge_core::listing::dialect::Dialect;
use bridge_core::text::brief;

use crate::bounded::{bounded, bounded_connector};
use crate::request_error::sources;

pub use aws_config::SdkConfig;
pub use aws_smithy_runtime_api::client::http::SharedHttpConnector;

/// The longest that one request may take. Leases count on it.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long credentials may take: a `credential_process` may ask a person.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_mins(1);

/// Bytes of an answer of any kind, at most: a row group of a plan (`bridge_history::plan::store::MOST_PART`, which
/// realtime does not have). What reads less has a bound of its own.
const MOST_ANSWER: usize = 256 * 1024 * 1024;

/// Bytes of an answer of SQS, `DynamoDB` or Lambda, at most. They hold a megabyte of texts (six for an
/// invocation), which JSON may write six times as long.
/// Source: Amazon SQS API Reference, "`ReceiveMessage`"; Amazon `DynamoDB` Developer Guide, "`Scan`"; AWS
/// Lambda Developer Guide, "Lambda quotas".
const MOST_DOCUMENT: usize = 16 * 1024 * 1024;

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

/// Loads region, credentials and endpoints as the AWS SDKs do. Where nothing says a region, an endpoint of the user's own is asked in `us-east-1`; else the configuration has none.
pub async fn load() -> SdkConfig {
    let http = bounded(http_client(), MOST_DOCUMENT);
    let provider = ProviderConfig::default().with_http_client(http);
    let metadata = metadata(&provider);
    let configured = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(
            ProfileFileRegionProvider::builder()
                .configure(&provider)
                .build(),
        );
    let region = if is_custom_endpoint() {
        configured.or_else(Region::from_static("us-east-1"))
    } else {
        let here = ImdsRegionProvider::builder().configure(&provider);
        configured.or_else(here.imds_client(metadata.clone()).build())
    };
    let region = region.region().await;
    let credentials = DefaultCredentialsChain::builder()
        .configure(provider)
        .region(region.clone())
        .imds_client(metadata)
        .build()
        .await;
    defaults(http_client())
        .region(region)
        .credentials_provider(credentials)
        .identity_cache(
            IdentityCache::lazy()
                .load_timeout(CREDENTIALS_TIMEOUT)
                .build(),
        )
        .load()
        .await
}

/// Region, credentials and endpoints as Lambda gives them: in the environment, and nowhere else. What [`load`] knows
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
        .http_client(bounded(http_client(), MOST_DOCUMENT))
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

/// The machine's metadata service, asked once: where there is none, something else may answer at its
/// address with a 5xx, which the SDK would repeat three times. One that keeps silent is abandoned
/// after a second.
fn metadata(provider: &ProviderConfig) -> imds::Client {
    imds::Client::builder()
        .configure(provider)
        .max_attempts(1)
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(1))
        .build()
}

/// HTTP with TLS by rustls.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// The connections of [`crate::signed`]: the SDK's HTTP client by itself, for answers that are one document.
#[must_use]
pub fn connector() -> SharedHttpConnector {
    SharedHttpConnector::new(OnFirstCall(LazyLock::new(new_connector)))
}

/// A connector that is made when it is needed: making it reads all certificates of the machine.
#[derive(Debug)]
struct OnFirstCall(LazyLock<SharedHttpConnector>);

impl HttpConnector for OnFirstCall {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.call(request)
    }
}

fn new_connector() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build();
    documents_by(SharedHttpConnector::new(connector))
}

/// `inner`, for answers that are one document.
#[must_use]
pub fn documents_by(inner: SharedHttpConnector) -> SharedHttpConnector {
    bounded_connector(inner, MOST_DOCUMENT)
}

/// Looks for credentials as requests will, so that it can be told by itself when there are none.
///
/// # Errors
/// What was tried, and what to do.
pub async fn check_credentials(config: &SdkConfig) -> Result<(), String> {
    let Some(provider) = config.credentials_provider() else {
        return Err("the AWS SDK looks for no credentials".to_owned());
    };
    let answer = tokio::time::timeout(CREDENTIALS_TIMEOUT, provider.provide_credentials()).await;
    let why = match answer {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => sources(&error),
        Err(_) => format!("no answer in {} s", CREDENTIALS_TIMEOUT.as_secs()),
    };
    let profile = std::env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned());
    let lower = why.to_lowercase();
    let advice = if lower.contains("sso") {
        format!("sign in with `aws sso login --profile {profile}`")
    } else if lower.contains("credential_process") || lower.contains("external process") {
        format!("run the `credential_process` of profile {profile} by hand to see what it says")
    } else {
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()
    };
    Err(format!(
        "no credentials (tried the environment, profile {profile:?}, a web identity token, the \
         container and this machine's metadata service): {}: {advice}",
        brief(&on_one_line(&why))
    ))
}

/// What the SDK tells in several lines (its list of where it looked), in one that can be read.
fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push_str(if line.ends_with(':') { " " } else { "; " });
        }
        line.push_str(part);
    }
    line
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

/// Whether requests go to an endpoint of the user's own.
fn is_custom_endpoint() -> bool {
    endpoint("AWS_ENDPOINT_URL_S3").is_some() || endpoint("AWS_ENDPOINT_URL_SQS").is_some()
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

/// The configuration's HTTP client, for answers that are one JSON document.
fn documents(config: &SdkConfig) -> SharedHttpClient {
    let http = config.http_client().unwrap_or_else(http_client);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_several_lines_is_told_on_one() {
        for (text, expected) in [
            (
                "no luck. Attempted:\n  A: not set\n  B: gone\n",
                "no luck. Attempted: A: not set; B: gone",
            ),
            ("Stderr: one\r\n\ntwo\n", "Stderr: one; two"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(on_one_line(text), expected);
        }
    }
}
