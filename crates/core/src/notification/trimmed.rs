//! JSON without what no event tells: of a native record that is half of its objects, and of a thousand records
//! in one invocation some megabytes.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Objects that are not kept, whatever they stand in.
const LEFT_OUT: [&str; 4] = [
    "userIdentity",
    "requestParameters",
    "responseElements",
    "ownerIdentity",
];

/// Bytes of memory that an object takes, whatever is in it, and any value.
const OBJECT: usize = 640;
const VALUE: usize = 64;

/// Values may take so many times the bytes of their text, and [`SLACK`] besides.
const TIMES: usize = 24;
const SLACK: usize = 64 * 1024;

/// Whether a text would take far more memory as values than it has bytes: a megabyte of the shortest objects takes a
/// hundred. A notification's take about eight times its text.
pub(super) fn is_too_dense(text: &[u8]) -> bool {
    let marks = text.iter().map(|byte| match byte {
        b'{' => OBJECT,
        b',' | b'[' => VALUE,
        _ => 0,
    });
    marks.sum::<usize>() > TIMES * text.len() + SLACK
}

/// A JSON value, without who did it and by which request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trimmed(pub Value);

impl<'de> Deserialize<'de> for Trimmed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Parts).map(Self)
    }
}

struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any valid JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Trimmed(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if LEFT_OUT.contains(&name.as_str()) {
                members.next_value::<IgnoredAny>()?;
            } else {
                let Trimmed(value) = members.next_value()?;
                map.insert(name, value);
            }
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_too_dense_whose_objects_are_far_shorter_than_a_notifications() {
        let record = r#"{"eventVersion":"2.1","eventSource":"aws:s3","eventTime":"2024-05-01T12:00:00.000Z",
            "eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}"#;
        let of = |record: &str, count| format!("[{}]", vec![record; count].join(","));
        assert!(!is_too_dense(of(record, 5_000).as_bytes()));
        assert!(
            !is_too_dense(of("{}", 100).as_bytes()),
            "few of them are nothing"
        );
        for dense in ["{}", "{\"s3\":1}", "[]", "0"] {
            assert!(is_too_dense(of(dense, 300_000).as_bytes()), "{dense}");
        }
    }

    #[test]
    fn all_is_kept_but_who_did_it() {
        let text = r#"{"Records":[{"eventName":"ObjectCreated:Put","userIdentity":{"a":1},"s3":{"object":
            {"size":18446744073709551615,"n":-1,"f":1.5,"b":true,"z":null,"key":"\u00e9"},
            "bucket":{"name":"x","ownerIdentity":{"principalId":"p"}}},
            "responseElements":[{"x":"y"}],"requestParameters":7}],"other":[[],{}]}"#;
        let Trimmed(trimmed) = serde_json::from_str(text).unwrap();
        let mut whole: Value = serde_json::from_str(text).unwrap();
        let record = whole["Records"][0].as_object_mut().unwrap();
        for name in ["userIdentity", "responseElements", "requestParameters"] {
            record.remove(name).unwrap();
        }
        let bucket = record["s3"]["bucket"].as_object_mut().unwrap();
        bucket.remove("ownerIdentity").unwrap();
        assert_eq!(trimmed, whole);
    }

    #[test]
    fn what_is_no_json_is_refused_as_ever() {
        for text in [
            "",
            "{",
            "{\"userIdentity\":{}",
            "[1,",
            "{\"userIdentity\":\"\\ud800\"}x",
        ] {
            assert!(serde_json::from_str::<Trimmed>(text).is_err(), "{text}");
        }
    }
}
