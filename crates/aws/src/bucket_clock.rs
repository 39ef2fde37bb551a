//! Port `BucketClock`: the `Date` of S3's answers.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use bridge_core::failure::FailureKind;
use bridge_core::timestamp::Timestamp;
use bridge_history::job::live::{BucketClock, LivePortError};

use crate::request_error::RequestError;

/// The clock of one bucket.
#[derive(Debug, Clone)]
pub struct S3Clock {
    client: Client,
    bucket: String,
}

impl S3Clock {
    /// The clock of this bucket.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

#[async_trait]
impl BucketClock for S3Clock {
    async fn now(&self) -> Result<Timestamp, LivePortError> {
        let date = Date::default();
        // The smallest answer there is that the functions may ask for.
        let ask = self.client.get_bucket_versioning().bucket(&self.bucket);
        let answer = ask.customize().interceptor(date.clone()).send().await;
        answer.map_err(|e| {
            let fault = RequestError::of(&e);
            LivePortError {
                reason: format!("asking bucket {} for the time: {fault}", self.bucket),
                kind: fault.kind,
            }
        })?;
        date.read().ok_or_else(|| LivePortError {
            reason: format!("the answers of bucket {} bear no Date", self.bucket),
            kind: FailureKind::Permanent,
        })
    }
}

/// The `Date` of one answer.
#[derive(Debug, Clone, Default)]
struct Date(Arc<Mutex<Option<String>>>);

impl Date {
    fn read(&self) -> Option<Timestamp> {
        let date = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let date = DateTime::from_str(&date?, Format::HttpDate).ok()?;
        date.to_millis().ok().map(Timestamp)
    }
}

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_time_and_anything_else_none() {
        let date = |text: &str| Date(Arc::new(Mutex::new(Some(text.to_owned())))).read();
        let read = date("Wed, 01 May 2024 12:00:00 GMT");
        assert_eq!(read, Some(Timestamp(1_714_564_800_000)));
        assert_eq!(date("yesterday"), None);
        assert_eq!(Date::default().read(), None);
    }
}
