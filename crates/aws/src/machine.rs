//! [`crate::sdk`]'s configuration as a machine has it: from profiles, roles and the metadata service, with the SDK's own
//! HTTP client.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::imds;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
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

/// Whose credentials, and where: what an operator says at the door, as with the AWS CLI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// A profile: its credentials, before those of the environment. Without, `AWS_PROFILE` says which, behind
    /// the environment's credentials.
    pub profile: Option<String>,
    /// A region, before `AWS_REGION` and the profile's.
    pub region: Option<String>,
}

impl Choice {
    /// Loads region, credentials and endpoints as the AWS SDKs do, by this choice. Where nothing says a region, an
    /// endpoint of the user's own is asked in `us-east-1`; else the configuration has none.
    /// Source of what goes before what: AWS CLI User Guide, "Configuration and credential precedence".
    pub async fn load(&self) -> SdkConfig {
        let http = bounded(http_client(), MOST_DOCUMENT);
        let provider = ProviderConfig::default().with_http_client(http);
        let metadata = metadata(&provider);
        let region = self.region(&provider, &metadata).await;
        let mut loader = defaults(http_client()).region(region.clone());
        loader = if let Some(profile) = &self.profile {
            let provider = provider.with_region(region);
            let credentials = ProfileFileCredentialsProvider::builder().configure(&provider);
            let credentials = credentials.profile_name(profile).build();
            loader
                .profile_name(profile)
                .credentials_provider(credentials)
        } else {
            let credentials = DefaultCredentialsChain::builder()
                .configure(provider)
                .region(region)
                .imds_client(metadata);
            loader.credentials_provider(credentials.build().await)
        };
        let cache = IdentityCache::lazy().load_timeout(CREDENTIALS_TIMEOUT);
        loader.identity_cache(cache.build()).load().await
    }

    async fn region(&self, provider: &ProviderConfig, metadata: &imds::Client) -> Option<Region> {
        if let Some(region) = &self.region {
            return Some(Region::new(region.clone()));
        }
        let mut profile = ProfileFileRegionProvider::builder().configure(provider);
        if let Some(name) = &self.profile {
            profile = profile.profile_name(name);
        }
        let configured = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(profile.build());
        let region = if is_custom_endpoint() {
            configured.or_else(Region::from_static("us-east-1"))
        } else {
            let here = ImdsRegionProvider::builder().configure(provider);
            configured.or_else(here.imds_client(metadata.clone()).build())
        };
        region.region().await
    }

    /// Looks for credentials as requests will, so that it can be told by itself when there are none.
    ///
    /// # Errors
    /// What was tried, and what to do.
    pub async fn check_credentials(&self, config: &SdkConfig) -> Result<(), String> {
        let Some(provider) = config.credentials_provider() else {
            return Err("the AWS SDK looks for no credentials".to_owned());
        };
        let answer =
            tokio::time::timeout(CREDENTIALS_TIMEOUT, provider.provide_credentials()).await;
        let why = match answer {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => sources(&error),
            Err(_) => format!("no answer in {} s", CREDENTIALS_TIMEOUT.as_secs()),
        };
        let profile = self.profile.clone();
        let profile = profile.or_else(|| std::env::var("AWS_PROFILE").ok());
        let profile = profile.unwrap_or_else(|| "default".to_owned());
        let lower = why.to_lowercase();
        let advice = if lower.contains("sso") {
            format!("sign in with `aws sso login --profile {profile}`")
        } else if lower.contains("credential_process") || lower.contains("external process") {
            format!("run the `credential_process` of profile {profile} by hand to see what it says")
        } else if self.profile.is_some() {
            "`aws configure list-profiles` tells which profiles there are".to_owned()
        } else {
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()
        };
        let tried = match &self.profile {
            Some(_) => format!("profile {profile:?}"),
            None => format!(
                "the environment, profile {profile:?}, a web identity token, the container and this machine's \
                 metadata service"
            ),
        };
        Err(format!(
            "no credentials (tried {tried}): {}: {advice}",
            brief(&on_one_line(&why))
        ))
    }
}

/// [`Choice::load`] with nothing chosen.
pub async fn load() -> SdkConfig {
    Choice::default().load().await
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
