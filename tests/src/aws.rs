//! How the tests talk to the local AWS.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;

/// An emulator on a busy machine takes longer than AWS.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// What the programs load, but as patient as a shell.
pub async fn load() -> SdkConfig {
    patient(bridge_aws::machine::load().await)
}

/// The same, but it waits longer, and it tries again: a connection that idled while a test waited may have been closed at
/// the other end.
pub(crate) fn patient(config: SdkConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(REQUEST_TIMEOUT)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(5);
    let config = config.into_builder().timeout_config(timeouts);
    config.retry_config(retries).build()
}
