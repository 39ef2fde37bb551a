//! `SendMessage` and `SendMessageBatch` in SQS's JSON protocol, with the MD5s that clients check,
//! and a judgement of what arrives.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::told::ranges;

/// A message as it is sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    id: String,
    message_body: String,
    #[serde(default)]
    message_group_id: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    data_type: String,
    #[serde(default)]
    string_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    entries: Vec<Entry>,
}

/// What has arrived.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Requests.
    pub requests: u64,
    /// Messages.
    pub messages: u64,
    /// Sequences that came for the first time.
    pub distinct: u64,
    /// Messages whose sequence was not above the last of their group.
    pub out_of_order: u64,
    /// Requests with more than ten entries, or two of one group.
    pub bad_requests: u64,
    /// A bit a sequence.
    seen: Vec<u64>,
    last_of_group: HashMap<String, u64>,
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
    ) -> Result<Option<Value>, serde_json::Error> {
        Ok(match action {
            "SendMessageBatch" => {
                let batch: Batch = serde_json::from_slice(body)?;
                self.requests += 1;
                self.check(&batch.entries);
                let done: Vec<_> = batch.entries.iter().map(|entry| self.take(entry)).collect();
                Some(json!({ "Successful": done, "Failed": [] }))
            }
            "SendMessage" => {
                let entry: Entry = serde_json::from_slice(body)?;
                self.requests += 1;
                Some(self.take(&entry))
            }
            "GetQueueAttributes" => Some(json!({ "Attributes": {
                "MaximumMessageSize": "1048576", "ApproximateNumberOfMessages": "0",
            } })),
            _ => None,
        })
    }

    fn check(&mut self, entries: &[Entry]) {
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

    fn take(&mut self, entry: &Entry) -> Value {
        self.messages += 1;
        let sequences = entry.message_attributes.get("sequence").map_or_else(
            || sequence_of(&entry.message_body).into_iter().collect(),
            |attribute| ranges(&attribute.string_value),
        );
        for range in sequences {
            for sequence in range.clone() {
                self.see(sequence);
            }
            if let Some(group) = &entry.message_group_id {
                match self.last_of_group.get_mut(group) {
                    Some(last) => {
                        self.out_of_order += u64::from(*range.start() <= *last);
                        *last = *range.end();
                    }
                    None => drop(self.last_of_group.insert(group.clone(), *range.end())),
                }
            }
        }
        let mut answer = json!({
            "Id": entry.id,
            "MessageId": format!("{:032x}", self.messages),
            "MD5OfMessageBody": hex(&Md5::digest(entry.message_body.as_bytes())),
        });
        if !entry.message_attributes.is_empty() {
            answer["MD5OfMessageAttributes"] = md5_of_attributes(&entry.message_attributes).into();
        }
        answer
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

/// The sequence in a bridge event, without parsing all of it.
fn sequence_of(body: &str) -> Option<RangeInclusive<u64>> {
    let rest = body.split_once("\"sequence\":")?.1.trim_start();
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let sequence = rest[..digits].parse().ok()?;
    Some(sequence..=sequence)
}

/// Source: Amazon SQS Developer Guide, "Calculating the MD5 message digest for message
/// attributes".
fn md5_of_attributes(attributes: &BTreeMap<String, Attribute>) -> String {
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
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
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
        assert_eq!(arrivals.out_of_order, 1);
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
    }
}
