//! Ports `PlanStore` and `Elsewhere`: runs and manifests as objects of the plan bucket, or of another one.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use bridge_core::failure::FailureKind;
use bridge_history::plan::elsewhere::place::Elsewhere;
use bridge_history::plan::store::{MOST_WHOLE, PlanError, PlanStore, Tag};
use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use crate::bounded::TooLong;
use crate::request_error::{RequestError, sources};

/// The longest that writing or reading one object may take: it can be many megabytes. The SDK's own timeouts
/// end when an object's answer begins, and its stalled-stream protection is content with a byte a second.
const OBJECT_TIMEOUT: Duration = Duration::from_mins(1);

/// A bucket of plans.
#[derive(Debug, Clone)]
pub struct S3Plans {
    client: Client,
    bucket: String,
    /// What stands before the names; empty, or it ends with a slash.
    folder: String,
    /// What a refusal to read may mean.
    hint: &'static str,
}

/// What it may mean where the plan is the stack's own.
const GONE: &str = "or the plan is gone: plans are kept for PlanRetentionDays, and after that a job must be started anew";

/// What it may mean where the plan is somebody else's.
const NOT_ALLOWED: &str = "or it may not be read: a stack's role may read what its parameter ForeignPlans names \
    (bucket/prefix), others need s3:GetObject; or there is no such object";

/// S3's answer where an object has another `ETag` than was asked for. Source: Amazon S3 API Reference, "Error responses".
const NOT_THE_SAME: &str = "PreconditionFailed";

/// Plans made elsewhere, in any bucket.
#[derive(Debug, Clone)]
pub struct S3Elsewhere {
    client: Client,
}

impl S3Elsewhere {
    /// Asks for them with `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Elsewhere for S3Elsewhere {
    fn open(&self, folder: &str) -> Option<Arc<dyn PlanStore>> {
        let path = folder.strip_prefix("s3://")?;
        let (bucket, folder) = path.split_once('/').unwrap_or((path, ""));
        let slash = if folder.is_empty() { "" } else { "/" };
        Some(Arc::new(S3Plans {
            client: self.client.clone(),
            bucket: bucket.to_owned(),
            folder: format!("{folder}{slash}"),
            hint: NOT_ALLOWED,
        }))
    }
}

impl S3Plans {
    /// Plans in `bucket`.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self {
            client,
            bucket,
            folder: String::new(),
            hint: GONE,
        }
    }

    async fn read(
        &self,
        name: &str,
        range: Option<Range<u64>>,
        tag: Option<&Tag>,
    ) -> Result<Bytes, PlanError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Bytes::new());
        }
        let reading = self.read_whole(name, range, tag);
        let read = timeout(OBJECT_TIMEOUT, reading).await;
        read.unwrap_or_else(|_| {
            let seconds = OBJECT_TIMEOUT.as_secs();
            Err(self.unread(name, format!("it did not come whole within {seconds} s")))
        })
    }

    async fn read_whole(
        &self,
        name: &str,
        range: Option<Range<u64>>,
        tag: Option<&Tag>,
    ) -> Result<Bytes, PlanError> {
        let most = range.as_ref().map_or(MOST_WHOLE, |range| {
            usize::try_from(range.end - range.start).unwrap_or(usize::MAX)
        });
        let object = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(name))
            .set_range(range.map(|r| format!("bytes={}-{}", r.start, r.end - 1)))
            .set_if_match(tag.map(|Tag(e_tag)| e_tag.clone()))
            .send()
            .await
            .map_err(|e| self.error("reading", name, &RequestError::of(&e)))?;
        let mut body = object.body;
        let mut bytes = BytesMut::new();
        while let Some(part) = body.next().await {
            let part = part.map_err(|e| self.unread(name, sources(&e)))?;
            if part.len() > most - bytes.len() {
                return Err(self.unread(name, TooLong { most }.to_string()));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes.freeze())
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }

    /// What came of an answer that had begun.
    fn unread(&self, name: &str, reason: String) -> PlanError {
        PlanError::Store {
            doing: "reading",
            name: format!("s3://{}/{}", self.bucket, self.key(name)),
            reason,
            kind: FailureKind::Transient,
        }
    }

    fn error(&self, doing: &'static str, name: &str, fault: &RequestError) -> PlanError {
        let name = format!("s3://{}/{}", self.bucket, self.key(name));
        if fault.code == NOT_THE_SAME {
            return PlanError::replaced(name);
        }
        PlanError::Store {
            doing,
            name,
            reason: reason(doing, fault, self.hint),
            kind: fault.kind,
        }
    }
}

/// S3 says that an object is not there only to who may list its bucket, which reseed may not; others are refused.
/// Source: Amazon S3 API Reference, `GetObject`, "Permissions".
fn reason(doing: &str, fault: &RequestError, hint: &str) -> String {
    let may_have_expired = ["AccessDenied", "NoSuchKey"].contains(&fault.code.as_str());
    if doing == "reading" && may_have_expired {
        return format!("{fault}; {hint}");
    }
    fault.to_string()
}

/// A run can be many megabytes.
fn long_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(OBJECT_TIMEOUT)
        .build()
}

#[async_trait]
impl PlanStore for S3Plans {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), PlanError> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(name))
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(Config::builder().timeout_config(long_timeouts()))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| self.error("writing", name, &RequestError::of(&e)))
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, PlanError> {
        self.read(name, range, None).await
    }

    async fn tag(&self, name: &str) -> Result<Option<Tag>, PlanError> {
        // A byte of it, since what refuses HeadObject says no reason.
        let object = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(name))
            .range("bytes=0-0")
            .send()
            .await
            .map_err(|e| self.error("reading", name, &RequestError::of(&e)))?;
        Ok(object.e_tag.map(Tag))
    }

    async fn get_tagged(
        &self,
        name: &str,
        range: Range<u64>,
        tag: &Tag,
    ) -> Result<Bytes, PlanError> {
        self.read(name, Some(range), Some(tag)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_expired_is_named_as_what_a_refusal_may_be() {
        let told = |doing, code| {
            let fault = RequestError::of_service(Some(code), Some("no"), 403);
            reason(doing, &fault, GONE)
        };
        for code in ["AccessDenied", "NoSuchKey"] {
            let reason = told("reading", code);
            assert!(
                reason.contains(code) && reason.contains("PlanRetentionDays"),
                "{reason}"
            );
        }
        for (doing, code) in [("writing", "AccessDenied"), ("reading", "SlowDown")] {
            assert!(!told(doing, code).contains("PlanRetentionDays"));
        }
    }
}
