//! How an event is written into a message: `bridge` (one JSON object) or `s3` (a native S3
//! notification document, for consumers that read those already).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::event::{Change, Event};

/// `MESSAGE_FORMAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a message: [`Event`].
    #[default]
    Bridge,
    /// `{"Records":[…]}` as S3 sends it.
    S3,
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
        Format::Bridge => serde_json::to_string(event)
            .expect("an event has string keys and no fallible serializer"),
        Format::S3 => json!({ "Records": [record(event, region)] }).to_string(),
    }
}

/// One record of a notification document, event version 2.1. `responseElements` carries the
/// event id as the request id; `sequencer` is absent where the listing has none.
fn record(event: &Event, region: &str) -> Value {
    let mut object = Map::new();
    object.insert("key".into(), encode_key(&event.key).into());
    if event.version_id != "null" {
        object.insert("versionId".into(), event.version_id.as_str().into());
    }
    if let Some(size) = event.size {
        object.insert("size".into(), size.into());
    }
    if let Some(e_tag) = &event.e_tag {
        object.insert("eTag".into(), e_tag.as_str().into());
    }
    if let Some(sequencer) = &event.sequencer {
        object.insert("sequencer".into(), sequencer.as_str().into());
    }
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": event.event_time,
        "eventName": event.event_name,
        "userIdentity": { "principalId": "s3-sqs-bridge" },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": {
            "x-amz-request-id": event.event_id[..16].to_uppercase(),
            "x-amz-id-2": event.event_id,
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "s3-sqs-bridge",
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": { "principalId": "s3-sqs-bridge" },
                "arn": format!("arn:aws:s3:::{}", event.bucket),
            },
            "object": object,
        },
    })
}

impl Event {
    /// Created or removed; events made by this crate always have a name that says so.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        Change::of_event_name(&self.event_name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Source, event_id};
    use crate::notification;
    use crate::time::Millis;

    fn event(key: &str, version_id: &str, created: bool) -> Event {
        let (name, change) = if created {
            ("ObjectCreated:Put", Change::Created)
        } else {
            ("ObjectRemoved:DeleteMarkerCreated", Change::Removed)
        };
        Event {
            event_id: event_id("ledger", key, version_id, change),
            source: Source::Realtime,
            event_name: name.to_owned(),
            bucket: "ledger".to_owned(),
            key: key.to_owned(),
            version_id: version_id.to_owned(),
            event_time: Millis(1_714_564_807_123),
            sequencer: Some("0055AED6".to_owned()),
            size: created.then_some(10),
            e_tag: created.then(|| "d41d8cd9".to_owned()),
            is_latest: None,
            job_id: None,
            sequence: None,
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

    proptest! {
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
