//! Reads of S3: signed `GET`s of a bucket, whose answers are XML.

use std::fmt::Write as _;

use aws_config::SdkConfig;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SigningSettings, UriPathNormalizationMode,
};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::request_error::RequestError;
use crate::signed::answer::{Reason, not_sent};
use crate::signed::endpoint::Asked;
use crate::signed::transport::{Transport, Unsigned, in_time};

/// What is escaped in a query: all but RFC 3986's unreserved characters, as signatures want it.
/// Source: AWS General Reference, "Create a signed AWS API request", step 1.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Reads from buckets.
#[derive(Debug)]
pub struct S3Client {
    asked: Asked,
    rules: DefaultResolver,
    transport: Transport,
}

impl S3Client {
    /// A client with the region, credentials, endpoint and clock of `config`, which talks by `http`: its answers
    /// must be bounded. An endpoint of the user's own gets the bucket in the path, as such servers want it.
    #[must_use]
    pub fn new(config: &SdkConfig, http: SharedHttpConnector) -> Self {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let mut asked = Asked::new("S3", config);
        // The rules put the bucket right behind a path: `https://proxy/s3` would become `https://proxy/s3ledger`.
        asked.own = asked
            .own
            .map(|own| format!("{}/", own.trim_end_matches('/')));
        Self {
            asked,
            rules: DefaultResolver::new(),
            transport: Transport::new("s3", settings, config, http),
        }
    }

    /// What a bucket answers to a `GET` with these parameters, which are not escaped yet: an XML document. It takes
    /// [`crate::sdk::REQUEST_TIMEOUT`] at most, and nothing is repeated but what was refused for this machine's
    /// clock.
    ///
    /// # Errors
    /// [`RequestError`], as the SDK's errors are read.
    pub(super) async fn get(
        &self,
        bucket: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Bytes, RequestError> {
        in_time(async {
            let mut url = self.bucket_url(bucket).await?;
            for (index, (name, value)) in parameters.iter().enumerate() {
                url.push(if index == 0 { '?' } else { '&' });
                url.push_str(name);
                if !value.is_empty() {
                    let value = utf8_percent_encode(value, ESCAPED);
                    write!(url, "={value}").map_err(|error| not_sent(&error))?;
                }
            }
            let request = Unsigned {
                method: "GET",
                url: &url,
                headers: Vec::new(),
                body: Bytes::new(),
            };
            self.transport.exchange(&request, Reason::of_xml).await
        })
        .await
    }

    /// Where a bucket is, with a path.
    async fn bucket_url(&self, bucket: &str) -> Result<String, RequestError> {
        let asked = self.asked.clone();
        let asked = Params::builder()
            .set_bucket(Some(bucket.to_owned()))
            .set_force_path_style(Some(asked.own.is_some()))
            .set_region(asked.region)
            .set_use_fips(asked.use_fips)
            .set_use_dual_stack(asked.use_dual_stack)
            .set_endpoint(asked.own)
            .build()
            .map_err(|error| not_sent(&error))?;
        let found = self.rules.resolve_endpoint(&asked).await;
        let url = found.map_err(|error| not_sent(&*error))?;
        Ok(format!("{}/", url.url().trim_end_matches('/')))
    }
}
