//! What `status` tells of a hold, and the end of one whose job is gone.

use bridge_core::live::store::LiveStoreError;
use bridge_core::live::stream::Hold;
use bridge_core::queue::error::SendError;
use bridge_core::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::id::JobId;
use crate::job::ports::Ports;
use crate::job::store::JobStore;
use crate::job::tend::let_go;

/// Who holds live changes back, since when, and how many wait; `None` where nobody does. That the buffer does
/// not tell its depth is part of the answer.
///
/// # Errors
/// The live table's.
pub async fn hold(ports: &Ports) -> Result<Option<Value>, LiveStoreError> {
    let Some(live) = &ports.live else {
        return Ok(None);
    };
    let Some(hold) = live.stream.read().await?.hold else {
        return Ok(None);
    };
    let depth = match &live.buffer_url {
        Some(url) => Some((url.as_str(), ports.queues.open(url).depth().await)),
        None => None,
    };
    let mut told = told(&hold, ports.clock.now(), depth);
    if is_orphan(&hold, &*ports.jobs).await {
        told["jobIsGone"] = true.into();
    }
    Ok(Some(told))
}

/// Whether the job of a hold is gone, which alone would have ended it. One that cannot be read is not.
pub async fn is_orphan(hold: &Hold, jobs: &dyn JobStore) -> bool {
    let job_id = JobId::stored(hold.owner.clone());
    matches!(jobs.load(&job_id).await, Ok(None))
}

/// Ends the hold of a job that is gone, as cancelling the job would have. Answers whether there was one.
///
/// # Errors
/// The live table's, or the mapping's.
pub(super) async fn end_orphan(ports: &Ports, job_id: &JobId) -> Result<bool, LiveStoreError> {
    let Some(live) = &ports.live else {
        return Ok(false);
    };
    let hold = live.stream.read().await?.hold;
    let Some(hold) = hold.filter(|hold| hold.owner == job_id.as_str()) else {
        return Ok(false);
    };
    let_go(live, &hold.owner).await?;
    tracing::warn!(job = %job_id, "its job is gone: live goes on from where it was");
    Ok(true)
}

/// How old the oldest message is, SQS does not say to who asks a queue for its attributes; `seconds` is what it
/// comes to (docs/decisions/0029-hold-and-release.md).
fn told(hold: &Hold, now: Timestamp, depth: Option<(&str, Result<u64, SendError>)>) -> Value {
    let mut told = json!({
        "owner": hold.owner,
        "since": hold.since,
        "seconds": now.since(hold.since).as_secs(),
    });
    if let Some((url, depth)) = depth {
        told["buffer"] = match depth {
            Ok(depth) => json!({ "url": url, "depth": depth }),
            Err(refusal) => json!({ "url": url, "error": refusal.to_string() }),
        };
    }
    told
}

#[cfg(test)]
mod tests {
    use bridge_core::failure::FailureKind;

    use super::*;

    const BUFFER: &str = "https://sqs.eu-west-1.amazonaws.com/1/buffer";

    fn hold() -> Hold {
        Hold {
            owner: "20240501-1a2b3c4d-1".to_owned(),
            since: Timestamp(1_000),
        }
    }

    #[test]
    fn a_hold_tells_since_when_changes_wait_and_how_many() {
        let found = told(&hold(), Timestamp(91_999), Some((BUFFER, Ok(7))));
        let expected = json!({
            "owner": "20240501-1a2b3c4d-1",
            "since": Timestamp(1_000),
            "seconds": 90,
            "buffer": { "url": BUFFER, "depth": 7 },
        });
        assert_eq!(found, expected);
        let found = told(&hold(), Timestamp(0), None);
        assert_eq!(found["seconds"], 0, "a clock that is behind");
        assert_eq!(found.get("buffer"), None);
    }

    #[test]
    fn a_buffer_that_may_not_be_asked_is_told_and_hides_nothing_else() {
        let refused = SendError {
            kind: FailureKind::Permanent,
            code: "AccessDenied".to_owned(),
            message: "not authorized to perform sqs:GetQueueAttributes".to_owned(),
        };
        let found = told(&hold(), Timestamp(2_000), Some((BUFFER, Err(refused))));
        assert_eq!(found["owner"], "20240501-1a2b3c4d-1");
        assert_eq!(found["seconds"], 1);
        let error = found["buffer"]["error"].as_str().unwrap();
        assert!(error.contains("sqs:GetQueueAttributes"), "{error}");
        assert_eq!(found["buffer"].get("depth"), None);
    }
}
