//! A record of a native S3 notification.
//!
//! Source: Amazon S3 User Guide, "Event message structure". Unknown fields and minor versions
//! are ignored; keys are URL-encoded as form data.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use super::{NotificationError, Reason, Record, Skipped, read};
use crate::event::{Change, Event, Source, event_id};
use crate::time::Millis;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Record {
    event_version: String,
    event_time: Millis,
    event_name: String,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    key: String,
    version_id: Option<String>,
    sequencer: Option<String>,
    size: Option<u64>,
    e_tag: Option<String>,
}

pub(super) fn parse_record(record: &Value) -> Result<Record, NotificationError> {
    let record: S3Record = read(record, "S3 notification record")?;
    if record.event_version.split('.').next() != Some("2") {
        return Err(NotificationError::Version {
            found: record.event_version,
        });
    }
    let Entity { bucket, object } = record.s3;
    let key = decode_key(&object.key)?;
    // S3 itself writes the name without the prefix its configuration uses; others keep it.
    let event_name = record
        .event_name
        .strip_prefix("s3:")
        .unwrap_or(&record.event_name)
        .to_owned();
    let Some(change) = Change::of_event_name(&event_name) else {
        return Ok(Record::Skipped(Skipped {
            reason: Reason::NoChange,
            event_name,
            bucket: bucket.name,
            key,
        }));
    };
    let version_id = version_id(object.version_id);
    Ok(Record::Change(Box::new(Event {
        event_id: event_id(&bucket.name, &key, &version_id, change),
        source: Source::Realtime,
        event_name,
        bucket: bucket.name,
        key,
        version_id,
        event_time: record.event_time,
        sequencer: object.sequencer,
        size: object.size.filter(|_| change == Change::Created),
        e_tag: object.e_tag.filter(|_| change == Change::Created),
        is_latest: None,
        job_id: None,
        sequence: None,
    })))
}

/// Objects of an unversioned bucket have no version id, or an empty one: listings say `null`.
pub(super) fn version_id(found: Option<String>) -> String {
    found
        .filter(|v| !v.is_empty())
        .unwrap_or_else(|| "null".to_owned())
}

fn decode_key(encoded: &str) -> Result<String, NotificationError> {
    percent_decode_str(&encoded.replace('+', " "))
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|e| NotificationError::Malformed {
            what: "object key of an S3 notification",
            reason: format!("{encoded:?} does not decode to UTF-8: {e}"),
        })
}
