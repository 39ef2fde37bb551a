//! `SendMessage` and `SendMessageBatch` in SQS's JSON protocol, with the MD5s that clients check,
//! and a check of what arrives.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::time::Instant;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::consumer::ranges;
use crate::queue::is_allowed;

/// A message as it is sent. Texts are parts of the request where they hold no escapes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(default, borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    message_body: Cow<'a, str>,
    #[serde(default, borrow)]
    message_group_id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    message_attributes: BTreeMap<&'a str, Attribute<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    #[serde(borrow)]
    data_type: Cow<'a, str>,
    #[serde(default, borrow)]
    string_value: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a> {
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

/// What is answered about a message.
#[derive(Debug, Serialize)]
struct Done<'a> {
    #[serde(rename = "Id")]
    id: &'a str,
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchDone<'a> {
    successful: Vec<Done<'a>>,
    failed: Vec<AcquireError<'a>>,
}

/// What is answered about a message with a character that SQS does not take.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AcquireError<'a> {
    id: &'a str,
    sender_fault: bool,
    code: &'static str,
}

impl Entry<'_> {
    fn is_allowed(&self) -> bool {
        let values = self.message_attributes.values().map(|a| &a.string_value);
        values
            .chain([&self.message_body])
            .all(|text| text.chars().all(is_allowed))
    }
}

/// What has arrived.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Sequences of events that are refused for good, with all that shares their message.
    pub refuses: Vec<u64>,
    /// Requests.
    pub requests: u64,
    /// Messages.
    pub messages: u64,
    /// Sequences that came for the first time.
    pub distinct: u64,
    /// Messages whose sequence was not above the last of their group.
    pub out_of_order: u64,
    /// Sequences that came for the first time behind a later one of their group, which no rewind explains.
    pub overtaken: u64,
    /// Requests with more than ten entries, or two of one group.
    pub bad_requests: u64,
    /// Live events that have no sequence: their ids, each with how often it came.
    pub events: BTreeMap<String, u64>,
    /// The same, by key: the versions as they came.
    pub of_key: BTreeMap<String, Vec<String>>,
    /// The same, by version: when it came first.
    pub came: HashMap<String, Instant>,
    /// A bit a sequence.
    seen: Vec<u64>,
    /// The last sequence of each group, and the highest.
    last_of_group: HashMap<String, (u64, u64)>,
}

impl Arrivals {
    /// Answers an action; `None` when it is none of these.
    ///
    /// # Errors
    /// When the request cannot be read.
    pub fn answer(
        &mut self,
        action: &str,
        body: &[u8],
    ) -> Result<Option<String>, serde_json::Error> {
        Ok(match action {
            "SendMessageBatch" => {
                let batch: Batch = serde_json::from_slice(body)?;
                // One without entries only asks whether it may be sent to.
                self.requests += u64::from(!batch.entries.is_empty());
                self.check(&batch.entries);
                let (taken, refused): (Vec<_>, Vec<_>) = batch.entries.iter().partition(|entry| {
                    let mut refuses = self.refuses.iter();
                    entry.is_allowed()
                        && !refuses.any(|s| sequences_of(entry).iter().any(|r| r.contains(s)))
                });
                let answer = BatchDone {
                    successful: taken.into_iter().map(|entry| self.take(entry)).collect(),
                    failed: refused
                        .into_iter()
                        .map(|entry| AcquireError {
                            id: &entry.id,
                            sender_fault: true,
                            code: "InvalidMessageContents",
                        })
                        .collect(),
                };
                Some(serde_json::to_string(&answer)?)
            }
            "SendMessage" => {
                let entry: Entry = serde_json::from_slice(body)?;
                self.requests += 1;
                Some(serde_json::to_string(&self.take(&entry))?)
            }
            "GetQueueAttributes" => {
                let attributes = json!({ "Attributes": {
                    "MaximumMessageSize": "1048576", "ApproximateNumberOfMessages": "0",
                } });
                Some(attributes.to_string())
            }
            _ => None,
        })
    }

    fn check(&mut self, entries: &[Entry<'_>]) {
        let mut groups: Vec<_> = entries
            .iter()
            .filter_map(|entry| entry.message_group_id.as_deref())
            .collect();
        groups.sort_unstable();
        let repeated = groups.windows(2).any(|pair| pair[0] == pair[1]);
        if entries.len() > 10 || repeated {
            self.bad_requests += 1;
        }
    }

    fn take<'a>(&mut self, entry: &'a Entry<'_>) -> Done<'a> {
        self.messages += 1;
        let sequences = sequences_of(entry);
        if sequences.is_empty() {
            let id = text_of(&entry.message_body, "eventId");
            *self.events.entry(id).or_default() += 1;
            let key = text_of(&entry.message_body, "key");
            let version = text_of(&entry.message_body, "versionId");
            self.came
                .entry(version.clone())
                .or_insert_with(Instant::now);
            self.of_key.entry(key).or_default().push(version);
        }
        for range in sequences {
            let before = self.distinct;
            for sequence in range.clone() {
                self.see(sequence);
            }
            let (start, end, new) = (*range.start(), *range.end(), self.distinct - before);
            if let Some(group) = &entry.message_group_id {
                match self.last_of_group.get_mut(group.as_ref()) {
                    Some((last, highest)) => {
                        self.out_of_order += u64::from(start <= *last);
                        self.overtaken += if end < *highest { new } else { 0 };
                        (*last, *highest) = (end, end.max(*highest));
                    }
                    None => drop(
                        self.last_of_group
                            .insert(group.clone().into_owned(), (end, end)),
                    ),
                }
            }
        }
        Done {
            id: &entry.id,
            message_id: format!("{:032x}", self.messages),
            md5_of_body: hex(&Md5::digest(entry.message_body.as_bytes())),
            md5_of_attributes: (!entry.message_attributes.is_empty())
                .then(|| md5_of_attributes(&entry.message_attributes)),
        }
    }

    fn see(&mut self, sequence: u64) {
        let word = usize::try_from(sequence / 64).unwrap_or(0);
        if word >= self.seen.len() {
            self.seen.resize(word + 1024, 0);
        }
        let bit = 1 << (sequence % 64);
        self.distinct += u64::from(self.seen[word] & bit == 0);
        self.seen[word] |= bit;
    }
}

/// The sequences of a message.
fn sequences_of(entry: &Entry<'_>) -> Vec<RangeInclusive<u64>> {
    entry.message_attributes.get("sequence").map_or_else(
        || sequence_of(&entry.message_body).into_iter().collect(),
        |attribute| ranges(&attribute.string_value),
    )
}

/// The sequence in a bridge event, without parsing all of it.
fn sequence_of(body: &str) -> Option<RangeInclusive<u64>> {
    let rest = body.split_once("\"sequence\":")?.1.trim_start();
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let sequence = rest[..digits].parse().ok()?;
    Some(sequence..=sequence)
}

/// A field of a bridge event, without parsing all of it.
fn text_of(body: &str, field: &str) -> String {
    let begin = format!("\"{field}\":\"");
    let rest = body.split_once(&begin).map(|(_, rest)| rest);
    let text = rest.and_then(|rest| rest.split_once('"'));
    text.map_or_else(String::new, |(text, _)| text.to_owned())
}

/// Source: Amazon SQS Developer Guide, "Calculating the MD5 message digest for message
/// attributes".
fn md5_of_attributes(attributes: &BTreeMap<&str, Attribute<'_>>) -> String {
    let mut encoded = Vec::new();
    for (name, attribute) in attributes {
        add(&mut encoded, name);
        add(&mut encoded, &attribute.data_type);
        encoded.push(1); // a text, not bytes
        add(&mut encoded, &attribute.string_value);
    }
    hex(&Md5::digest(&encoded))
}

fn add(encoded: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    encoded.extend_from_slice(&length.to_be_bytes());
    encoded.extend_from_slice(text.as_bytes());
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_that_sqs_documents() {
        let mut arrivals = Arrivals::default();
        let body = json!({ "Entries": [{
            "Id": "0", "MessageBody": "This is a test message",
            "MessageAttributes": { "source": { "DataType": "String", "StringValue": "reseed" } },
        }]});
        let answer = arrivals
            .answer("SendMessageBatch", body.to_string().as_bytes())
            .unwrap()
            .unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let done = &answer["Successful"][0];
        // printf 'This is a test message' | md5sum
        assert_eq!(done["MD5OfMessageBody"], "fafb00f5732ab283681e124bf8747ed1");
        // printf '\0\0\0\6source\0\0\0\6String\1\0\0\0\6reseed' | md5sum
        assert_eq!(
            done["MD5OfMessageAttributes"],
            "b8e559c83ef3cffd6c98bac0ef392c6e"
        );
    }

    #[test]
    fn a_character_that_sqs_does_not_take_is_refused() {
        let mut arrivals = Arrivals::default();
        let body = json!({ "Entries": [
            { "Id": "0", "MessageBody": "fine \u{FFFD}\u{10FFFF}" },
            { "Id": "1", "MessageBody": "not \u{FFFF}" },
        ]});
        let answer = arrivals
            .answer("SendMessageBatch", body.to_string().as_bytes())
            .unwrap()
            .unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["Successful"][0]["Id"], "0");
        assert_eq!(answer["Failed"][0]["Id"], "1");
        assert_eq!(answer["Failed"][0]["Code"], "InvalidMessageContents");
        assert_eq!(arrivals.messages, 1);
    }

    #[test]
    fn what_comes_twice_or_out_of_order_is_noticed() {
        let mut arrivals = Arrivals::default();
        for sequence in [1, 3, 2, 3] {
            let body = json!({ "Entries": [{
                "Id": "0", "MessageBody": format!("{{\"sequence\":{sequence}}}"), "MessageGroupId": "g",
            }]});
            arrivals
                .answer("SendMessageBatch", body.to_string().as_bytes())
                .unwrap();
        }
        assert_eq!((arrivals.distinct, arrivals.messages), (3, 4));
        assert_eq!((arrivals.out_of_order, arrivals.overtaken), (1, 1));
    }

    #[test]
    fn packed_messages_tell_all_their_sequences() {
        let mut arrivals = Arrivals::default();
        for sequences in ["1-3,7", "8", "4"] {
            let body = json!({ "Entries": [{
                "Id": "0", "MessageBody": "{}", "MessageGroupId": "g", "MessageAttributes": {
                    "sequence": { "DataType": "String", "StringValue": sequences },
                },
            }]});
            arrivals
                .answer("SendMessageBatch", body.to_string().as_bytes())
                .unwrap();
        }
        assert_eq!((arrivals.distinct, arrivals.out_of_order), (6, 1));
        assert_eq!(arrivals.overtaken, 1);
    }
}
