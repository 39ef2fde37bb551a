use std::slice;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageSystemAttributeName as System;
use bridge_history::verify::message::read_line;

use super::*;

fn message(id: &str) -> Message {
    Message::builder()
        .message_id(id)
        .body(format!("body of {id}"))
        .build()
}

fn open(path: &Path) -> io::Result<Copy> {
    Copy::open(path, "--copy")
}

fn write(path: &Path, ids: &[&str]) -> u64 {
    let messages: Vec<_> = ids.iter().map(|id| message(id)).collect();
    open(path).unwrap().write(&messages).unwrap()
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn a_message_is_written_once_however_often_it_is_received_and_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy");
    assert_eq!(write(&path, &["a", "b", "a"]), 2);
    assert_eq!(write(&path, &["b", "c"]), 1);
    assert_eq!(lines(&path), 3);
}

#[test]
fn a_line_that_was_cut_off_is_written_again_and_one_without_an_end_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy");
    write(&path, &["a", "b"]);
    let text = std::fs::read(&path).unwrap();
    let first = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for (length, expected) in [
        (text.len(), 0),
        (text.len() - 1, 0),
        (text.len() - 2, 1),
        (first + BEGIN.len() + 1, 1),
        (first + 1, 1),
        (first, 1),
        (first - 1, 1),
        (1, 2),
        (0, 2),
    ] {
        std::fs::write(&path, &text[..length]).unwrap();
        assert_eq!(write(&path, &["a", "b"]), expected, "{length}");
        assert_eq!(std::fs::read(&path).unwrap(), text, "{length}");
    }
}

#[test]
fn a_line_may_be_cut_off_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy");
    let message = Message::builder()
        .message_id("a")
        .body("{\"key\":\"\u{1}ü\\\u{1f600}\"}")
        .attributes(System::MessageGroupId, "g")
        .build();
    let write = || open(&path).unwrap().write(slice::from_ref(&message));
    write().unwrap();
    let text = std::fs::read(&path).unwrap();
    for length in 0..text.len() - 1 {
        std::fs::write(&path, &text[..length]).unwrap();
        assert_eq!(write().unwrap(), 1, "{length}");
        assert_eq!(std::fs::read(&path).unwrap(), text, "{length}");
    }
}

#[test]
fn nothing_is_written_behind_a_batch_that_could_not_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy");
    let mut copy = open(&path).unwrap();
    copy.write(&[message("a")]).unwrap();
    // Open to be read only: nothing can be written.
    let writable = std::mem::replace(&mut copy.file, File::open(&path).unwrap());
    for _ in 0..2 {
        let error = copy.write(&[message("b")]).unwrap_err().to_string();
        assert!(error.starts_with("--copy: "), "{error}");
        assert!(error.contains("/copy: "), "{error}");
    }
    copy.file = writable;
    for id in ["b", "c"] {
        copy.write(&[message(id)]).unwrap_err();
    }
    assert_eq!(lines(&path), 1);
}

#[test]
fn a_file_of_something_else_or_of_another_process_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy");
    write(&path, &["a"]);
    let ours = std::fs::read_to_string(&path).unwrap();
    for theirs in [
        "my notes\nmore",
        "my notes",
        "{\"a\":1}",
        "\n",
        "{ \"MessageId\":",
        r#"{"MessageId":"a","Body":"theirs"}{"MessageId":"b","Body":"theirs"}"#,
        r#"{"MessageId":"a","Body":"theirs"},"#,
        r#"{"MessageId":1,"Body":"#,
    ] {
        for (before, line) in [("", 1), (&*ours, 2)] {
            let text = format!("{before}{theirs}");
            std::fs::write(&path, &text).unwrap();
            let error = open(&path).err().unwrap().to_string();
            let part = format!("line {line} is no message");
            assert!(error.contains(&part), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
    let other = folder.path().join("other");
    let _held = open(&other).unwrap();
    let error = open(&other).err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
}

#[test]
fn a_message_is_written_with_all_that_is_known_of_it_as_the_api_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy");
    let value = |kind: &str| MessageAttributeValue::builder().data_type(kind);
    let message = Message::builder()
        .message_id("a")
        .receipt_handle("gone at the end")
        .body("{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}")
        .attributes(System::MessageGroupId, "g")
        .message_attributes(
            "source",
            value("String").string_value("reseed").build().unwrap(),
        )
        .message_attributes(
            "raw",
            value("Binary")
                .binary_value(Blob::new([1]))
                .build()
                .unwrap(),
        )
        .build();
    open(&path).unwrap().write(&[message]).unwrap();
    let line = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&line).unwrap(),
        serde_json::json!({
            "MessageId": "a", "Body": "{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}",
            "Attributes": { "MessageGroupId": "g" },
            "MessageAttributes": { "source": { "DataType": "String", "StringValue": "reseed" },
                                   "raw": { "DataType": "Binary", "BinaryValue": "AQ==" } },
        })
    );
    assert_eq!(read_line(line.trim_end().as_bytes()).no_change, 1);
}

#[test]
fn no_more_ids_are_kept_than_are_useful() {
    let mut known = Known::default();
    for number in 0..=MOST_KNOWN {
        assert!(known.insert(&number.to_string()));
    }
    assert_eq!(
        (known.ids.len(), known.in_turn.len()),
        (MOST_KNOWN, MOST_KNOWN)
    );
    assert!(!known.insert("1"), "the last ones are known");
    assert!(known.insert("0"), "the oldest is not");
}
