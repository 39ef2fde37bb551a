use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::notification::buckets::Buckets;
use crate::notification::error::MOST_ERROR;

fn fixture(name: &str) -> Value {
    let path = format!(
        "{}/tests/fixtures/notifications/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn direct(value: &Value) -> Document {
    match parse_input(value).unwrap() {
        Input::Direct(document) => document,
        Input::Batch(_) => panic!("an SQS batch"),
    }
}

/// (event name, key, version id) of each event.
fn facts(document: &Document) -> Vec<(&str, &str, &str)> {
    assert_eq!(document.unreadable, vec![]);
    document
        .events
        .iter()
        .map(|e| (e.event_name.as_str(), e.key.as_str(), e.version_id.as_str()))
        .collect()
}

#[test]
fn every_direct_shape_gives_its_events() {
    for (value, expected) in [
        (
            fixture("put"),
            vec![("ObjectCreated:Put", "accounts/1.json", "a1")],
        ),
        (
            fixture("delete-marker"),
            vec![("ObjectRemoved:DeleteMarkerCreated", "accounts/1.json", "a2")],
        ),
        (
            fixture("permanent-delete"),
            vec![("ObjectRemoved:Delete", "accounts/1.json", "a1")],
        ),
        (
            fixture("encoded-key"),
            vec![
                ("ObjectCreated:Copy", "reports/red flower+50%.jpg", "c1"),
                (
                    "ObjectCreated:CompleteMultipartUpload",
                    "reports/ünï/日本 & <tag>.txt",
                    "d2",
                ),
            ],
        ),
        (
            fixture("unversioned"),
            vec![("ObjectCreated:Put", "plain.txt", "null")],
        ),
        (
            fixture("unknown-fields"),
            vec![("ObjectCreated:Put", "n.txt", "n1")],
        ),
        (
            fixture("eventbridge-created"),
            vec![("ObjectCreated:Put", "reports/red flower+50%.jpg", "c1")],
        ),
        (
            fixture("eventbridge-deleted"),
            vec![("ObjectRemoved:DeleteMarkerCreated", "accounts/1.json", "a2")],
        ),
        (
            fixture("sns-to-lambda"),
            vec![("ObjectCreated:Put", "accounts/1.json", "a1")],
        ),
    ] {
        assert_eq!(facts(&direct(&value)), expected);
    }
}

#[test]
fn one_change_has_one_id_whatever_way_it_came() {
    let s3 = &direct(&fixture("encoded-key")).events[0];
    let bridge = &direct(&fixture("eventbridge-created")).events[0];
    assert_eq!(s3.event_id, bridge.event_id);
}

#[test]
fn created_and_permanently_deleted_are_two_changes_of_one_version() {
    let put = &direct(&fixture("put")).events[0];
    let deleted = &direct(&fixture("permanent-delete")).events[0];
    assert_eq!(put.version_id, deleted.version_id);
    assert_ne!(put.event_id, deleted.event_id);
}

#[test]
fn the_test_event_is_skipped_with_its_reason() {
    let document = direct(&fixture("test-event"));
    assert_eq!(document.events, vec![]);
    assert_eq!(document.skipped[0].reason, Reason::TestEvent);
}

#[test]
fn an_sqs_batch_fails_message_by_message() {
    let Input::Batch(messages) = parse_input(&fixture("sqs-to-lambda")).unwrap() else {
        panic!("not read as a batch");
    };
    let answers: Vec<_> = messages
        .iter()
        .map(|m| match &m.document {
            Ok(d) => format!(
                "{}: {} events, {} skipped",
                m.message_id,
                d.events.len(),
                d.skipped.len()
            ),
            Err(e) => format!("{}: {e}", m.message_id),
        })
        .collect();
    assert_eq!(
        answers,
        [
            "00000001-d6ee: 1 events, 0 skipped",
            "00000002-d6ee: 1 events, 0 skipped",
            "00000003-d6ee: the message body is not JSON: expected ident at line 1 column 2",
            "00000004-d6ee: 0 events, 1 skipped",
        ]
    );
}

#[test]
fn keys_outside_the_filter_are_skipped_not_lost() {
    let mut document = direct(&fixture("encoded-key"));
    document.keep_keys("reports/", ".jpg");
    assert_eq!(document.events.len(), 1);
    assert_eq!(document.skipped.len(), 1);
    let skipped = &document.skipped[0];
    assert_eq!(skipped.reason, Reason::Filtered);
    assert_eq!(skipped.key, "reports/ünï/日本 & <tag>.txt");
    assert_eq!(skipped.bucket, "ledger");
}

#[test]
fn what_is_not_understood_is_named() {
    for (value, part) in [
        (json!({"hello": 1}), "an object with hello"),
        (json!([1]), "an array"),
        (json!({}), "an empty object"),
        (
            json!({"Records": [{"dynamodb": {}}]}),
            "an object with dynamodb",
        ),
    ] {
        let error = parse_input(&value).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_bad_record_does_not_hide_the_good_ones_beside_it() {
    let mut value = fixture("encoded-key");
    value["Records"][0]["eventVersion"] = json!("3.0");
    value["Records"][1]["s3"]["object"]["key"] = json!("%FF");
    value["Records"]
        .as_array_mut()
        .unwrap()
        .push(fixture("put")["Records"][0].clone());
    let document = direct(&value);
    assert_eq!(document.events.len(), 1);
    assert_eq!(
        document.unreadable[0],
        NotificationError::Version {
            found: "3.0".to_owned()
        }
    );
    assert!(document.unreadable[1].to_string().contains("%FF"));
}

#[test]
fn tag_events_are_no_change() {
    let mut value = fixture("put");
    value["Records"][0]["eventName"] = json!("ObjectTagging:Put");
    assert_eq!(direct(&value).skipped[0].reason, Reason::NoChange);
}

#[test]
fn envelopes_without_end_are_refused() {
    let mut text = "{}".to_owned();
    for _ in 0..8 {
        text = json!({"Type": "Notification", "Message": text}).to_string();
    }
    let error = parse_document(&serde_json::from_str(&text).unwrap()).unwrap_err();
    assert!(error.to_string().contains("envelopes"), "{error}");
}

proptest! {
    /// Any damage to a good document gives an answer, never a panic.
    #[test]
    fn damaged_documents_never_panic(position in 0usize..4000, byte: u8) {
        let mut text = include_bytes!("../../tests/fixtures/notifications/sqs-to-lambda.json").to_vec();
        let position = position % text.len();
        text[position] = byte;
        if let Ok(value) = serde_json::from_slice::<Value>(&text) {
            let _ = parse_input(&value);
        }
    }
}

/// Every place of a notification where something of it is found wrong and told, filled with `text`.
fn spoiled(text: &str) -> Vec<Value> {
    let record = |change: &dyn Fn(&mut Value)| {
        let mut record = json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "eventTime": "2024-05-01T12:00:00.000Z",
            "s3": {
                "bucket": { "name": "ledger" },
                "object": { "key": "k", "versionId": "v1", "size": 1 },
            },
        });
        change(&mut record);
        json!({ "Records": [record] })
    };
    let event = |change: &dyn Fn(&mut Value)| {
        let mut event = json!({
            "source": "aws.s3", "detail-type": "Object Deleted", "time": "2024-05-01T12:00:00Z",
            "detail": { "bucket": { "name": "ledger" }, "object": { "key": "k" } },
        });
        change(&mut event);
        event
    };
    vec![
        json!(text),
        json!([text]),
        json!({ text: 1 }),
        json!({ "Records": [{ text: 1 }] }),
        json!({ "Records": [{ "eventSource": "aws:sqs", "body": { "name": text } }] }),
        json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "1", "body": text }] }),
        json!({ "Records": [{ "Sns": text }] }),
        json!({ "Type": "Notification", "Message": text }),
        record(&|r| r["eventVersion"] = json!(format!("3{text}"))),
        record(&|r| {
            r["eventName"] = json!(text);
            r["s3"]["object"]["key"] = json!(text);
        }),
        record(&|r| r["eventTime"] = json!(text)),
        record(&|r| r["s3"] = json!(text)),
        record(&|r| r["s3"]["object"]["size"] = json!(format!("x{text}"))),
        record(&|r| r["s3"]["object"]["size"] = json!({ text: text })),
        record(&|r| r["s3"]["object"]["key"] = json!(format!("%FF{text}"))),
        record(&|r| r["s3"]["object"]["key"] = json!([text])),
        record(&|r| {
            r["eventSource"] = json!(format!("x{text}"));
            r["s3"]["object"]["key"] = json!(format!("+{text}"));
        }),
        event(&|e| {
            e["detail-type"] = json!(text);
            e["detail"]["object"]["key"] = json!(text);
        }),
        event(&|e| e["detail"]["deletion-type"] = json!(text)),
        event(&|e| e["detail"] = json!(text)),
        event(&|e| {
            e["detail-type"] = json!("Object Created");
            e["time"] = json!(text);
        }),
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    /// Whatever stands in it, wherever: what is said of it fits a line of a log.
    #[test]
    fn what_is_wrong_is_told_in_bounds(text in crate::text::any::any_text()) {
        for input in spoiled(&text) {
            let errors = match parse_input(&input) {
                Err(error) => vec![error],
                Ok(Input::Direct(document)) => document.unreadable,
                Ok(Input::Batch(messages)) => messages
                    .into_iter()
                    .flat_map(|message| match message.document {
                        Err(error) => vec![error],
                        Ok(document) => document.unreadable,
                    })
                    .collect(),
            };
            for error in errors {
                let text = error.to_string();
                proptest::prop_assert!(text.len() <= MOST_ERROR, "{} bytes", text.len());
                proptest::prop_assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
            }
        }
    }
}

/// Its texts are the sender's, however long.
#[test]
fn what_is_of_another_bucket_is_told_in_bounds() {
    let long = "x\u{1b}\u{9b}".repeat(50_000);
    let mut spoiled = fixture("encoded-key");
    spoiled["Records"][0]["s3"]["bucket"]["name"] = json!(long);
    spoiled["Records"][0]["s3"]["object"]["key"] = json!(long);
    let mut document = direct(&spoiled);
    document.keep_buckets(&Buckets::parse("ledger").unwrap());
    let error = document.unreadable[0].to_string();
    assert!(error.contains("are not taken here"), "{error}");
    assert!(error.len() <= MOST_ERROR, "{} bytes", error.len());
    assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
}
