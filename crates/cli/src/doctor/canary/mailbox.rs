//! The queue that a canary's events must arrive in. Messages of others are hidden meanwhile, and given back.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Visibility, Message,
    MessageSystemAttributeName as System,
};
use bridge_aws::request_error::RequestError;
use bridge_core::timestamp::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::doctor::canary::object::Change;

/// The longest that events may take.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// Seconds that SQS waits for messages.
const WAIT: i32 = 5;

/// Seconds that a received message is hidden: longer than [`PATIENCE`] and a receive, so that none is received twice.
pub(super) const HIDDEN: i32 = 150;

/// Messages of others that are held, at most: half of what SQS lets a FIFO queue hide.
/// Source: Amazon SQS Developer Guide, "FIFO queue quotas".
const MOST_HELD: usize = 10_000;

/// The queue.
pub(super) struct Mailbox<'a> {
    pub(super) sqs: aws_sdk_sqs::Client,
    pub(super) queue_url: &'a str,
    /// The canary's key.
    pub(super) key: &'a str,
}

/// What was read of the queue.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// How long each change took to the queue, and as which it came, by version.
    pub(super) arrived: BTreeMap<String, (usize, Duration)>,
    /// Receipts of others' messages, which are hidden meanwhile.
    pub(super) others: Vec<String>,
}

impl Mailbox<'_> {
    /// Reads the queue until all have arrived, the time is up, or `stop`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) async fn read(
        &self,
        changes: &[Change],
        read: &mut Read,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while read.arrived.len() < changes.len()
            && read.others.len() < MOST_HELD
            && Instant::now() < end
            && !stop.is_cancelled()
        {
            // To its end in any case: what it brings would stay hidden, and nobody know its receipts.
            for message in self.receive().await? {
                let Some(version) = self.version_of(&message) else {
                    read.others.extend(message.receipt_handle);
                    continue;
                };
                let change = changes.iter().find(|change| change.version == version);
                if let Some(change) = change {
                    let took = sent_at(&message).since(change.made_at);
                    let place = read.arrived.len();
                    read.arrived.entry(version).or_insert((place, took));
                }
                self.delete(&message).await;
            }
        }
        Ok(())
    }

    async fn receive(&self) -> anyhow::Result<Vec<Message>> {
        let ask = self.sqs.receive_message().queue_url(self.queue_url);
        let ask = ask.max_number_of_messages(10).wait_time_seconds(WAIT);
        let ask = ask.visibility_timeout(HIDDEN);
        let ask = ask.message_system_attribute_names(System::SentTimestamp);
        let answer = ask.send().await;
        let answer = answer.map_err(|e| anyhow!("{}", RequestError::of(&e)));
        let answer = answer.with_context(|| format!("reading {}", self.queue_url))?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// The version that a message tells of, in either format; none of other keys.
    fn version_of(&self, message: &Message) -> Option<String> {
        version_of(message.body()?, self.key)
    }

    /// They can be received again at once. Answers how many cannot, for as long as they are hidden.
    pub(super) async fn give_back(&self, receipts: &[String]) -> usize {
        let mut hidden = 0;
        for some in receipts.chunks(10) {
            let entries = some.iter().enumerate().filter_map(|(index, receipt)| {
                let entry = Visibility::builder().id(index.to_string());
                let entry = entry.receipt_handle(receipt).visibility_timeout(0);
                entry.build().ok()
            });
            let change = self.sqs.change_message_visibility_batch();
            let change = change.queue_url(self.queue_url);
            let answer = change.set_entries(Some(entries.collect())).send().await;
            hidden += answer.map_or(some.len(), |answer| answer.failed.len());
        }
        hidden
    }

    /// If that fails, a consumer gets it.
    async fn delete(&self, message: &Message) {
        let delete = self.sqs.delete_message().queue_url(self.queue_url);
        let receipt = message.receipt_handle().unwrap_or_default();
        let _ = delete.receipt_handle(receipt).send().await;
    }
}

/// The version of `key` that a message of either format tells of, if it is of that key. The canary's keys are the same
/// encoded and not, but for what stands before them.
fn version_of(body: &str, key: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let record = &body["Records"][0]["s3"]["object"];
    let (found, version) = if record.is_object() {
        (&record["key"], &record["versionId"])
    } else {
        (&body["key"], &body["versionId"])
    };
    let end = key
        .split_once("s3-sqs-bridge-canary/")
        .map_or(key, |(_, end)| end);
    let end = end.get(..16).unwrap_or(end);
    let is_its = found
        .as_str()?
        .contains(&format!("s3-sqs-bridge-canary/{end}"));
    is_its.then(|| version.as_str().unwrap_or("null").to_owned())
}

/// When SQS took it.
fn sent_at(message: &Message) -> Timestamp {
    let attributes = message.attributes();
    let sent = attributes.and_then(|a| a.get(&System::SentTimestamp)?.parse().ok());
    Timestamp(sent.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canarys_own_messages_are_known_in_either_format() {
        let key = "a b/s3-sqs-bridge-canary/0123456789abcdef.json";
        let bridge = r#"{"key":"a b/s3-sqs-bridge-canary/0123456789abcdef.json","versionId":"v1"}"#;
        assert_eq!(version_of(bridge, key).as_deref(), Some("v1"));
        let s3 = r#"{"Records":[{"s3":{"object":{"key":"a+b/s3-sqs-bridge-canary/0123456789abcdef.json","versionId":"v2"}}}]}"#;
        assert_eq!(version_of(s3, key).as_deref(), Some("v2"));
        for other in [
            r#"{"key":"a b/s3-sqs-bridge-canary/f123456789abcdef.json","versionId":"v1"}"#,
            r#"{"key":"a b/other","versionId":"v1"}"#,
            "no JSON",
        ] {
            assert_eq!(version_of(other, key), None, "{other}");
        }
    }
}
