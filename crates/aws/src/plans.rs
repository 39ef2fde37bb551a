//! Port `PlanStore`: runs and manifests as objects of the plan bucket.

use std::ops::Range;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bridge_core::plan::{PlanError, PlanStore};
use bytes::Bytes;

use crate::sdk::Fault;

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

#[async_trait]
impl PlanStore for S3Plans {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(name)
            .body(ByteStream::from(bytes))
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
