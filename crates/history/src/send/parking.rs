//! Where an event is kept that its queue refuses for good.

use std::fmt::Write as _;
use std::sync::Arc;

use bridge_core::clock::Clock;
use bridge_core::event::key_group;
use bridge_core::queue::error::SendError;
use bridge_core::queue::message::Message;
use bridge_core::queue::port::{Queue, send_in_time};
use bridge_core::queue::undeliverable::{Named, attribute, event_of};
use bridge_core::retry::Retry;
use bridge_core::text::{MOST_SHOWN, shown};
use bridge_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::send::error::DeliveryError;
use crate::send::gate::Gate;

/// What becomes of an event that the queue refuses for good: one whose body or size it does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUndeliverable {
    /// The job fails and names it.
    #[default]
    Stop,
    /// It is kept aside, named and counted, and the job continues behind it.
    Park,
}

impl OnUndeliverable {
    /// Whether it is the default.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        *self == Self::Stop
    }
}

/// What `kind` says in a record of an event that was parked: what else lies in a failure queue has none.
pub const KIND: &str = "parked";

/// The longest record, bytes: every queue takes it. An event of S3 has about 8 KB at most.
const MAX_RECORD: usize = 65_536;

/// Bytes of a code of SQS that are repeated.
const MOST_CODE: usize = 100;

/// A place for events that cannot be delivered, as a lane uses it.
#[derive(Clone)]
pub struct Parking {
    /// The failure queue; on one machine, a file.
    pub place: Arc<dyn Queue>,
    /// The time that records bear.
    pub clock: Arc<dyn Clock>,
    /// Asked before each request.
    pub gate: Arc<dyn Gate>,
    /// How long a place that fails is tried; once stopped, nothing more is kept.
    pub retry: Retry,
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
fn record(message: &Message, refusal: &SendError, now: Timestamp, form: Form) -> String {
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

impl Parking {
    /// Keeps the event of `message` aside, at least once, as long as the gate is open and the lane is
    /// not stopped; returns whether it is kept.
    ///
    /// # Errors
    /// [`DeliveryError::NotParked`] when the place refuses it, or cannot be reached for too long.
    pub async fn keep(
        &self,
        message: &Message,
        refusal: &SendError,
        random: &mut fastrand::Rng,
    ) -> Result<bool, DeliveryError> {
        let attempt = || self.try_to_keep(message, refusal);
        let kept = self.retry.run(random, attempt).await;
        kept.map_err(|found| DeliveryError::NotParked {
            event: Named::of(message),
            refusal: found,
        })
    }

    /// One attempt: as much of the event as the place takes.
    async fn try_to_keep(&self, message: &Message, refusal: &SendError) -> Result<bool, SendError> {
        let timeout = self.place.request_timeout();
        let mut last = SendError::not_mentioned();
        for form in [Form::Whole, Form::Cut, Form::Least] {
            if self.retry.stop.is_cancelled() || !self.gate.is_open(timeout) {
                return Ok(false);
            }
            let kept = Message {
                body: record(message, refusal, self.clock.now(), form),
                group: None,
                deduplication_id: None,
                attributes: Vec::new(),
                ..message.clone()
            };
            let answer = send_in_time(&*self.place, &[kept], timeout).await;
            // What is not confirmed is not kept.
            let unsaid = || Err(SendError::not_mentioned());
            match answer.and_then(|mut results| results.pop().unwrap_or_else(unsaid)) {
                Ok(()) => return Ok(true),
                Err(found) if found.is_of_the_message() => last = found,
                Err(found) => return Err(found),
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use bridge_core::clock::SystemClock;
    use bridge_core::event::{Change, Event, Source};
    use bridge_core::failure::FailureKind;
    use bridge_core::format::{Format, body};
    use bridge_core::queue::port::EntryResult;
    use bridge_core::retry::Backoff;
    use proptest::prelude::*;
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// Short or 200 KB, of characters that no queue takes or that need escapes, among others.
    fn any_text() -> impl Strategy<Value = String> {
        let of = prop_oneof![Just('\u{1b}'), Just('"'), Just('\\'), any::<char>()];
        let some = prop::collection::vec(of, 0..50).prop_map(String::from_iter);
        (some, prop_oneof![Just(1usize), 1usize..5_000])
            .prop_map(|(some, times)| some.repeat(times))
    }

    fn message(key: &str, version_id: &str, format: Format) -> Message {
        let what = (Change::Created, "ObjectCreated:Put");
        let time = Timestamp(1_714_564_807_000);
        let event = Event {
            size: Some(1),
            job_id: Some("j".to_owned()),
            sequence: Some(17),
            ..Event::new(Source::Reseed, "ledger", key, version_id, what, time)
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

    fn refusal() -> SendError {
        SendError {
            kind: FailureKind::Permanent,
            code: "InvalidMessageContents".to_owned(),
            message: "why\u{1b}".repeat(10_000),
        }
    }

    /// A gate that can be closed.
    struct Door(AtomicBool);

    impl Gate for Door {
        fn is_open(&self, _: Duration) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// What ends a lane.
    #[derive(Clone)]
    struct Ends {
        stop: CancellationToken,
        gate: Arc<Door>,
        stops: bool,
        closes: bool,
    }

    impl Ends {
        fn end(&self) {
            if self.stops {
                self.stop.cancel();
            }
            self.gate.0.store(!self.closes, Ordering::Relaxed);
        }
    }

    /// A place that takes the least form only, and ends the lane at its first request.
    struct Place(Ends, AtomicUsize);

    #[async_trait]
    impl Queue for Place {
        async fn send(&self, messages: &[Message]) -> Result<Vec<EntryResult>, SendError> {
            let Self(ends, requests) = self;
            requests.fetch_add(1, Ordering::Relaxed);
            ends.end();
            if messages[0].body.contains("versionId") {
                return Ok(vec![Err(refusal())]);
            }
            Ok(vec![Ok(())])
        }

        async fn depth(&self) -> Result<u64, SendError> {
            Ok(0)
        }

        async fn max_message_bytes(&self) -> Result<usize, SendError> {
            Ok(MAX_RECORD)
        }

        fn request_timeout(&self) -> Duration {
            Duration::from_secs(1)
        }
    }

    /// Whether an event is kept, and by how many requests, where the lane is stopped or its gate is closed:
    /// before, or by the first request.
    async fn kept(stops: bool, closes: bool, before: bool) -> (bool, usize) {
        let ends = Ends {
            stop: CancellationToken::new(),
            gate: Arc::new(Door(AtomicBool::new(true))),
            stops,
            closes,
        };
        if before {
            ends.end();
        }
        let place = Arc::new(Place(ends.clone(), AtomicUsize::new(0)));
        let parking = Parking {
            place: place.clone(),
            clock: Arc::new(SystemClock),
            gate: ends.gate,
            retry: Retry {
                backoff: Backoff::default(),
                retry_timeout: Duration::from_mins(1),
                stop: ends.stop,
            },
        };
        let mut random = fastrand::Rng::with_seed(1);
        let message = message("a", "v", Format::Bridge);
        let is_kept = parking.keep(&message, &refusal(), &mut random).await;
        (is_kept.unwrap(), place.1.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopped_lane_and_a_closed_gate_keep_nothing_more() {
        assert_eq!(kept(false, false, false).await, (true, 3));
        for (stops, closes) in [(true, false), (false, true)] {
            assert_eq!(kept(stops, closes, true).await, (false, 0));
            // The next, shorter form is a request of its own.
            assert_eq!(kept(stops, closes, false).await, (false, 1));
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
                let text = record(&message, &refusal(), Timestamp(0), form);
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
