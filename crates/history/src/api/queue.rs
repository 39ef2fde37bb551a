//! Whether the queue that a job would be sent to may be used.

use bridge_core::failure::FailureKind;
use bridge_core::queue::error::SendError;
use bridge_core::queue::permission::may_send;

use crate::job::error::JobError;
use crate::job::ports::Queues;

/// Asks the queue that a job would be sent to about itself: what is wrong with it would otherwise be
/// found after the whole scan. A fault that may pass does not delay the job.
///
/// # Errors
/// [`JobError::BadRequest`] when it is not there or may not be used.
pub async fn ask(queues: &dyn Queues, url: &str) -> Result<(), JobError> {
    let refused = |tried: &str, refusal: &SendError| {
        let text = format!(
            "queueUrl: asked queue {url} {tried}: {}: {}; allowed is a queue that is there and that \
             this function may send to (the stack's, or ReplayQueueArn)",
            refusal.code, refusal.message
        );
        JobError::bad_request(text)
    };
    let queue = queues.open(url);
    match queue.max_message_bytes().await {
        Err(refusal) if refusal.kind == FailureKind::Permanent => {
            Err(refused("for its attributes", &refusal))
        }
        Ok(_) => may_send(&*queue)
            .await
            .map_err(|refusal| refused("whether it may be sent to", &refusal)),
        Err(refusal) => {
            tracing::warn!(url, %refusal, "the queue could not be asked; the job starts all the same");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use bridge_core::queue::message::Message;
    use bridge_core::queue::port::{EntryResult, Queue};

    use super::*;

    /// A queue that answers so when it is asked about itself.
    #[derive(Clone)]
    struct Asked(Result<usize, SendError>, Result<(), SendError>);

    #[async_trait]
    impl Queue for Asked {
        async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
            assert!(messages.is_empty(), "it is only asked");
            self.1.clone().map(|()| vec![])
        }

        async fn depth(&self) -> Result<u64, SendError> {
            panic!("it is only asked for what every queue has");
        }

        async fn max_message_bytes(&self) -> Result<usize, SendError> {
            self.0.clone()
        }

        fn request_timeout(&self) -> Duration {
            Duration::from_secs(1)
        }
    }

    impl Queues for Asked {
        fn open(&self, _: &str) -> Arc<dyn Queue> {
            Arc::new(self.clone())
        }
    }

    #[tokio::test]
    async fn a_queue_that_is_refused_is_reported_and_one_that_is_slow_is_not_waited_for() {
        let refusal = |kind| SendError {
            kind,
            code: "QueueDoesNotExist".to_owned(),
            message: "gone".to_owned(),
        };
        let asked = async |answer| ask(&Asked(answer, Ok(())), "https://x/1/q.fifo").await;
        asked(Ok(1)).await.unwrap();
        asked(Err(refusal(FailureKind::Transient))).await.unwrap();
        asked(Err(refusal(FailureKind::Throttled))).await.unwrap();
        let error = asked(Err(refusal(FailureKind::Permanent)))
            .await
            .unwrap_err();
        let told = error.to_string();
        for part in [
            "queueUrl",
            "https://x/1/q.fifo",
            "QueueDoesNotExist: gone",
            "ReplayQueueArn",
        ] {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
    }

    #[tokio::test]
    async fn a_queue_that_may_be_asked_and_not_sent_to_is_reported() {
        let answers = |code: &str| {
            let refusal = SendError {
                kind: FailureKind::Permanent,
                code: code.to_owned(),
                message: "no".to_owned(),
            };
            Asked(Ok(1), Err(refusal))
        };
        let error = ask(&answers("AccessDenied"), "https://x/1/q.fifo").await;
        let told = error.unwrap_err().to_string();
        for part in [
            "queueUrl",
            "may be sent to: AccessDenied: no",
            "ReplayQueueArn",
        ] {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
        let empty = answers("AWS.SimpleQueueService.EmptyBatchRequest");
        ask(&empty, "https://x/1/q.fifo").await.unwrap();
    }
}
