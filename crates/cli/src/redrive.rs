//! `redrive`: what lies in a failure queue is sent again.
//!
//! - The `OnFailure` queue holds invocations that Lambda gave up, and notifications that did not get
//!   as far (from the buffer, or from `EventBridge`): the function is invoked with each.
//! - The dead-letter queue holds messages that the consumer gave up: each goes back into its queue.
//!
//! A message is deleted only once that has succeeded, so an interrupt or a failure repeats one and
//! loses none. What fails again stays; notifications behind it go on, dead letters do not, as they
//! would overtake it.

use anyhow::{Context as _, bail};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System};
use bridge_aws::sdk;
use bridge_core::config::{check_queue_url, is_fifo};
use clap::Args;
use serde_json::{Value, json};

use crate::{Outcome, Usage};

/// Messages asked for in one request, and how long the queue may think about it, seconds.
const BATCH: i32 = 10;
const WAIT: i32 = 2;

/// Nobody else gets a message for so long, seconds: an invocation of realtime takes at most a minute.
const HIDDEN: i32 = 120;

/// Options of `redrive`.
#[derive(Debug, Args)]
pub struct RedriveArguments {
    /// The failure queue
    #[arg(long, value_name = "URL")]
    from: String,
    /// Send its messages to this queue (from a dead-letter queue)
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "invoke",
        required_unless_present = "invoke"
    )]
    to: Option<String>,
    /// Invoke this function with what each message kept (from the `OnFailure` queue)
    #[arg(long, value_name = "FUNCTION")]
    invoke: Option<String>,
}

/// Sends again what the queue holds, until it is empty, holds only what fails again, or too much
/// fails.
///
/// # Errors
/// What failed; what was not sent again is still in the queue.
pub async fn run(arguments: RedriveArguments) -> anyhow::Result<Outcome> {
    let check = |name, url: &str| check_queue_url(name, url).map_err(|e| Usage(e.to_string()));
    check("--from", &arguments.from)?;
    let config = sdk::load().await;
    let sqs = aws_sdk_sqs::Client::new(&config);
    let target = match (arguments.to, arguments.invoke) {
        (Some(to), _) => {
            check("--to", &to)?;
            Target::Queue(to)
        }
        (None, Some(function)) => Target::Function(aws_sdk_lambda::Client::new(&config), function),
        (None, None) => return Err(Usage("--to or --invoke: one is required".to_owned()).into()),
    };
    let mut sent = 0_u64;
    let mut failed: Vec<(String, anyhow::Error)> = Vec::new();
    let mut in_a_row = 0;
    'queue: loop {
        let answer = sqs
            .receive_message()
            .queue_url(&arguments.from)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(WAIT)
            .visibility_timeout(HIDDEN)
            .message_attribute_names("All")
            .message_system_attribute_names(System::All)
            .send()
            .await
            .with_context(|| format!("reading {}", arguments.from))?;
        // After a while those that failed are seen again.
        let is_new = |m: &&Message| failed.iter().all(|(id, _)| m.message_id() != Some(id));
        let messages: Vec<_> = answer.messages().iter().filter(is_new).collect();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let id = message.message_id().unwrap_or_default();
            if let Err(error) = send_again(&sqs, &target, message).await {
                eprintln!("message {id} stays: {error:#}");
                failed.push((id.to_owned(), error));
                in_a_row += 1;
                if in_a_row >= target.patience() {
                    break 'queue;
                }
                continue;
            }
            in_a_row = 0;
            sqs.delete_message()
                .queue_url(&arguments.from)
                .receipt_handle(message.receipt_handle().unwrap_or_default())
                .send()
                .await
                .with_context(|| format!("message {id} was sent again, but not deleted"))?;
            sent += 1;
        }
    }
    let stay = failed.len();
    if let Some((id, first)) = failed.into_iter().next() {
        let from = &arguments.from;
        return Err(first.context(format!(
            "{sent} were sent again; {stay} failed again and stay in {from}, with what may be behind \
             them; message {id}"
        )));
    }
    println!("{}", json!({ "redriven": sent }));
    Ok(Outcome::Done)
}

enum Target {
    Queue(String),
    Function(aws_sdk_lambda::Client, String),
}

impl Target {
    /// After so many failures in a row it ends: a dead letter may not be overtaken by later ones, and
    /// a function that fails ten times is at fault itself.
    fn patience(&self) -> usize {
        match self {
            Self::Queue(_) => 1,
            Self::Function(..) => 10,
        }
    }
}

async fn send_again(
    sqs: &aws_sdk_sqs::Client,
    target: &Target,
    message: &Message,
) -> anyhow::Result<()> {
    match target {
        Target::Queue(url) => send(sqs, url, message).await,
        Target::Function(lambda, function) => invoke(lambda, function, message).await,
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
        .with_context(|| format!("sending to {url}"))?;
    Ok(())
}

/// Invokes the function with what was not handled, which must succeed. Lambda wraps the input of an
/// invocation that it gave up; SQS and `EventBridge` keep a message as it was.
/// Source: AWS Lambda Developer Guide, "Capturing records of asynchronous invocations".
async fn invoke(
    lambda: &aws_sdk_lambda::Client,
    function: &str,
    message: &Message,
) -> anyhow::Result<()> {
    let record: Value = serde_json::from_str(message.body().unwrap_or_default())
        .context("it is not JSON; is this the `OnFailure` queue?")?;
    let payload = record.get("requestPayload").unwrap_or(&record);
    let answer = lambda
        .invoke()
        .function_name(function)
        .payload(Blob::new(payload.to_string()))
        .send()
        .await
        .with_context(|| format!("invoking {function}"))?;
    if answer.function_error().is_some() {
        let told = answer.payload().map(Blob::as_ref).unwrap_or_default();
        bail!("{function} failed again: {}", String::from_utf8_lossy(told));
    }
    Ok(())
}
