//! Where an event is kept that its queue refuses for good.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Named, attribute, event_of};
use crate::clock::Clock;
use crate::delivery::lane::{DeliveryError, Lane, send_in_time};
use crate::delivery::{Message, Queue, Refusal, RefusalKind};
use crate::event::key_group;
use crate::mistake::Mistake;
use crate::text::{MOST_SHOWN, shown};
use crate::time::Millis;

/// What `kind` says in a record of an event that was parked: what else lies in a failure queue has none.
pub const KIND: &str = "parked";

/// The longest record, bytes: every queue takes it. An event of S3 has about 8 KB at most.
const MAX_RECORD: usize = 65_536;

/// Bytes of a code of SQS that are repeated.
const MOST_CODE: usize = 100;

/// A place for events that cannot be delivered.
#[derive(Clone)]
pub struct Parking {
    /// The failure queue; on one machine, a file.
    pub place: Arc<dyn Queue>,
    /// The time that records bear.
    pub clock: Arc<dyn Clock>,
}

/// How much of an event a record holds. The event itself may be what no queue takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// All, in letters of ASCII.
    Whole,
    /// Its texts cut and escaped once more.
    Cut,
    /// Its sequence, and its key's digest.
    Least,
}

/// What is kept of a message of one event: JSON of printable ASCII, at most [`MAX_RECORD`] bytes.
fn record(message: &Message, refusal: &Refusal, now: Millis, form: Form) -> String {
    let event = event_of(message);
    let mut told = json!({
        "kind": KIND,
        "reason": "undeliverable",
        "jobId": attribute(message, "jobId"),
        "sequence": message.number,
        "keyDigest": event.as_ref().map(|event| key_group(&event.key)),
        "code": shown(&refusal.code, MOST_CODE),
        "at": now,
        "form": match form {
            Form::Whole => "whole",
            Form::Cut => "cut",
            Form::Least => "least",
        },
    });
    if form != Form::Least {
        told["message"] = json!(shown(&refusal.message, MOST_SHOWN));
        told["bytes"] = json!(message.bytes());
        let mut parked = match event {
            Some(event) => json!({ "event": event }),
            None => json!({ "body": message.body }),
        };
        if form == Form::Cut {
            cut(&mut parked);
        }
        if let (Value::Object(told), Value::Object(parked)) = (&mut told, parked) {
            told.extend(parked);
        }
    }
    let text = ascii(&told.to_string());
    match form {
        Form::Whole if text.len() > MAX_RECORD => record(message, refusal, now, Form::Cut),
        _ => text,
    }
}

/// Cuts and escapes every text.
fn cut(value: &mut Value) {
    match value {
        Value::String(text) => *text = shown(text, MOST_SHOWN),
        Value::Object(fields) => fields.values_mut().for_each(cut),
        _ => {}
    }
}

/// The same JSON in printable ASCII, which every queue takes.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a text cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

impl Lane {
    /// Keeps the event of `message` aside, at least once; tells whether it is kept. It is not when the
    /// lane is to stop.
    ///
    /// # Errors
    /// [`DeliveryError::NotParked`] when the place refuses it, or does not answer for all the patience.
    pub(in crate::delivery) async fn park(
        &mut self,
        parking: &Parking,
        message: &Message,
        refusal: &Refusal,
    ) -> Result<bool, DeliveryError> {
        let begin = Instant::now();
        let timeout = parking.place.request_timeout();
        let mut forms = [Form::Whole, Form::Cut, Form::Least].into_iter();
        let mut form = forms.next();
        let mut failures = 0;
        while !self.stop.is_cancelled() && self.gate.is_open(timeout) {
            let Some(tried) = form else { break };
            let kept = Message {
                body: record(message, refusal, parking.clock.now(), tried),
                group: None,
                deduplication_id: None,
                attributes: Vec::new(),
                ..message.clone()
            };
            let answer = send_in_time(&*parking.place, &[kept], timeout).await;
            // What is not confirmed is not kept.
            let unsaid = || Err(Refusal::not_mentioned());
            let answer = answer.and_then(|mut results| results.pop().unwrap_or_else(unsaid));
            let found = match answer {
                Ok(()) => return Ok(true),
                Err(_) if Mistake::ParkedWithoutKeeping.is_planted() => return Ok(true),
                Err(found) => found,
            };
            if found.is_of_the_message() {
                form = forms.next();
                if form.is_some() {
                    continue;
                }
            }
            failures += 1;
            if found.kind == RefusalKind::Rejected || begin.elapsed() >= self.patience {
                return Err(DeliveryError::NotParked {
                    event: Named::of(message),
                    refusal: found,
                });
            }
            tracing::warn!(refusal = %found, failures, "an event could not be parked; trying again");
            self.rest(failures).await;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Change, Event, Source, event_id};
    use crate::format::{Format, body};
    use crate::text::any::any_text;

    fn message(key: &str, version_id: &str, format: Format) -> Message {
        let event = Event {
            event_id: event_id("ledger", key, version_id, Change::Created),
            source: Source::Reseed,
            event_name: "ObjectCreated:Put".to_owned(),
            bucket: "ledger".to_owned(),
            key: key.to_owned(),
            version_id: version_id.to_owned(),
            event_time: Millis(1_714_564_807_000),
            sequencer: None,
            size: Some(1),
            e_tag: None,
            is_latest: None,
            job_id: Some("j".to_owned()),
            sequence: Some(17),
        };
        Message {
            number: 17,
            events: 1,
            body: body(&event, format, "eu-west-1"),
            group: None,
            deduplication_id: None,
            attempt: 0,
            attributes: vec![("jobId", "j".to_owned())],
        }
    }

    fn refusal() -> Refusal {
        Refusal {
            kind: RefusalKind::Rejected,
            code: "InvalidMessageContents".to_owned(),
            message: "why\u{1b}".repeat(10_000),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Whatever a key holds: the record fits, and reads back to it where it is whole.
        #[test]
        fn a_record_is_plain_and_bounded_and_tells_which_event_it_is(
            key in any_text(), version in any_text(), s3: bool
        ) {
            let (key, version) = (format!("k{key}"), format!("v{version}"));
            let format = if s3 { Format::S3 } else { Format::Bridge };
            let message = message(&key, &version, format);
            for form in [Form::Whole, Form::Cut, Form::Least] {
                let text = record(&message, &refusal(), Millis(0), form);
                prop_assert!(text.len() <= MAX_RECORD, "{} bytes", text.len());
                prop_assert!(text.chars().all(|c| matches!(c, ' '..='~')), "{text:?}");
                let told: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(&told["kind"], KIND);
                prop_assert_eq!(&told["sequence"], 17);
                prop_assert_eq!(&told["keyDigest"], &key_group(&key));
                prop_assert_eq!(&told["jobId"], "j");
                if told["form"] == "whole" {
                    let event: Event = serde_json::from_value(told["event"].clone()).unwrap();
                    prop_assert_eq!((event.key, event.version_id), (key.clone(), version.clone()));
                    prop_assert_eq!(event.sequence, Some(17));
                    prop_assert_eq!(event.source, Source::Reseed);
                }
            }
        }
    }
}
