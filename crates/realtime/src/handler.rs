//! From an invocation's input to Lambda's answer. What happens in between is `bridge_core::realtime`.

use std::time::{Duration, SystemTime};

use bridge_core::clock::time_left;
use bridge_core::notification;
use bridge_core::notification::Input;
use bridge_core::queue::port::Queue;
use bridge_core::realtime::error::ForwardError;
use bridge_core::realtime::forwarder::Forwarder;
use bridge_core::realtime::invocation::Invocation;
use metrics::counter;
use serde_json::{Value, json};

/// Kept back from the invocation's time for the answer.
const MARGIN: Duration = Duration::from_millis(500);

/// The time to work in, given when Lambda will end the invocation.
pub(crate) fn budget(deadline: SystemTime) -> Duration {
    time_left(deadline, SystemTime::now()).saturating_sub(MARGIN)
}

/// One invocation. SQS batches are answered with their failures; anything else succeeds as a
/// whole or fails. The input, some megabytes of a thousand records, is gone before anything is sent.
///
/// # Errors
/// [`ForwardError`]
pub(crate) async fn handle<Q: Queue>(
    forwarder: &Forwarder<Q>,
    input: Value,
    invocation: &Invocation<'_>,
) -> Result<Value, ForwardError> {
    if input.get("action").is_some() {
        return forwarder.act(&input, invocation).await;
    }
    let parsed = notification::parse_input(&input);
    drop(input);
    let input = parsed.inspect_err(|error| {
        tracing::error!(%error, "the input is no notification");
        counter!("RecordsUnreadable").increment(1);
    })?;
    match input {
        Input::Direct(document) => {
            // Lambda's own retries have the id of their request.
            let done = forwarder.forward(document, false, invocation).await?;
            let mut answer = json!({
                "forwarded": done.sent, "skipped": done.skipped, "retried": done.retried
            });
            if done.late > 0 {
                answer["late"] = json!(done.late);
            }
            Ok(answer)
        }
        Input::Batch(messages) => {
            let failed = forwarder.forward_batch(messages, invocation).await;
            Ok(failures(failed))
        }
    }
}

/// The answer that lets the messages of a batch with these ids come again.
/// Source: AWS Lambda Developer Guide, "Implementing partial batch responses".
fn failures(ids: Vec<String>) -> Value {
    let failures = ids.into_iter().map(|id| json!({ "itemIdentifier": id }));
    json!({ "batchItemFailures": failures.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests;
