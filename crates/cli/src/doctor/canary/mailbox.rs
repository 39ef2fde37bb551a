//! The queue that a canary's events must arrive in. Messages of others are hidden meanwhile, and given back.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::anyhow;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Visibility, Message,
    MessageSystemAttributeName as System, QueueAttributeName,
};
use bridge_aws::request_error::RequestError;
use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::timestamp::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::doctor::canary::object::Change;
use crate::doctor::checks::redrive;

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
    /// Where it is asked.
    pub(super) region: &'a str,
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
    /// How many of these may not be received once more: they would go to the dead-letter queue.
    pub(super) used_up: u64,
}

/// A consumer must have two receives of a message beside the canary's, so that it may fail once.
const LEAST_RECEIVES: u64 = 3;

/// After how many receives the queue gives a message up.
pub(super) enum MostReceives {
    /// `None`: it never does.
    Known(Option<u64>),
    /// Why it does not say.
    Unknown(String),
}

impl MostReceives {
    /// Whether one more receive of each message is too much.
    pub(super) fn is_too_few(&self) -> Option<u64> {
        self.number().filter(|most| *most < LEAST_RECEIVES)
    }

    fn number(&self) -> Option<u64> {
        match self {
            Self::Known(most) => *most,
            Self::Unknown(_) => None,
        }
    }
}

impl Mailbox<'_> {
    /// What its redrive policy says.
    pub(super) async fn most_receives(&self) -> MostReceives {
        let ask = self.sqs.get_queue_attributes().queue_url(self.queue_url);
        let answer = ask
            .attribute_names(QueueAttributeName::RedrivePolicy)
            .send();
        match answer.await {
            Ok(answer) => {
                let all = answer.attributes.unwrap_or_default().into_iter();
                let all = all.map(|(name, value)| (name.as_str().to_owned(), value));
                MostReceives::Known(redrive(&all.collect()).map(|(_, most)| most))
            }
            Err(error) => MostReceives::Unknown(RequestError::of(&error).to_string()),
        }
    }

    /// Reads the queue until all have arrived, the time is up, a message of others may not be received any more, or `stop`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) async fn read(
        &self,
        changes: &[Change],
        most: &MostReceives,
        read: &mut Read,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while read.arrived.len() < changes.len()
            && read.others.len() < MOST_HELD
            && read.used_up == 0
            && Instant::now() < end
            && !stop.is_cancelled()
        {
            // To its end in any case: what it brings would stay hidden, and nobody know its receipts.
            let received = self.receive(WAIT).await;
            let received = received.map_err(|e| anyhow!("reading {}: {e}", self.queue_url))?;
            self.take(received, changes, most, read).await;
        }
        Ok(())
    }

    /// Reads it once, before there are any changes: whether it may be read, nothing else tells.
    ///
    /// # Errors
    /// When it may not, or is not there.
    pub(super) async fn read_first(
        &self,
        most: &MostReceives,
        read: &mut Read,
    ) -> Result<(), RequestError> {
        let received = self.receive(0).await?;
        self.take(received, &[], most, read).await;
        Ok(())
    }

    /// Takes in what was received.
    async fn take(
        &self,
        received: Vec<Message>,
        changes: &[Change],
        most: &MostReceives,
        read: &mut Read,
    ) {
        for message in received {
            let told = Told::by(message.body().unwrap_or_default(), self.key);
            for version in told.versions {
                let change = changes.iter().find(|change| change.version == version);
                if let Some(change) = change {
                    let took = sent_at(&message).since(change.made_at);
                    let place = read.arrived.len();
                    read.arrived.entry(version).or_insert((place, took));
                }
            }
            if told.is_others {
                let is_last = most.number().is_some_and(|most| receives(&message) >= most);
                read.used_up += u64::from(is_last);
                read.others.extend(message.receipt_handle);
            } else {
                self.delete(&message).await;
            }
        }
    }

    async fn receive(&self, wait: i32) -> Result<Vec<Message>, RequestError> {
        let ask = self.sqs.receive_message().queue_url(self.queue_url);
        let ask = ask.max_number_of_messages(10).wait_time_seconds(wait);
        let ask = ask.visibility_timeout(HIDDEN);
        let ask = ask.message_system_attribute_names(System::SentTimestamp);
        let ask = ask.message_system_attribute_names(System::ApproximateReceiveCount);
        let answer = ask.send().await;
        let answer = answer.map_err(|e| RequestError::of(&e))?;
        Ok(answer.messages.unwrap_or_default())
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

/// What a message tells of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    /// Of the canary's key.
    versions: Vec<String>,
    /// Of something else, or of nothing that is known here: it is not the canary's to delete.
    is_others: bool,
}

impl Told {
    /// By a message of either format.
    fn by(body: &str, key: &str) -> Self {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let records = match body["Records"].as_array() {
            Some(records) => records
                .iter()
                .map(|record| &record["s3"]["object"])
                .collect(),
            None => vec![&body],
        };
        let versions = records.iter().filter_map(|record| version_of(record, key));
        let versions: Vec<_> = versions.collect();
        Self {
            is_others: versions.is_empty() || versions.len() < records.len(),
            versions,
        }
    }
}

/// The version that an object of either format has, if it is of that key. The canary's keys are the same encoded and not,
/// but for what stands before them.
fn version_of(object: &Value, key: &str) -> Option<String> {
    let (found, version) = (&object["key"], &object["versionId"]);
    let end = key
        .split_once("s3-sqs-bridge-canary/")
        .map_or(key, |(_, end)| end);
    let end = end.get(..16).unwrap_or(end);
    let is_its = found
        .as_str()?
        .contains(&format!("s3-sqs-bridge-canary/{end}"));
    is_its.then(|| version.as_str().unwrap_or("null").to_owned())
}

/// How often it was received, this time included.
fn receives(message: &Message) -> u64 {
    let attributes = message.attributes();
    let receives = attributes.and_then(|a| a.get(&System::ApproximateReceiveCount)?.parse().ok());
    receives.unwrap_or(1)
}

/// When SQS took it; where the queue does not tell, now: it has.
fn sent_at(message: &Message) -> Timestamp {
    let attributes = message.attributes();
    let sent = attributes.and_then(|a| a.get(&System::SentTimestamp)?.parse().ok());
    sent.map_or_else(|| SystemClock.now(), Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_a_time_is_not_one_of_1970() {
        let now = SystemClock.now();
        let message = Message::builder();
        assert!(sent_at(&message.clone().build()) >= now);
        let told = message.attributes(System::SentTimestamp, "5").build();
        assert_eq!(sent_at(&told), Timestamp(5));
    }

    #[test]
    fn the_canarys_own_messages_are_known_in_either_format() {
        let key = "a b/s3-sqs-bridge-canary/0123456789abcdef.json";
        let bridge = r#"{"key":"a b/s3-sqs-bridge-canary/0123456789abcdef.json","versionId":"v1"}"#;
        let its = |versions: &[&str], is_others| Told {
            versions: versions.iter().map(ToString::to_string).collect(),
            is_others,
        };
        assert_eq!(Told::by(bridge, key), its(&["v1"], false));
        let of = |key: &str, version: &str| serde_json::json!({ "s3": { "object": { "key": key, "versionId": version } } });
        let s3 = |records: &[Value]| serde_json::json!({ "Records": records }).to_string();
        let encoded = "a+b/s3-sqs-bridge-canary/0123456789abcdef.json";
        let one = of(encoded, "v2");
        assert_eq!(
            Told::by(&s3(std::slice::from_ref(&one)), key),
            its(&["v2"], false)
        );
        let both = s3(&[one.clone(), of(encoded, "v3")]);
        assert_eq!(Told::by(&both, key), its(&["v2", "v3"], false));
        for packed in [[of("other", "v9"), one.clone()], [one, of("other", "v9")]] {
            assert_eq!(Told::by(&s3(&packed), key), its(&["v2"], true));
        }
        for other in [
            r#"{"key":"a b/s3-sqs-bridge-canary/f123456789abcdef.json","versionId":"v1"}"#,
            r#"{"key":"a b/other","versionId":"v1"}"#,
            r#"{"Records":[]}"#,
            "[]",
            "no JSON",
        ] {
            assert_eq!(Told::by(other, key), its(&[], true), "{other}");
        }
    }
}
