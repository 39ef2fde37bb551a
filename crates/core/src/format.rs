//! How an event is written into a message: `bridge` (one JSON object) or `s3` (a native S3
//! notification document, for consumers that read those already).

use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::timestamp::Timestamp;

/// The shape of a message's body: the variable `MESSAGE_FORMAT`, the option `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a message: [`Event`].
    #[default]
    Bridge,
    /// `{"Records":[…]}` as S3 sends it.
    S3,
}

/// Reads `bridge` or `s3`; the error is what is allowed.
impl FromStr for Format {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "bridge" => Ok(Self::Bridge),
            "s3" => Ok(Self::S3),
            _ => Err("bridge or s3"),
        }
    }
}

/// What stays readable in a key of a notification: S3 encodes keys as form data, slashes kept.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/')
    .remove(b' ');

/// A key as S3 notifications carry it: `red flower.jpg` is `red+flower.jpg`.
#[must_use]
pub fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, FORM).to_string().replace(' ', "+")
}

/// The message body for `event`. `region` fills `awsRegion` of the `s3` format.
#[must_use]
pub fn body(event: &Event, format: Format, region: &str) -> String {
    match format {
        Format::Bridge => json(event),
        Format::S3 => document(&record(event, region)),
    }
}

/// A notification document of these records, which are separated by commas.
#[must_use]
pub fn document(records: &str) -> String {
    format!("{{\"Records\":[{records}]}}")
}

/// One record of a notification document, event version 2.1. `responseElements` carries the
/// event id as the request id; `sequencer` is absent where the listing has none.
#[must_use]
pub fn record(event: &Event, region: &str) -> String {
    let principal = Principal {
        principal_id: "s3-sqs-bridge",
    };
    json(&Record {
        event_version: "2.1",
        event_source: "aws:s3",
        aws_region: region,
        event_time: event.event_time,
        event_name: &event.event_name,
        user_identity: principal,
        request_parameters: RequestParameters {
            source_ip_address: "127.0.0.1",
        },
        response_elements: ResponseElements {
            request_id: event
                .event_id
                .get(..16)
                .unwrap_or(&event.event_id)
                .to_ascii_uppercase(),
            id_2: &event.event_id,
        },
        s3: S3 {
            schema_version: "1.0",
            configuration_id: "s3-sqs-bridge",
            bucket: BucketEntity {
                name: &event.bucket,
                owner_identity: principal,
                arn: format!("arn:aws:s3:::{}", event.bucket),
            },
            object: Object {
                key: encode_key(&event.key),
                size: event.size,
                e_tag: event.e_tag.as_deref(),
                version_id: (event.version_id != "null").then_some(&event.version_id),
                sequencer: event.sequencer.as_deref(),
            },
        },
    })
}

/// JSON of characters that SQS takes. Of those that it refuses, a JSON writer escapes the control
/// characters; U+FFFE and U+FFFF are as good as any to JSON, and S3 keys may hold them.
///
/// Source: Amazon SQS API Reference, "`SendMessage`": allowed are #x9 #xA #xD #x20 to #xD7FF
/// #xE000 to #xFFFD #x10000 to #x10FFFF.
fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("string keys and no fallible serializer");
    // Both begin with this byte in UTF-8, and hardly a body has it.
    if !text.as_bytes().contains(&0xEF) {
        return text;
    }
    text.replace('\u{FFFE}', "\\ufffe")
        .replace('\u{FFFF}', "\\uffff")
}

/// Source: Amazon S3 User Guide, "Event message structure".
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'a str,
    event_source: &'a str,
    aws_region: &'a str,
    event_time: Timestamp,
    event_name: &'a str,
    user_identity: Principal,
    request_parameters: RequestParameters,
    response_elements: ResponseElements<'a>,
    s3: S3<'a>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Principal {
    principal_id: &'static str,
}

#[derive(Serialize)]
struct RequestParameters {
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: &'static str,
}

#[derive(Serialize)]
struct ResponseElements<'a> {
    #[serde(rename = "x-amz-request-id")]
    request_id: String,
    #[serde(rename = "x-amz-id-2")]
    id_2: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct S3<'a> {
    #[serde(rename = "s3SchemaVersion")]
    schema_version: &'a str,
    configuration_id: &'a str,
    bucket: BucketEntity<'a>,
    object: Object<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BucketEntity<'a> {
    name: &'a str,
    owner_identity: Principal,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencer: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Change, Source};
    use crate::notification;

    fn event(key: &str, version_id: &str, created: bool) -> Event {
        let what = if created {
            (Change::Created, "ObjectCreated:Put")
        } else {
            (Change::Removed, "ObjectRemoved:DeleteMarkerCreated")
        };
        let (source, time) = (Source::Realtime, Timestamp(1_714_564_807_123));
        Event {
            sequencer: Some("0055AED6".to_owned()),
            size: created.then_some(10),
            e_tag: created.then(|| "d41d8cd9".to_owned()),
            ..Event::new(source, "ledger", key, version_id, what, time)
        }
    }

    #[test]
    fn bridge_writes_absent_facts_as_absent_fields() {
        let text = body(&event("a b", "v1", false), Format::Bridge, "eu-west-1");
        assert_eq!(
            text,
            r#"{"eventId":"b135ceb417a7f7fa5e28a78bbfb400a1","source":"realtime","eventName":"ObjectRemoved:DeleteMarkerCreated","bucket":"ledger","key":"a b","versionId":"v1","eventTime":"2024-05-01T12:00:07.123Z","sequencer":"0055AED6"}"#
        );
    }

    #[test]
    fn keys_are_encoded_as_s3_notifications_do() {
        for (key, encoded) in [
            ("red flower+50%.jpg", "red+flower%2B50%25.jpg"),
            (
                "ünï/日本 & <tag>.txt",
                "%C3%BCn%C3%AF/%E6%97%A5%E6%9C%AC+%26+%3Ctag%3E.txt",
            ),
        ] {
            assert_eq!(encode_key(key), encoded);
        }
    }

    /// What SQS takes, in the words of its API reference.
    fn is_allowed(c: char) -> bool {
        matches!(u32::from(c), 0x9 | 0xA | 0xD | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x1_0000..=0x10_FFFF)
    }

    proptest! {
        /// Whatever stands in a key, or in what else a server wrote.
        #[test]
        fn bodies_hold_only_what_sqs_takes_and_read_back(
            key in "[\u{0}-\u{2F}\u{7F}-\u{9F}\u{2028}\u{FFEF}-\u{FFFF}\u{1FFFE}-\u{1FFFF}]{1,20}",
            tag in "[\u{FFFC}-\u{FFFF}a]{1,5}"
        ) {
            let event = Event { e_tag: Some(tag), ..event(&key, "v1", true) };
            for format in [Format::Bridge, Format::S3] {
                let body = body(&event, format, "eu-west-1");
                prop_assert!(body.chars().all(is_allowed), "{body:?}");
                let value: serde_json::Value = serde_json::from_str(&body).unwrap();
                if format == Format::Bridge {
                    prop_assert_eq!(value["key"].as_str(), Some(event.key.as_str()));
                    prop_assert_eq!(value["eTag"].as_str(), event.e_tag.as_deref());
                } else {
                    let document = notification::parse_document(&value).unwrap();
                    prop_assert_eq!(&document.events[0], &event);
                }
            }
        }

        #[test]
        fn both_formats_read_back_to_the_same_event(
            key in "\\PC{1,40}", version in "[A-Za-z0-9._]{1,32}|null", created: bool
        ) {
            let event = event(&key, &version, created);
            let bridge: Event =
                serde_json::from_str(&body(&event, Format::Bridge, "eu-west-1")).unwrap();
            prop_assert_eq!(&bridge, &event);
            let s3 = serde_json::from_str(&body(&event, Format::S3, "eu-west-1")).unwrap();
            let parsed = notification::parse_document(&s3).unwrap();
            prop_assert_eq!(parsed.events, vec![event]);
        }
    }
}
