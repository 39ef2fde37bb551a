//! Port `PlanStore`: runs and manifests as objects of the plan bucket.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use bridge_core::plan::{PlanError, PlanStore};
use bytes::Bytes;

use crate::sdk::Fault;

/// The longest that writing one object may take.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// A bucket of plans.
#[derive(Debug, Clone)]
pub struct S3Plans {
    client: Client,
    bucket: String,
}

impl S3Plans {
    /// Plans in `bucket`.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    fn error(&self, doing: &'static str, name: &str, fault: &Fault) -> PlanError {
        PlanError::Store {
            doing,
            name: format!("s3://{}/{name}", self.bucket),
            reason: fault.to_string(),
            retryable: fault.retryable,
        }
    }
}

/// A run can be many megabytes.
fn long_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(WRITE_TIMEOUT)
        .build()
}

#[async_trait]
impl PlanStore for S3Plans {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(name)
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(Config::builder().timeout_config(long_timeouts()))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| self.error("writing", name, &Fault::of(&e)))
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Bytes::new());
        }
        let object = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(name)
            .set_range(range.map(|r| format!("bytes={}-{}", r.start, r.end - 1)))
            .send()
            .await
            .map_err(|e| self.error("reading", name, &Fault::of(&e)))?;
        let body = object.body.collect().await.map_err(|e| PlanError::Store {
            doing: "reading",
            name: format!("s3://{}/{name}", self.bucket),
            reason: e.to_string(),
            retryable: true,
        })?;
        Ok(body.into_bytes())
    }
}
