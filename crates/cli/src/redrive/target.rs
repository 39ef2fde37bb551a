//! Where the messages of a failure queue go again: back into a queue, or to the function that failed.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System};
use bridge_aws::request_error::RequestError;
use bridge_core::queue::ordering::is_fifo;
use bridge_core::text::{MOST_SHOWN, shown};
use serde_json::{Value, json};

use crate::redrive::record::{Record, is_called, name_of, parked};
use crate::{Usage, tell};

/// The longest that an invocation may take: Lambda ends a function after fifteen minutes, most much
/// sooner, and says so.
const INVOCATION: Duration = Duration::from_secs(15 * 60 + 5);

/// What became of a message that did not fail.
pub(super) enum Done {
    /// It was sent again.
    Sent,
    /// It is an invocation of this other function.
    Left(String),
    /// It is an event of a reseed that no queue takes, and this tells which.
    Parked(String),
}

/// Where messages go again.
pub(super) enum Target {
    /// The queue of this URL.
    Queue(String),
    /// The function of this name or ARN.
    Function(aws_sdk_lambda::Client, String),
}

impl Target {
    /// Sends a message of the failure queue again, unless it is left there.
    ///
    /// # Errors
    /// Why it could not be; it stays.
    pub(super) async fn send_again(
        &self,
        sqs: &aws_sdk_sqs::Client,
        message: &Message,
    ) -> anyhow::Result<Done> {
        if let Some(event) = parked(message) {
            return Ok(Done::Parked(event));
        }
        match self {
            Self::Queue(url) => send(sqs, url, message).await.map(|()| Done::Sent),
            Self::Function(lambda, function) => invoke(lambda, function, message).await,
        }
    }

    /// Whether there is such a function, without invoking it: nothing else shows it where a queue is empty, and "nothing to
    /// send again" would be taken for well.
    ///
    /// # Errors
    /// [`Usage`] for a function that Lambda does not know, or that may not be invoked; else Lambda's.
    pub(super) async fn ask_first(&self) -> anyhow::Result<()> {
        let Self::Function(lambda, function) = self else {
            return Ok(());
        };
        let request = lambda.invoke().function_name(function);
        let request = request.invocation_type(InvocationType::DryRun);
        // What a server that knows no dry run invokes does no harm.
        let health = json!({ "action": "health" });
        let answer = request.payload(Blob::new(health.to_string())).send().await;
        let Err(error) = answer else {
            return Ok(());
        };
        let error = RequestError::of(&error);
        let advice = match error.code.as_str() {
            "ResourceNotFoundException" => {
                "is its name right (the stack's output RealtimeFunction)?"
            }
            code if code.contains("AccessDenied") => {
                "the credentials need lambda:InvokeFunction on it"
            }
            _ => return Err(anyhow!("{error}").context(format!("asking for function {function}"))),
        };
        Err(Usage(format!("--invoke: function {function}: {error}: {advice}")).into())
    }

    /// After so many failures in a row it ends: a dead letter may not be overtaken by later ones. A
    /// function is first asked whether it is well.
    pub(super) fn most_failures(&self) -> usize {
        match self {
            Self::Queue(_) => 1,
            Self::Function(..) => 10,
        }
    }

    /// Whether what has failed so often in a row is at fault by itself: a function that says it is well
    /// continues with the others, as whoever may put objects may also spoil ten notifications.
    pub(super) async fn is_well(&self) -> bool {
        let Self::Function(lambda, function) = self else {
            return false;
        };
        let health = json!({ "action": "health" });
        match call(lambda, function, &health).await {
            Ok(_) => {
                tell(&format!(
                    "{function} says that it is well: continuing with the others"
                ));
                true
            }
            Err(error) => {
                let reason = format!("{error:#}");
                tell(&format!(
                    "{function} is not well: {}",
                    shown(&reason, MOST_SHOWN)
                ));
                false
            }
        }
    }
}

/// Back into a queue, with its group. The deduplication id is the message's own in the failure
/// queue: the first one may still be remembered.
async fn send(sqs: &aws_sdk_sqs::Client, url: &str, message: &Message) -> anyhow::Result<()> {
    let system = |name| message.attributes().and_then(|a| a.get(&name)).cloned();
    let mut request = sqs
        .send_message()
        .queue_url(url)
        .message_body(message.body().unwrap_or_default())
        .set_message_attributes(message.message_attributes().cloned());
    if is_fifo(url) {
        let group = system(System::MessageGroupId).context("it has no message group")?;
        request = request
            .message_group_id(group)
            .message_deduplication_id(message.message_id().unwrap_or_default());
    }
    request
        .send()
        .await
        .map_err(|e| anyhow!("{}", RequestError::of(&e)))
        .with_context(|| format!("sending to {url}"))?;
    Ok(())
}

/// Invokes the function with what was not handled, which must succeed.
async fn invoke(
    lambda: &aws_sdk_lambda::Client,
    function: &str,
    message: &Message,
) -> anyhow::Result<Done> {
    let (payload, is_batch) = match Record::of(message)? {
        Record::Invocation {
            function: other, ..
        } if !is_called(&other, function) => {
            return Ok(Done::Left(shown(name_of(&other), MOST_SHOWN)));
        }
        Record::Invocation { payload, .. } => (payload, false),
        Record::Batch(batch) => (batch, true),
    };
    let answer = call(lambda, function, &payload).await?;
    if is_batch && has_failures(&answer) {
        bail!("{function} failed again; its log tells why, with this message's id");
    }
    Ok(Done::Sent)
}

/// Invokes the function, which must succeed; its answer.
async fn call(
    lambda: &aws_sdk_lambda::Client,
    function: &str,
    payload: &Value,
) -> anyhow::Result<Value> {
    let limits = TimeoutConfig::builder().operation_attempt_timeout(INVOCATION);
    let limits = aws_sdk_lambda::config::Config::builder().timeout_config(limits.build());
    let answer = lambda
        .invoke()
        .function_name(function)
        .payload(Blob::new(payload.to_string()))
        .customize()
        .config_override(limits)
        .send()
        .await
        .map_err(|e| anyhow!("{}", RequestError::of(&e)))
        .with_context(|| format!("invoking {function}"))?;
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    if answer.function_error().is_some() {
        bail!(
            "{function} failed again: {}",
            String::from_utf8_lossy(payload)
        );
    }
    // No answer is none.
    Ok(serde_json::from_slice(payload).unwrap_or_default())
}

/// Whether the answer to a batch names messages that failed.
/// Source: AWS Lambda Developer Guide, "Implementing partial batch responses".
fn has_failures(answer: &Value) -> bool {
    let failures = answer["batchItemFailures"].as_array();
    failures.is_some_and(|failures| !failures.is_empty())
}
