//! What one line of a consumer's file tells.
//!
//! A line is a message as it came: an event of `format = bridge`; an S3 notification, or what `EventBridge` and SNS
//! make of one; or SQS's answer to a receive, or one message of it, or a batch as Lambda is handed it, with any of
//! these in its body.

use bridge_core::event::{Change, Event, Source};
use bridge_core::notification::parse_document;
use bridge_core::text::{brief, quoted};
use serde_json::Value;

/// An event as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// It. Where the message has no `eventId`, the right one.
    pub event: Event,
    /// What happened.
    pub change: Change,
    /// Whether its time is the version's `LastModified`, as far as is known.
    pub time_is_listed: bool,
}

/// What a line holds.
#[derive(Debug, Default)]
pub struct Line {
    /// Its events, in their order.
    pub told: Vec<Told>,
    /// Records that tell of no change: test events, tags, restores.
    pub no_change: u64,
    /// What of it could not be read.
    pub unreadable: Vec<String>,
}

/// Reads a line; a blank one holds nothing.
#[must_use]
pub fn read_line(line: &[u8]) -> Line {
    let mut found = Line::default();
    // Some programs write one at the beginning of a file, and files are put together.
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    if line.trim_ascii().is_empty() {
        return found;
    }
    if let Err(reason) = found.read(line, false, 0) {
        found.unreadable.push(reason);
    }
    found
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What an answer of SQS has beside its messages, as one SDK or another writes it: each is an object.
const METADATA: [&str; 3] = ["ResponseMetadata", "ResultMetadata", "$metadata"];

/// Envelopes in each other, at most: a receive answer, a message, a body.
const MOST_ENVELOPES: usize = 4;

/// Objects and arrays of a line that are read, and values. A message of 1 MiB holds some 1,500 records, which are 12,000
/// objects; what is made of a hostile one in memory is a hundred times its text.
const MOST_CONTAINERS: usize = 1 << 16;
const MOST_VALUES: usize = 1 << 19;

/// Whether the JSON of a text would take too much memory.
fn is_too_much(text: &[u8]) -> bool {
    let (mut containers, mut values) = (0, 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' | b'[' => containers += 1,
            b',' => values += 1,
            _ => {}
        }
    }
    containers > MOST_CONTAINERS || values > MOST_VALUES
}

impl Line {
    /// `is_replayed`: whether a message attribute says that a reseed sent it.
    fn read(&mut self, text: &[u8], is_replayed: bool, depth: usize) -> Result<(), String> {
        if let Ok(event) = serde_json::from_slice::<Event>(text) {
            let time_is_listed = event.source == Source::Reseed;
            self.event(event, time_is_listed);
            return Ok(());
        }
        if is_too_much(text) {
            return Err(format!(
                "it has more parts than any message: {MOST_CONTAINERS} objects and arrays and {MOST_VALUES} values are read"
            ));
        }
        let value: Value = serde_json::from_slice(text).map_err(|error| not_json(&error))?;
        if depth == MOST_ENVELOPES {
            return Err("too many envelopes in each other".to_owned());
        }
        let records = value.get("Records").and_then(Value::as_array);
        let messages = value.get("Messages").and_then(Value::as_array);
        if let Some(messages) = messages.filter(|messages| !messages.is_empty()) {
            self.read_messages(messages, depth);
            return Ok(());
        }
        if depth == 0 && is_empty_answer(&value) {
            return Ok(());
        }
        if body(&value).is_some() {
            return self.read_message(&value, depth);
        }
        if let Some(records) = records
            && records.iter().any(|record| body(record).is_some())
        {
            self.read_messages(records, depth);
            return Ok(());
        }
        if value.get("eventId").is_some() {
            // What it lacks, in the reader's words.
            let wrong = serde_json::from_value::<Event>(value).err();
            return Err(
                wrong.map_or_else(|| "it is no event".to_owned(), |e| brief(&e.to_string()))
            );
        }
        let document = parse_document(&value).map_err(|error| error.to_string())?;
        self.no_change += document.skipped.len() as u64;
        let unreadable = document.unreadable.iter().map(ToString::to_string);
        self.unreadable.extend(unreadable);
        for event in document.events {
            self.event(event, is_replayed);
        }
        Ok(())
    }

    /// Takes an event whose name tells what happened.
    fn event(&mut self, event: Event, time_is_listed: bool) {
        match event.change() {
            Some(change) => self.told.push(Told {
                event,
                change,
                time_is_listed,
            }),
            None => self.unreadable.push(format!(
                "event name {} is not known",
                quoted(&event.event_name)
            )),
        }
    }

    /// All messages: what is wrong with one says nothing of the others.
    fn read_messages(&mut self, messages: &[Value], depth: usize) {
        for message in messages {
            if let Err(reason) = self.read_message(message, depth) {
                self.unreadable.push(reason);
            }
        }
    }

    /// A message of SQS, as its API writes it, or as Lambda is handed it.
    fn read_message(&mut self, message: &Value, depth: usize) -> Result<(), String> {
        let body = body(message).ok_or("a message has no body")?;
        let source = ["MessageAttributes", "messageAttributes"]
            .iter()
            .find_map(|name| message.get(name)?.get("source"));
        let source = source.and_then(|source| {
            let value = source
                .get("StringValue")
                .or_else(|| source.get("stringValue"));
            value.and_then(Value::as_str)
        });
        let is_replayed = source == Some(Source::Reseed.as_str());
        self.read(body.as_bytes(), is_replayed, depth + 1)
    }
}

fn body(message: &Value) -> Option<&str> {
    let body = message.get("Body").or_else(|| message.get("body"));
    body.and_then(Value::as_str)
}

/// Whether it is an answer of SQS without messages. Anything else of one is no answer: it may be a message's.
fn is_empty_answer(value: &Value) -> bool {
    let is_empty = |(name, value): (&String, &Value)| match value {
        Value::Null => name == "Messages",
        Value::Array(messages) => name == "Messages" && messages.is_empty(),
        Value::Object(_) => METADATA.contains(&name.as_str()),
        _ => false,
    };
    let answer = value.as_object();
    answer.is_some_and(|answer| answer.iter().all(is_empty))
}

fn not_json(error: &serde_json::Error) -> String {
    let reason = brief(&error.to_string());
    format!(
        "it is no whole JSON value ({reason}): one message a line is expected, as `jq -c` writes it"
    )
}

#[cfg(test)]
mod tests {
    use bridge_core::format::{Format, body};
    use bridge_core::timestamp::Timestamp;
    use serde_json::json;

    use super::*;

    fn event() -> Event {
        let what = (Change::Created, "ObjectCreated:Put");
        Event {
            size: Some(7),
            e_tag: Some("d41d8cd9".to_owned()),
            ..Event::new(
                Source::Reseed,
                "ledger",
                "a b/ü",
                "v1",
                what,
                Timestamp(1_000),
            )
        }
    }

    fn told_by(line: &Value) -> Vec<(Event, bool)> {
        let found = read_line(line.to_string().as_bytes());
        assert_eq!(found.unreadable, Vec::<String>::new(), "{line}");
        found
            .told
            .into_iter()
            .map(|told| (told.event, told.time_is_listed))
            .collect()
    }

    #[test]
    fn the_same_event_is_read_of_every_envelope() {
        let told = event();
        let bridge = body(&told, Format::Bridge, "eu-west-1");
        let s3 = body(&told, Format::S3, "eu-west-1");
        let attribute = json!({ "StringValue": "reseed", "DataType": "String" });
        let message = |body: &str| json!({ "MessageId": "m", "Body": body, "MessageAttributes": { "source": attribute } });
        let of_lambda = json!({ "messageId": "m", "body": s3, "eventSource": "aws:sqs",
            "messageAttributes": { "source": { "stringValue": "reseed", "dataType": "String" } } });
        let of_s3 = Event {
            source: Source::Realtime,
            ..told.clone()
        };
        for (line, expected) in [
            (serde_json::from_str(&bridge).unwrap(), (&told, true)),
            (serde_json::from_str(&s3).unwrap(), (&of_s3, false)),
            (message(&bridge), (&told, true)),
            (message(&s3), (&of_s3, true)),
            (json!({ "Messages": [message(&s3)] }), (&of_s3, true)),
            (json!({ "Records": [of_lambda] }), (&of_s3, true)),
            (
                json!({ "Type": "Notification", "Message": s3 }),
                (&of_s3, false),
            ),
        ] {
            assert_eq!(told_by(&line), [(expected.0.clone(), expected.1)], "{line}");
        }
    }

    #[test]
    fn what_is_no_event_is_told() {
        for (line, part) in [
            (r#"{"eventId":"1","key":"a""#, "no whole JSON value"),
            ("{", "one message a line"),
            (r#"{"eventId":"1","key":"a"}"#, "missing field"),
            (r#"{"colour":"red"}"#, "found an object with colour"),
            (r#"{"Messages":[{"MessageId":"m"}]}"#, "no body"),
            (r#"{"Body":"{\"Body\":1}"}"#, "found an object with Body"),
            (
                r#"{"Messages":{"MessageId":"m","Body":"{}"}}"#,
                "found an object with Messages",
            ),
            (r#"{"Messages":"x"}"#, "found an object with Messages"),
            (r#"{"Messages":[],"colour":"red"}"#, "object with Messages"),
            (r#"{"Messages":[],"Body":"{"}"#, "no whole JSON value"),
            (r#"{"ResponseMetadata":"x"}"#, "with ResponseMetadata"),
            (r#"{"$metadata":null}"#, "found an object with $metadata"),
            (r#"{"Body":"{\"Messages\":[]}"}"#, "object with Messages"),
        ] {
            let found = read_line(line.as_bytes());
            let [reason] = &found.unreadable[..] else {
                panic!("{line}")
            };
            assert!(reason.contains(part), "{line}: {reason}");
        }
        let mut unknown = event();
        unknown.event_name = "ObjectCreated:Rename".to_owned();
        let found = read_line(&serde_json::to_vec(&unknown).unwrap());
        assert!(
            found.unreadable[0].contains("ObjectCreated:Rename"),
            "{found:?}"
        );
    }

    #[test]
    fn one_message_that_cannot_be_read_hides_no_other() {
        let good = json!({ "Body": body(&event(), Format::Bridge, "eu-west-1") });
        let mut renamed = event();
        renamed.event_name = "ObjectCreated:Rename".to_owned();
        let renamed = json!({ "Body": body(&renamed, Format::Bridge, "eu-west-1") });
        let no_body = json!({ "MessageId": "m" });
        for name in ["Messages", "Records"] {
            let line =
                json!({ name: [good, { "Body": "{" }, no_body, renamed, { "Body": "{}" }, good] });
            let found = read_line(line.to_string().as_bytes());
            assert_eq!((found.told.len(), found.unreadable.len()), (2, 4), "{name}");
        }
    }

    #[test]
    fn an_answer_without_messages_and_a_byte_order_mark_are_nothing() {
        for line in [
            "{}",
            r#"{"Messages":[]}"#,
            r#"{"Messages":null,"ResultMetadata":{}}"#,
            r#"{"Messages":[],"ResponseMetadata":{"RequestId":"1"}}"#,
            r#"{"ResponseMetadata":{"RequestId":"1"}}"#,
            r#"{"$metadata":{"httpStatusCode":200}}"#,
            "\u{feff}",
            "\u{feff}{}\r",
        ] {
            let found = read_line(line.as_bytes());
            assert_eq!((found.told.len(), found.unreadable.len()), (0, 0), "{line}");
        }
    }

    #[test]
    fn what_would_take_too_much_memory_is_not_read_and_the_largest_message_is() {
        let many = |part: &str, count| format!("[{}]", vec![part; count].join(","));
        for text in [
            many("0", MOST_VALUES + 2),
            many("{\"\":0}", MOST_CONTAINERS),
            many("[]", MOST_CONTAINERS),
        ] {
            // As a line, and as a message's text.
            for line in [text.clone(), json!({ "Body": text }).to_string()] {
                let found = read_line(line.as_bytes());
                assert!(
                    found.unreadable[0].contains("more parts"),
                    "{:?}",
                    found.unreadable
                );
            }
        }
        let event = Event {
            key: ",{[\"\\".repeat(200),
            ..event()
        };
        let s3 = body(&event, Format::S3, "eu-west-1");
        let mut document: Value = serde_json::from_str(&s3).unwrap();
        let record = document["Records"][0].clone();
        let count = (1 << 20) / record.to_string().len();
        document["Records"] = vec![record; count].into();
        let messages = json!({ "Messages": [{ "Body": document.to_string() }] });
        let found = read_line(messages.to_string().as_bytes());
        assert_eq!((found.told.len(), found.unreadable.len()), (count, 0));
    }

    #[test]
    fn what_tells_of_no_change_is_counted() {
        let found =
            read_line(br#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"ledger"}"#);
        assert_eq!(
            (found.no_change, found.told.len(), found.unreadable.len()),
            (1, 0, 0)
        );
        let found = read_line(b" \r\n");
        assert_eq!(
            (found.no_change, found.told.len(), found.unreadable.len()),
            (0, 0, 0)
        );
    }
}
