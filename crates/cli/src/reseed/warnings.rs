//! What keeps a job from being what somebody may take it for: the whole history, in order.

use std::sync::Arc;
use std::time::Duration;

use bridge_aws::sdk;
use bridge_aws::signed::bucket::SignedBucket;
use bridge_aws::signed::s3::S3Client;
use bridge_core::queue::ordering::is_fifo;
use bridge_core::watched::{Versioned, Versioning};
use tokio::time::timeout;

use crate::arguments::ReseedArguments;
use crate::preflight::Preflight;
use crate::reseed::Task;
use crate::reseed::scope::Scope;
use crate::tell;

/// The longest that the bucket is asked: a job does not wait for a warning.
const ANSWER: Duration = Duration::from_secs(8);

/// How versions are kept from now on.
const ENABLE: &str = "`aws s3api put-bucket-versioning` keeps it from now on";

/// Says all that is to be said of a new job.
pub(super) async fn tell_of(
    task: &Task,
    preflight: &Preflight<'_>,
    scope: &Scope,
    arguments: &ReseedArguments,
) -> Vec<String> {
    if let Task::Resume(_) = task {
        return Vec::new();
    }
    let s3 = Arc::new(S3Client::new(preflight.sdk, sdk::connector()));
    let bucket = SignedBucket::new(s3, scope.bucket.clone());
    let listed = preflight.lister.map(|_| &bucket as &dyn Versioned);
    let warnings = of(listed, scope, arguments).await;
    for warning in &warnings {
        tell(&format!("warning: {warning}"));
    }
    warnings
}

async fn of(
    bucket: Option<&dyn Versioned>,
    scope: &Scope,
    arguments: &ReseedArguments,
) -> Vec<String> {
    let of_bucket = match bucket {
        // The present state is there in any case.
        Some(bucket) if !arguments.selection.current_only => {
            // Who may not ask, or asks a server that does not know the question, is not told.
            let answer = timeout(ANSWER, bucket.versioning()).await;
            answer
                .ok()
                .and_then(Result::ok)
                .and_then(|versioning| of_versioning(&scope.bucket, versioning))
        }
        _ => None,
    };
    let url = scope.target.queue_url();
    // Who says an order knows: no other than `none` is allowed there.
    let unordered = url.filter(|url| !is_fifo(url) && arguments.selection.order.is_none());
    let of_queue = unordered.map(|url| {
        format!(
            "{url} is a standard queue, which keeps no order: a consumer may get a key's older version behind its newer \
             one (a FIFO queue keeps the order)"
        )
    });
    of_bucket.into_iter().chain(of_queue).collect()
}

fn of_versioning(bucket: &str, versioning: Versioning) -> Option<String> {
    match versioning {
        Versioning::Enabled => None,
        Versioning::Suspended => Some(format!(
            "versioning of bucket {bucket} is suspended: what was overwritten or deleted since is in no history; {ENABLE}"
        )),
        Versioning::Never => Some(format!(
            "bucket {bucket} was never versioned: this is its present state, and no history; {ENABLE}"
        )),
    }
}
