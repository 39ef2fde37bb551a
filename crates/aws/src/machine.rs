//! [`crate::sdk`]'s configuration as a machine has it: from profiles, roles and the metadata service, with the SDK's own
//! HTTP client.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::imds;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use bridge_core::text::brief;

use crate::bounded::bounded;
use crate::request_error::sources;
use crate::sdk::{MOST_DOCUMENT, defaults, endpoint};

/// How long credentials may take: a `credential_process` may ask a person.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_mins(1);

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

/// Whether requests go to an endpoint of the user's own.
fn is_custom_endpoint() -> bool {
    endpoint("AWS_ENDPOINT_URL_S3").is_some() || endpoint("AWS_ENDPOINT_URL_SQS").is_some()
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
