//! A record of a native S3 notification, from S3 or a server that speaks a dialect of it.
//!
//! Source: Amazon S3 User Guide, "Event message structure". Unknown fields and minor versions
//! are ignored. Only bucket, key, event name and time are needed to tell a change.

use serde::Deserialize;
use serde_json::Value;

use crate::event::name::{Meaning, meaning};
use crate::event::{Change, Event, Source};
use crate::notification::dialect::Dialect;
use crate::notification::document::{Reason, Record, Skipped};
use crate::notification::error::NotificationError;
use crate::notification::fact;

const WHAT: &str = "S3 notification record";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Record {
    #[serde(default, deserialize_with = "fact::text")]
    event_version: Option<String>,
    #[serde(default, deserialize_with = "fact::text")]
    event_source: Option<String>,
    #[serde(default, deserialize_with = "fact::text")]
    event_time: Option<String>,
    #[serde(default, deserialize_with = "fact::text")]
    event_name: Option<String>,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    #[serde(default, deserialize_with = "fact::text")]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    #[serde(default, deserialize_with = "fact::text")]
    key: Option<String>,
    #[serde(default, deserialize_with = "fact::text")]
    version_id: Option<String>,
    #[serde(default, deserialize_with = "fact::text")]
    sequencer: Option<String>,
    #[serde(default, deserialize_with = "fact::size")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "fact::e_tag")]
    e_tag: Option<String>,
}

pub(super) fn parse_record(record: &Value) -> Result<Record, NotificationError> {
    let record: S3Record = fact::read(record, WHAT)?;
    if let Some(found) = record.event_version
        && found.split('.').next() != Some("2")
    {
        return Err(NotificationError::Version { found });
    }
    let written = fact::needed(record.event_name, WHAT, "eventName")?;
    // S3 itself writes the name without the prefix its configuration uses; others keep it.
    let written = written.strip_prefix("s3:").unwrap_or(&written);
    let Entity { bucket, object } = record.s3;
    let source = record.event_source.unwrap_or_default();
    let dialect = Dialect::of(Some(source.as_str()).filter(|source| !source.is_empty()));
    let (change, name) = match meaning(written) {
        Meaning::Change { change, name } => (change, name),
        Meaning::NoChange => {
            return Ok(Record::Skipped(Skipped {
                reason: Reason::NoChange,
                event_name: written.to_owned(),
                bucket: bucket.name.unwrap_or_default(),
                key: object.key.unwrap_or_default(),
            }));
        }
        Meaning::Unknown => {
            return Err(NotificationError::EventName {
                found: written.to_owned(),
                key: object.key.unwrap_or_default(),
            });
        }
    };
    let bucket = fact::needed(bucket.name, WHAT, "s3.bucket.name")?;
    let key = fact::needed(object.key, WHAT, "s3.object.key")?;
    let key = dialect.key(&key, &source)?;
    let version_id = dialect.version_id(object.version_id, written)?;
    let time = fact::time(record.event_time, WHAT, "eventTime")?;
    let what = (change, name);
    let event = Event {
        sequencer: object.sequencer,
        size: object.size.filter(|_| change == Change::Created),
        e_tag: object.e_tag.filter(|_| change == Change::Created),
        ..Event::new(Source::Realtime, bucket, key, version_id, what, time)
    };
    Ok(Record::Change {
        event: Box::new(event),
        has_order: dialect.has_order(),
    })
}
