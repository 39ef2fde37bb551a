//! `redrive`: what lies in a failure queue is sent again.
//!
//! - The `OnFailure` queue holds invocations that Lambda abandoned, and notifications that did not get
//!   as far (from the buffer, or from `EventBridge`): the function is invoked with each ([`record`]).
//! - The dead-letter queue holds messages that the consumer could not process: each goes back into its queue.
//!
//! A message is deleted only once that has succeeded, so an interrupt or a failure repeats one and
//! loses none. What fails again stays; notifications behind it continue, dead letters do not, as they
//! would overtake it. What is another function's stays too, and so do events that a reseed parked, which
//! no queue would take. All that stays can be read again at once.

mod record;
mod target;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Visibility, Message,
    MessageSystemAttributeName as System, QueueAttributeName,
};
use bridge_aws::request_error::RequestError;
use bridge_aws::sdk;
use bridge_aws::sender::SqsClient;
use bridge_core::config::check_queue_url;
use bridge_core::text::{MOST_SHOWN, shown};
use clap::{ArgGroup, Args};
use serde_json::json;
use target::{Done, Target};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::answer::answer;
use crate::interrupt::stop_on_interrupt;
use crate::numbers::{count, grouped};
use crate::preflight::{ask_other, ask_source};
use crate::serve::queue_client::NotificationQueue;
use crate::{Outcome, Usage, tell};

/// Messages asked for in one request, and how long the queue may think about it, seconds.
const BATCH: i32 = 10;
const WAIT: i32 = 2;

/// Nobody else gets a message for so long, seconds, unless it is renewed.
const HIDDEN: i32 = 120;

/// How often that is renewed while something is worked on.
const RENEW: Duration = Duration::from_secs(40);

/// Options of `redrive`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("target").args(["to", "invoke"]).required(true)))]
pub(crate) struct RedriveArguments {
    /// The failure queue: the stack's output `OnFailureQueueUrl` or `DeadLetterQueueUrl`
    #[arg(long, value_name = "URL")]
    from: String,
    /// Send the messages of a dead-letter queue to this queue: the stack's output `QueueUrl`
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Invoke this function with what each message of the `OnFailure` queue kept: the stack's output
    /// `RealtimeFunction`
    #[arg(long, value_name = "FUNCTION")]
    invoke: Option<String>,
    /// Tell the end as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// Sends again what the queue holds, until it is empty, holds only what stays, or too much fails.
///
/// # Errors
/// What failed; what was not sent again is still in the queue.
pub(crate) async fn run(account: &Account, arguments: RedriveArguments) -> anyhow::Result<Outcome> {
    let check = |name, url: &str| check_queue_url(name, url).map_err(|e| Usage(e.to_string()));
    check("--from", &arguments.from)?;
    if let Some(to) = &arguments.to {
        check("--to", to)?;
        if is_same_queue(&arguments.from, to) {
            return Err(Usage(format!(
                "--to: {to} is the queue of --from: what is sent again would be found there again, without end"
            ))
            .into());
        }
    }
    let config = account.open("queue").await?;
    let from = NotificationQueue::new(sdk::sqs(&config), arguments.from.clone());
    ask_source(&config, &from).await?;
    if let Some(to) = &arguments.to {
        let queue = SqsClient::new(&config, sdk::connector()).queue(to.clone());
        ask_other(&config, &*queue, to).await?;
    }
    let target = match (arguments.to, arguments.invoke) {
        (Some(to), _) => Target::Queue(to),
        (None, Some(function)) => Target::Function(sdk::lambda(&config), function),
        (None, None) => return Err(Usage("--to or --invoke: one is required".to_owned()).into()),
    };
    let mut redrive = Redrive {
        sqs: sdk::sqs(&config),
        from: arguments.from,
        target,
        is_json: arguments.json,
        sent: 0,
        failed: Vec::new(),
        left: 0,
        parked: 0,
        stay: BTreeMap::new(),
    };
    let stop = stop_on_interrupt(|| {
        tell("stopping after the message that is on its way; once more to stop at once");
    })?;
    let worked = redrive.work(&stop).await;
    redrive.release().await;
    if worked.is_ok() && redrive.has_seen_nothing() && !stop.is_cancelled() {
        redrive.target.ask_first().await?;
    }
    redrive.tell(worked, stop.is_cancelled()).await
}

/// Whether two URLs name one queue. Their hosts do not matter: both are asked of the same, which goes by account and name.
fn is_same_queue(one: &str, other: &str) -> bool {
    fn path(url: &str) -> impl Iterator<Item = &str> {
        let url = url.split(['?', '#']).next().unwrap_or(url);
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split('/').skip(1).filter(|part| !part.is_empty())
    }
    path(one).eq(path(other))
}

struct Redrive {
    sqs: aws_sdk_sqs::Client,
    from: String,
    target: Target,
    is_json: bool,
    sent: u64,
    /// What failed again, and why, with the message's id.
    failed: Vec<(String, anyhow::Error)>,
    /// Messages that are another function's.
    left: u64,
    /// Events that a reseed parked.
    parked: u64,
    /// Receipts of what was received and is not deleted, by id.
    stay: BTreeMap<String, String>,
}

impl Redrive {
    async fn work(&mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut in_a_row = 0;
        while !stop.is_cancelled() {
            let mut messages = self.receive().await?;
            // What stays is seen again once it is hidden no more.
            messages.retain(|m| !self.stay.contains_key(m.message_id().unwrap_or_default()));
            if messages.is_empty() {
                return Ok(());
            }
            for message in &messages {
                let receipt = message.receipt_handle().unwrap_or_default();
                self.stay.insert(id_of(message), receipt.to_owned());
            }
            for message in messages.iter().take_while(|_| !stop.is_cancelled()) {
                match self.send_again(message).await {
                    Ok(Done::Sent) => {
                        self.delete(message).await?;
                        in_a_row = 0;
                    }
                    Ok(Done::Left(function)) => {
                        let id = id_of(message);
                        tell(&format!(
                            "message {id} is left: it is an invocation of {function}"
                        ));
                        self.left += 1;
                    }
                    Ok(Done::Parked(event)) => {
                        let id = id_of(message);
                        tell(&format!(
                            "message {id} is left: it is a parked event, {event}"
                        ));
                        self.parked += 1;
                    }
                    Err(error) => {
                        let id = id_of(message);
                        let reason = format!("{error:#}");
                        tell(&format!(
                            "message {id} stays: {}",
                            shown(&reason, MOST_SHOWN)
                        ));
                        self.failed.push((id, error));
                        in_a_row += 1;
                        if in_a_row >= self.target.most_failures() {
                            if !self.target.is_well().await {
                                return Ok(());
                            }
                            in_a_row = 0;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn receive(&self) -> anyhow::Result<Vec<Message>> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(&self.from)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(WAIT)
            .visibility_timeout(HIDDEN)
            .message_attribute_names("All")
            .message_system_attribute_names(System::All)
            .send()
            .await
            .map_err(|e| anyhow!("{}", RequestError::of(&e)))
            .with_context(|| format!("reading {}", self.from))?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Does it, however long it takes: what waits stays hidden.
    async fn send_again(&self, message: &Message) -> anyhow::Result<Done> {
        let mut work = std::pin::pin!(self.target.send_again(&self.sqs, message));
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = sleep(RENEW) => self.hide(HIDDEN).await,
            }
        }
    }

    async fn delete(&mut self, message: &Message) -> anyhow::Result<()> {
        let id = id_of(message);
        self.sqs
            .delete_message()
            .queue_url(&self.from)
            .receipt_handle(message.receipt_handle().unwrap_or_default())
            .send()
            .await
            .map_err(|e| anyhow!("{}", RequestError::of(&e)))
            .with_context(|| format!("message {id} was sent again, but not deleted"))?;
        self.stay.remove(&id);
        self.sent += 1;
        Ok(())
    }

    /// Hides what is not deleted for so many seconds from now. If that fails it is seen earlier or
    /// later than it should be, and lost in no case.
    async fn hide(&self, seconds: i32) {
        let receipts: Vec<_> = self.stay.values().collect();
        for some in receipts.chunks(10) {
            let entries = some.iter().enumerate().filter_map(|(index, receipt)| {
                let entry = Visibility::builder().id(index.to_string());
                let entry = entry.receipt_handle(*receipt).visibility_timeout(seconds);
                entry.build().ok()
            });
            let request = self.sqs.change_message_visibility_batch();
            let request = request
                .queue_url(&self.from)
                .set_entries(Some(entries.collect()));
            if let Err(error) = request.send().await {
                tell(&format!(
                    "what stays is hidden for up to {HIDDEN} s: {}",
                    RequestError::of(&error)
                ));
            }
        }
    }

    /// Whether nothing has shown that the target is there.
    fn has_seen_nothing(&self) -> bool {
        self.sent == 0 && self.failed.is_empty() && self.left == 0 && self.parked == 0
    }

    /// Lets what stays be read again at once.
    async fn release(&self) {
        self.hide(0).await;
    }

    /// Says how it ended: `worked`, or was interrupted.
    async fn tell(
        mut self,
        worked: anyhow::Result<()>,
        is_interrupted: bool,
    ) -> anyhow::Result<Outcome> {
        let (from, sent, left, parked) = (&self.from, self.sent, self.left, self.parked);
        if parked > 0 {
            tell(&format!(
                "left in {from}: {} of a reseed, which their queue does not take. Read there what they say, tell the \
                 consumer, then delete them (docs/OPERATIONS.md, \"Parked events\")",
                count(parked, "parked event")
            ));
        }
        let failed = self.failed.len();
        let done = format!("{} sent again", count(sent, "message"));
        let worked = match (worked, self.failed.drain(..).next()) {
            (Err(error), _) => Err(error.context(done.clone())),
            (Ok(()), Some((id, first))) => Err(first.context(format!(
                "{done}; {failed} failed again, left in {from} with what may be behind; message {id}"
            ))),
            (Ok(()), None) => hidden(&self.sqs, from).await,
        };
        // What stays and was let go again does not count: it is known.
        let known = self.stay.len() as u64;
        let worked = worked.map(|hidden| hidden.saturating_sub(known));
        if self.is_json {
            let (hidden, error) = match &worked {
                Ok(hidden) => (Some(hidden), None),
                Err(error) => (None, Some(format!("{error:#}"))),
            };
            let told = json!({ "redriven": sent, "failed": failed, "left": left, "parked": parked,
                "hidden": hidden, "error": error });
            answer(&told.to_string())?;
        }
        let hidden = worked?;
        if !self.is_json {
            let stay = match left + parked {
                0 => String::new(),
                stay => format!(", {} left in the queue", grouped(stay)),
            };
            let is_empty = (sent, left, parked, hidden) == (0, 0, 0, 0) && !is_interrupted;
            answer(&if is_empty {
                format!("{from} is empty: there is nothing to send again")
            } else {
                format!("{done}{stay}")
            })?;
        }
        if is_interrupted {
            tell(&format!(
                "interrupted: what may be left in {from} can be read again; to continue run it again"
            ));
            return Ok(Outcome::Interrupted);
        }
        if hidden == 0 {
            return Ok(Outcome::Done);
        }
        tell(&format!(
            "hidden in {from}: {}, read within its visibility timeout or the last {HIDDEN} s, perhaps by a redrive \
             that was killed; run it again after that",
            count(hidden, "message")
        ));
        Ok(Outcome::Interrupted)
    }
}

fn id_of(message: &Message) -> String {
    message.message_id().unwrap_or_default().to_owned()
}

/// Messages that somebody has received and not deleted (approximate).
async fn hidden(sqs: &aws_sdk_sqs::Client, url: &str) -> anyhow::Result<u64> {
    let name = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
    let answer = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(name.clone())
        .send()
        .await
        .map_err(|e| anyhow!("{}", RequestError::of(&e)))
        .with_context(|| format!("asking {url} how many messages are hidden"))?;
    let attributes = answer.attributes();
    Ok(attributes
        .and_then(|attributes| attributes.get(&name)?.parse().ok())
        .unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_the_same_whatever_host_it_is_named_by() {
        let url = "https://sqs.eu-west-1.amazonaws.com/1/q.fifo";
        for same in [
            "https://eu-west-1.queue.amazonaws.com/1/q.fifo",
            "https://SQS.eu-west-1.amazonaws.com:443//1/q.fifo",
            "http://localhost:4566/1/q.fifo?",
        ] {
            assert!(is_same_queue(url, same), "{same}");
        }
        for other in ["2/q.fifo", "1/q", "1/1/q.fifo"] {
            let other = format!("https://sqs.eu-west-1.amazonaws.com/{other}");
            assert!(!is_same_queue(url, &other), "{other}");
        }
    }
}
