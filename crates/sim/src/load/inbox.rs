//! A queue that hands notifications over: `ReceiveMessage`, `ChangeMessageVisibilityBatch` and `DeleteMessageBatch` in
//! SQS's JSON protocol.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

/// Messages that wait, or were handed over and are not deleted.
#[derive(Debug, Default)]
pub struct Inbox {
    /// The longest that a message stays hidden, whatever is asked for: so a test need not wait for a minute. `None`: as it
    /// is asked for.
    pub most_hidden: Option<Duration>,
    /// Requests that hid messages again.
    pub renewals: u64,
    /// Messages that were handed over once more.
    pub repeats: u64,
    next: u64,
    messages: HashMap<u64, Message>,
    visible: VecDeque<u64>,
    hidden: BTreeSet<(Instant, u64)>,
}

#[derive(Debug)]
struct Message {
    body: String,
    receives: u64,
    until: Option<Instant>,
}

/// A request for messages.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Receive {
    #[serde(default = "one")]
    max_number_of_messages: usize,
    #[serde(default)]
    wait_time_seconds: u64,
    #[serde(default)]
    visibility_timeout: u64,
}

fn one() -> usize {
    1
}

impl Receive {
    /// How long it waits for the first message.
    #[must_use]
    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.wait_time_seconds)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    receipt_handle: String,
    #[serde(default)]
    visibility_timeout: u64,
}

impl Inbox {
    /// A message comes.
    pub fn put(&mut self, body: String) {
        self.next += 1;
        let message = Message {
            body,
            receives: 0,
            until: None,
        };
        self.messages.insert(self.next, message);
        self.visible.push_back(self.next);
    }

    /// Messages that are not deleted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether all were deleted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Hands messages over; `None` when there are none now.
    pub fn receive(&mut self, asked: Receive) -> Option<String> {
        let now = Instant::now();
        while let Some((until, id)) = self.hidden.first().copied() {
            if until > now {
                break;
            }
            self.hidden.pop_first();
            self.visible.push_back(id);
        }
        let mut messages = Vec::new();
        while messages.len() < asked.max_number_of_messages {
            let Some(id) = self.visible.pop_front() else {
                break;
            };
            let until = self.until(asked.visibility_timeout);
            let Some(message) = self.messages.get_mut(&id) else {
                continue;
            };
            message.receives += 1;
            message.until = Some(until);
            self.repeats += u64::from(message.receives > 1);
            self.hidden.insert((until, id));
            messages.push(json!({
                "MessageId": id.to_string(),
                "ReceiptHandle": id.to_string(),
                "Body": message.body,
                "Attributes": { "ApproximateReceiveCount": message.receives.to_string() },
            }));
        }
        let answer = || json!({ "Messages": messages }).to_string();
        (!messages.is_empty()).then(answer)
    }

    /// Answers another action; `None` when it is none of these.
    ///
    /// # Errors
    /// When the request cannot be read.
    pub fn answer(
        &mut self,
        action: &str,
        body: &[u8],
    ) -> Result<Option<String>, serde_json::Error> {
        let is_deletion = match action {
            "DeleteMessageBatch" => true,
            "ChangeMessageVisibilityBatch" => false,
            _ => return Ok(None),
        };
        let batch: Batch = serde_json::from_slice(body)?;
        self.renewals += u64::from(!is_deletion);
        let mut done = Vec::new();
        for entry in batch.entries {
            if let Ok(id) = entry.receipt_handle.parse() {
                self.forget_hidden(id);
                if is_deletion {
                    self.messages.remove(&id);
                } else {
                    self.hide(id, entry.visibility_timeout);
                }
            }
            done.push(json!({ "Id": entry.id }));
        }
        let none: [Value; 0] = [];
        Ok(Some(
            json!({ "Successful": done, "Failed": none }).to_string(),
        ))
    }

    fn until(&self, seconds: u64) -> Instant {
        let asked = Duration::from_secs(seconds);
        Instant::now() + self.most_hidden.map_or(asked, |most| most.min(asked))
    }

    fn forget_hidden(&mut self, id: u64) {
        let message = self.messages.get_mut(&id);
        if let Some(until) = message.and_then(|message| message.until.take()) {
            self.hidden.remove(&(until, id));
        }
    }

    fn hide(&mut self, id: u64, seconds: u64) {
        let until = self.until(seconds);
        if let Some(message) = self.messages.get_mut(&id) {
            message.until = Some(until);
            self.hidden.insert((until, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Receive = Receive {
        max_number_of_messages: 1,
        wait_time_seconds: 0,
        visibility_timeout: 60,
    };

    #[test]
    fn a_message_is_hidden_until_it_is_deleted_or_let_go() {
        let mut inbox = Inbox::default();
        inbox.put("a".to_owned());
        let first = inbox.receive(ONE).unwrap();
        assert!(
            first.contains(r#""ApproximateReceiveCount":"1""#),
            "{first}"
        );
        assert_eq!(inbox.receive(ONE), None);
        let entry = |action: &str, inbox: &mut Inbox| {
            let body = r#"{"Entries":[{"Id":"0","ReceiptHandle":"1","VisibilityTimeout":0}]}"#;
            inbox.answer(action, body.as_bytes()).unwrap().unwrap()
        };
        entry("ChangeMessageVisibilityBatch", &mut inbox);
        let second = inbox.receive(ONE).unwrap();
        assert!(
            second.contains(r#""ApproximateReceiveCount":"2""#),
            "{second}"
        );
        entry("DeleteMessageBatch", &mut inbox);
        assert!(inbox.is_empty() && inbox.receive(ONE).is_none());
        assert_eq!((inbox.renewals, inbox.repeats), (1, 1));
    }
}
