//! One configuration for all clients.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The longest that one request may take. Leases reckon with it.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Loads region, credentials and endpoints as the AWS SDKs do. The SDK does not retry: lanes,
/// scans and segments do, with their own time budgets and in order.
pub async fn load() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(REQUEST_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

/// HTTP with TLS by rustls.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// Whether S3 is asked at an endpoint of the user's own: such servers want the bucket in the path.
#[cfg(feature = "reseed")]
fn is_custom_s3_endpoint() -> bool {
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// An S3 client; at a custom endpoint, with the bucket in the path.
#[cfg(feature = "reseed")]
#[must_use]
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(is_custom_s3_endpoint())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// What an SDK error says, in the words of the ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The service's error code, or what kept the request from it.
    pub code: String,
    /// The service's message.
    pub message: String,
    /// Fewer requests are asked for.
    pub throttled: bool,
    /// The same request may succeed later.
    pub retryable: bool,
}

impl Fault {
    /// Reads an SDK error.
    pub fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + HttpStatus + 'static,
    {
        match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status();
                let code = service.err().code().unwrap_or("Unknown");
                let message = service.err().message().unwrap_or_default();
                Self::of_service(code, message, status)
            }
            other => Self {
                code: match other {
                    SdkError::TimeoutError(_) => "RequestTimeout",
                    SdkError::DispatchFailure(_) => "ConnectionFailed",
                    SdkError::ResponseError(_) => "BadResponse",
                    _ => "NotSent",
                }
                .to_owned(),
                message: sources(other),
                throttled: false,
                retryable: !matches!(other, SdkError::ConstructionFailure(_)),
            },
        }
    }

    fn of_service(code: &str, message: &str, status: u16) -> Self {
        let throttled = status == 429
            || [
                "Throttl",
                "SlowDown",
                "TooManyRequests",
                "RequestLimitExceeded",
                "OverLimit",
            ]
            .iter()
            .any(|word| code.contains(word))
            || code == "ProvisionedThroughputExceededException";
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            throttled,
            retryable: throttled
                || status >= 500
                || code == "RequestTimeout"
                || code == "RequestTimeTooSkewed"
                || code.contains("ExpiredToken"),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// The status of a raw response.
pub trait HttpStatus {
    /// 200, 503 …
    fn status(&self) -> u16;
}

impl HttpStatus for aws_smithy_runtime_api::client::orchestrator::HttpResponse {
    fn status(&self) -> u16 {
        Self::status(self).as_u16()
    }
}

/// An error with what caused it, outermost first.
fn sources(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |e| e.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for (code, status, throttled, retryable) in [
            ("SlowDown", 503, true, true),
            ("ThrottlingException", 400, true, true),
            ("RequestThrottled", 403, true, true),
            ("InternalError", 500, false, true),
            ("AccessDenied", 403, false, false),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, false, false),
            ("ExpiredTokenException", 400, false, true),
        ] {
            let fault = Fault::of_service(code, "", status);
            assert_eq!(
                (fault.throttled, fault.retryable),
                (throttled, retryable),
                "{code}"
            );
        }
    }
}
