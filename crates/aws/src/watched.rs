//! Port `WatchedBucket`: S3.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketVersioningStatus, Event, FilterRule, NotificationConfigurationFilter, S3KeyFilter,
};
use bridge_core::watched::{
    Destination, KeyFilter, NoAnswer, Notifications, Versioned, Versioning, WatchedBucket,
};

use crate::request_error::RequestError;

/// One bucket.
#[derive(Debug, Clone)]
pub struct S3Watched {
    client: Client,
    bucket: String,
}

impl S3Watched {
    /// The bucket of this name.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

#[async_trait]
impl Versioned for S3Watched {
    async fn versioning(&self) -> Result<Versioning, NoAnswer> {
        let ask = self.client.get_bucket_versioning().bucket(&self.bucket);
        let answer = ask.send().await.map_err(|e| RequestError::of(&e))?;
        Ok(match answer.status() {
            Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
            None => Versioning::Never,
        })
    }
}

#[async_trait]
impl WatchedBucket for S3Watched {
    async fn notifications(&self) -> Result<Notifications, NoAnswer> {
        let ask = self.client.get_bucket_notification_configuration();
        let answer = ask.bucket(&self.bucket).send().await;
        let answer = answer.map_err(|e| RequestError::of(&e))?;
        let functions = answer.lambda_function_configurations().iter();
        let functions =
            functions.map(|c| destination(c.lambda_function_arn(), c.events(), c.filter()));
        let queues = answer.queue_configurations().iter();
        let queues = queues.map(|c| destination(c.queue_arn(), c.events(), c.filter()));
        let topics = answer.topic_configurations().iter();
        let topics = topics.map(|c| destination(c.topic_arn(), c.events(), c.filter()));
        Ok(Notifications {
            event_bridge: answer.event_bridge_configuration().is_some(),
            destinations: functions.chain(queues).chain(topics).collect(),
        })
    }
}

fn destination(
    arn: &str,
    events: &[Event],
    filter: Option<&NotificationConfigurationFilter>,
) -> Destination {
    let key = filter.and_then(NotificationConfigurationFilter::key);
    let rules = key.map(S3KeyFilter::filter_rules).unwrap_or_default();
    // S3 writes `Prefix` where it was asked for `prefix`.
    let value = |name: &str| {
        let of_name = |rule: &&FilterRule| {
            rule.name()
                .is_some_and(|own| own.as_str().eq_ignore_ascii_case(name))
        };
        let rule = rules.iter().find(of_name);
        rule.and_then(FilterRule::value)
            .unwrap_or_default()
            .to_owned()
    };
    Destination {
        arn: arn.to_owned(),
        events: events
            .iter()
            .map(|event| event.as_str().to_owned())
            .collect(),
        keys: KeyFilter {
            prefix: value("prefix"),
            suffix: value("suffix"),
        },
    }
}
