//! An object that is put, overwritten and deleted in the bucket, and followed to a queue.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Visibility, Message,
    MessageSystemAttributeName as System,
};
use bridge_aws::request_error::RequestError;
use bridge_aws::sdk;
use bridge_aws::sdk::SdkConfig;
use bridge_core::clock::{Clock as _, SystemClock};
use bridge_core::timestamp::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::doctor::finding::Finding;
use crate::numbers::count;

const CHECK: &str = "canary";

/// The longest that events may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Seconds that SQS waits for messages.
const WAIT: i32 = 5;

/// Seconds that a received message is hidden: longer than [`PATIENCE`], so that none is received twice.
const HIDDEN: i32 = 150;

/// Messages of others that are held, at most: half of what SQS lets a FIFO queue hide.
/// Source: Amazon SQS Developer Guide, "FIFO queue quotas".
const MOST_HELD: usize = 10_000;

/// Where an object is put.
pub(super) struct Perch<'a> {
    /// The bucket.
    pub(super) bucket: &'a str,
    /// What keys must begin with to be forwarded.
    pub(super) prefix: &'a str,
    /// What they must end with.
    pub(super) suffix: &'a str,
}

/// Follows an object's three changes to the queue, and removes it for good.
pub(super) async fn follow(config: &SdkConfig, perch: Perch<'_>, queue_url: &str) -> Finding {
    let key = format!(
        "{}s3-sqs-bridge-canary/{:016x}{}",
        perch.prefix,
        fastrand::u64(..),
        perch.suffix
    );
    let canary = Canary {
        s3: sdk::s3(config),
        sqs: sdk::sqs(config),
        bucket: perch.bucket,
        queue_url,
        key,
    };
    match canary.live().await {
        Ok(finding) => finding,
        Err(error) => Finding::wrong(
            CHECK,
            format!("{error:#}"),
            "the canary needs s3:PutObject, s3:DeleteObject and s3:DeleteObjectVersion in the bucket, and a consumer's rights \
             on the queue (docs/policies/consumer.json)",
        ),
    }
}

struct Canary<'a> {
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    bucket: &'a str,
    queue_url: &'a str,
    key: String,
}

/// A change that was made.
struct Change {
    /// `put` …
    what: &'static str,
    /// The version, or the delete marker.
    version: String,
    made_at: Timestamp,
}

/// How long each change took to the queue, by version.
type Arrived = BTreeMap<String, (usize, Duration)>;

/// What was read of the queue.
#[derive(Debug, Default)]
struct Read {
    arrived: Arrived,
    /// Receipts of others' messages, which are hidden meanwhile.
    others: Vec<String>,
}

impl Canary<'_> {
    async fn live(&self) -> anyhow::Result<Finding> {
        let mut changes = Vec::new();
        let made = self.change(&mut changes).await;
        let mut read = Read::default();
        let arrived = match &made {
            Ok(()) => self.arrive(&changes, &mut read).await,
            Err(_) => Ok(()),
        };
        // Only now: what is given back at once comes again at once, and a few receives make a dead letter of it.
        self.give_back(&read.others).await;
        // Whatever came of it, nothing of it stays in the bucket.
        let removed = self.remove(&changes).await;
        made?;
        arrived?;
        removed?;
        Ok(self.judge(&changes, &read))
    }

    /// Puts, overwrites and deletes the object.
    async fn change(&self, changes: &mut Vec<Change>) -> anyhow::Result<()> {
        for what in ["put", "overwritten"] {
            let put = self.s3.put_object().bucket(self.bucket).key(&self.key);
            let made_at = SystemClock.now();
            let answer = put.body(what.as_bytes().to_vec().into()).send().await;
            let answer = answer.map_err(|e| anyhow!("{}", RequestError::of(&e)));
            let answer = answer.with_context(|| format!("putting {}", self.key))?;
            let version = answer.version_id().unwrap_or("null").to_owned();
            changes.push(Change {
                what,
                version,
                made_at,
            });
        }
        let delete = self.s3.delete_object().bucket(self.bucket).key(&self.key);
        let made_at = SystemClock.now();
        let answer = delete.send().await;
        let answer = answer.map_err(|e| anyhow!("{}", RequestError::of(&e)));
        let answer = answer.with_context(|| format!("deleting {}", self.key))?;
        changes.push(Change {
            what: "deleted",
            version: answer.version_id().unwrap_or("null").to_owned(),
            made_at,
        });
        Ok(())
    }

    /// Reads the queue until all have arrived or the time is up.
    async fn arrive(&self, changes: &[Change], read: &mut Read) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while read.arrived.len() < changes.len() && read.others.len() < MOST_HELD {
            let Ok(messages) = timeout_at(end, self.receive()).await else {
                break;
            };
            for message in messages? {
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
        version_of(message.body()?, &self.key)
    }

    /// They can be received again at once; if that fails, once they are hidden no more.
    async fn give_back(&self, receipts: &[String]) {
        for some in receipts.chunks(10) {
            let entries = some.iter().enumerate().filter_map(|(index, receipt)| {
                let entry = Visibility::builder().id(index.to_string());
                let entry = entry.receipt_handle(receipt).visibility_timeout(0);
                entry.build().ok()
            });
            let change = self.sqs.change_message_visibility_batch();
            let change = change.queue_url(self.queue_url);
            let _ = change.set_entries(Some(entries.collect())).send().await;
        }
    }

    /// If that fails, a consumer gets it.
    async fn delete(&self, message: &Message) {
        let delete = self.sqs.delete_message().queue_url(self.queue_url);
        let receipt = message.receipt_handle().unwrap_or_default();
        let _ = delete.receipt_handle(receipt).send().await;
    }

    /// Removes all versions for good.
    async fn remove(&self, changes: &[Change]) -> anyhow::Result<()> {
        for change in changes {
            let delete = self.s3.delete_object().bucket(self.bucket).key(&self.key);
            let answer = delete.version_id(&change.version).send().await;
            let answer = answer.map_err(|e| anyhow!("{}", RequestError::of(&e)));
            answer.with_context(|| format!("removing {} ({})", self.key, change.version))?;
        }
        Ok(())
    }

    fn judge(&self, changes: &[Change], read: &Read) -> Finding {
        let arrived = &read.arrived;
        let missing = changes
            .iter()
            .filter(|change| !arrived.contains_key(&change.version));
        let missing: Vec<_> = missing.map(|change| change.what).collect();
        if !missing.is_empty() {
            return Finding::wrong(
                CHECK,
                format!(
                    "{} was {}, and no event of that came to {} within {} s ({} of others)",
                    self.key,
                    missing.join(", "),
                    self.queue_url,
                    PATIENCE.as_secs(),
                    count(read.others.len() as u64, "message")
                ),
                "is that the queue that events go to, does nobody else read it, and do not so many messages wait in it that \
                 these are behind them? Else see what is wrong above, and realtime's log",
            );
        }
        let order = changes
            .iter()
            .filter_map(|change| Some(arrived.get(&change.version)?.0));
        let slowest = arrived.values().map(|(_, took)| took.as_millis()).max();
        let found = format!(
            "{} was put, overwritten and deleted; all three arrived, the slowest after {} ms",
            self.key,
            slowest.unwrap_or(0)
        );
        if !order.is_sorted() {
            return Finding::warning(
                CHECK,
                format!("{found}, and not in that order"),
                "S3 tells of changes in no order: see docs/OPERATIONS.md, \"Live order\"",
            );
        }
        Finding::ok(CHECK, found)
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
