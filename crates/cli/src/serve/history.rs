//! What jobs in this process work with: the state directory in place of `DynamoDB` and of a bucket for plans.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bridge_aws::bucket_clock::S3Clock;
use bridge_aws::lister::S3Lister;
use bridge_aws::plans::S3Elsewhere;
use bridge_aws::queues::SqsQueues;
use bridge_aws::request_error::RequestError;
use bridge_aws::sdk;
use bridge_aws::sdk::SdkConfig;
use bridge_aws::sender::SqsClient;
use bridge_core::clock::SystemClock;
use bridge_core::config::{Config, DEFAULT_LEASE, ReseedConfig};
use bridge_core::live::newest::GRACE;
use bridge_core::live::stream::StreamStore;
use bridge_history::job::live::LivePorts;
use bridge_history::job::ports::{Continuation, Ports};
use bridge_history::job::settings::SegmentSettings;
use bridge_history::send::target::Target;
use bridge_local::jobs::LocalJobs;
use bridge_local::plans::LocalPlans;

use crate::serve::parking::ServedQueues;
use crate::serve::queue_client::NotificationQueue;
use crate::serve::receiving::Receiving;
use crate::serve::work::BUDGET;

/// Bytes for object versions while a bucket is listed.
const SCAN_MEMORY: usize = 64 * 1024 * 1024;

/// How long SQS keeps a message where nobody has said otherwise, and where it does not tell.
/// Source: Amazon SQS API Reference, "`SetQueueAttributes`".
const RETENTION: Duration = Duration::from_hours(24 * 4);

/// Where live waits while the history is sent.
pub(crate) struct Follow {
    /// What holds for all keys.
    pub stream: Arc<dyn StreamStore>,
    /// Where notifications wait.
    pub notifications: NotificationQueue,
    /// Whether they are received.
    pub receiving: Receiving,
}

/// The configuration of jobs of one bucket.
pub(crate) fn config(
    common: Config,
    bucket: String,
    failure_queue: Option<String>,
) -> ReseedConfig {
    ReseedConfig {
        common,
        bucket,
        table: String::new(),
        plan_bucket: String::new(),
        failure_queue,
        follow: None,
        salt: Some(fastrand::u64(..)),
        lease: DEFAULT_LEASE,
    }
}

/// How segments work.
pub(crate) fn settings(config: &ReseedConfig) -> SegmentSettings {
    let region = config.common.region.clone();
    let mut settings = SegmentSettings::new(region, fastrand::u64(..));
    settings.scan.memory_budget = SCAN_MEMORY;
    settings
}

/// Everything that jobs touch. Live may follow one where there is `follow`.
pub(crate) async fn ports(
    config: &ReseedConfig,
    (sdk, client): (&SdkConfig, SqsClient),
    state: &Path,
    continuation: Arc<dyn Continuation>,
    follow: Option<Follow>,
) -> Ports {
    let live = match follow {
        None => None,
        Some(follow) => Some(LivePorts {
            retention: retention(follow.notifications.retention().await),
            stream: follow.stream,
            queue: Target::parse(&config.common.queue_url),
            buffer_url: Some(follow.notifications.url().to_owned()),
            mapping: Some(Arc::new(follow.receiving)),
            bucket_clock: Arc::new(S3Clock::new(sdk::s3(sdk), config.bucket.clone())),
            on_its_way: BUDGET + GRACE,
        }),
    };
    Ports {
        lister: Arc::new(S3Lister::new(sdk, config.bucket.clone())),
        plans: Arc::new(LocalPlans::new(state.to_owned())),
        elsewhere: Some(Arc::new(S3Elsewhere::new(sdk::s3(sdk)))),
        queues: Arc::new(ServedQueues {
            sqs: SqsQueues {
                client,
                failure_queue: config.failure_queue.clone(),
            },
            state: state.to_owned(),
        }),
        jobs: Arc::new(LocalJobs::new(state.to_owned())),
        continuation,
        clock: Arc::new(SystemClock),
        live,
    }
}

/// How long notifications are kept, by what their queue has answered.
fn retention(answer: Result<Option<Duration>, RequestError>) -> Duration {
    match answer {
        Ok(Some(retention)) => retention,
        Ok(None) => RETENTION,
        Err(error) => {
            let days = RETENTION.as_secs() / 86_400;
            tracing::warn!(%error, days, "how long notifications are kept is not known: taken to be so many days");
            RETENTION
        }
    }
}

#[cfg(test)]
mod tests {
    use bridge_core::failure::FailureKind;

    use super::*;

    #[test]
    fn notifications_are_kept_as_long_as_their_queue_says_and_else_as_sqs_does() {
        let error = RequestError {
            kind: FailureKind::Permanent,
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
        };
        let hour = Duration::from_hours(1);
        assert_eq!(retention(Ok(Some(hour))), hour);
        assert_eq!(retention(Ok(None)), Duration::from_hours(96));
        assert_eq!(retention(Err(error)), Duration::from_hours(96));
    }
}
