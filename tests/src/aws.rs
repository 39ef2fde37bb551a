//! How the tests talk to the local AWS.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;

/// An emulator on a busy machine takes longer than AWS.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// What the programs load, but patient.
pub async fn load() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(REQUEST_TIMEOUT)
        .build();
    let config = bridge_aws::sdk::load().await;
    config.into_builder().timeout_config(timeouts).build()
}
