//! A queue that a test plays.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{answering_with, text};

/// A message of the queue.
#[derive(Clone)]
pub(crate) struct Kept {
    pub body: String,
    pub group: String,
    pub is_hidden: bool,
    pub is_deleted: bool,
    pub receives: u64,
}

/// A queue as SQS has it.
#[derive(Default)]
pub(crate) struct Played {
    pub messages: Vec<Kept>,
    pub is_fifo: bool,
    pub policy: Option<String>,
    /// Received by somebody else, for good.
    pub hidden_by_others: u64,
    /// Handed over once more, though they are hidden.
    pub again: Vec<usize>,
    /// After so many messages requests for more are answered so: not at all, or with a refusal.
    pub most: Option<(usize, bool)>,
    pub handed: usize,
    /// How often it was asked for its attributes.
    pub asked: usize,
    /// An action that it refuses.
    pub refused: Option<&'static str>,
    /// Must hold a message when it is deleted.
    pub copy: Option<PathBuf>,
}

pub(crate) type Queue = Arc<Mutex<Played>>;

fn number(receipt: &Value) -> usize {
    receipt.as_str().unwrap().parse().unwrap()
}

impl Played {
    /// What is handed over: of a FIFO queue nothing of a group of which something is received and not deleted.
    fn receive(&mut self) -> Vec<Value> {
        let in_flight = self
            .messages
            .iter()
            .filter(|kept| kept.is_hidden && !kept.is_deleted);
        let blocked: HashSet<String> = in_flight.map(|kept| kept.group.clone()).collect();
        let mut handed = std::mem::take(&mut self.again);
        for (index, kept) in self.messages.iter().enumerate() {
            let is_free = !kept.is_hidden && !kept.is_deleted;
            if handed.len() < 10 && is_free && !(self.is_fifo && blocked.contains(&kept.group)) {
                handed.push(index);
            }
        }
        self.handed += handed.len();
        let messages = handed.into_iter().map(|index| {
            let kept = &mut self.messages[index];
            kept.is_hidden = true;
            kept.receives += 1;
            json!({ "MessageId": format!("id-{index}"), "ReceiptHandle": index.to_string(), "Body": kept.body,
                "Attributes": { "ApproximateReceiveCount": kept.receives.to_string() } })
        });
        messages.collect()
    }

    fn answer(&mut self, action: &str, request: &Value) -> Value {
        let entries = request["Entries"].as_array().cloned().unwrap_or_default();
        let done: Vec<_> = entries
            .iter()
            .map(|entry| json!({ "Id": entry["Id"] }))
            .collect();
        match action {
            "receivemessage" => json!({ "Messages": self.receive() }),
            "changemessagevisibilitybatch" => {
                for entry in &entries {
                    let is_hidden = entry["VisibilityTimeout"] != 0;
                    self.messages[number(&entry["ReceiptHandle"])].is_hidden = is_hidden;
                }
                json!({ "Successful": done, "Failed": [] })
            }
            "deletemessagebatch" => {
                let copy = self.copy.as_ref().unwrap();
                // Another batch may be half written.
                let copy = text(&std::fs::read(copy).unwrap());
                for entry in &entries {
                    let index = number(&entry["ReceiptHandle"]);
                    let id = format!("\"MessageId\":\"id-{index}\"");
                    assert!(copy.contains(&id), "{id} is deleted and not in the copy");
                    self.messages[index].is_deleted = true;
                }
                json!({ "Successful": done, "Failed": [] })
            }
            "getqueueattributes" => {
                self.asked += 1;
                let left = self.messages.iter().filter(|kept| !kept.is_deleted);
                let (hidden, visible) = left.partition::<Vec<_>, _>(|kept| kept.is_hidden);
                let hidden = hidden.len() as u64 + self.hidden_by_others;
                let mut all = json!({
                    "ApproximateNumberOfMessages": visible.len().to_string(),
                    "ApproximateNumberOfMessagesDelayed": "0",
                    "ApproximateNumberOfMessagesNotVisible": hidden.to_string(),
                });
                if self.is_fifo {
                    all["FifoQueue"] = "true".into();
                }
                if let Some(policy) = &self.policy {
                    all["RedrivePolicy"] = policy.clone().into();
                }
                json!({ "Attributes": all })
            }
            other => panic!("{other}"),
        }
    }
}

/// Plays a queue. Answers where it is.
pub(crate) fn play(played: Played) -> (Queue, String) {
    let queue = Arc::new(Mutex::new(played));
    let answering = Arc::clone(&queue);
    let endpoint = answering_with(move |head, body| {
        let head = head.to_lowercase();
        let action = head
            .split("amazonsqs.")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap();
        let refusal = |why: &str| {
            let body = json!({ "__type": "com.amazonaws.sqs#AccessDenied", "message": why });
            ("403 Forbidden", String::new(), body.to_string())
        };
        let mut queue = answering.lock().unwrap();
        if queue.refused == Some(action) {
            return refusal("not this");
        }
        if let (Some((most, is_refused)), "receivemessage") = (queue.most, action)
            && queue.handed >= most
        {
            drop(queue);
            if is_refused {
                return refusal("not any more");
            }
            std::thread::sleep(Duration::from_millis(300));
            return ("200 OK", String::new(), "{}".to_owned());
        }
        let answer = queue.answer(action, &serde_json::from_slice(body).unwrap());
        ("200 OK", String::new(), answer.to_string())
    });
    (queue, endpoint)
}

/// Each line as a message, in the group of its key.
pub(crate) fn messages(lines: &[String]) -> Vec<Kept> {
    let kept = lines.iter().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        Kept {
            body: line.clone(),
            group: event["key"].as_str().unwrap().to_owned(),
            is_hidden: false,
            is_deleted: false,
            receives: 0,
        }
    });
    kept.collect()
}
