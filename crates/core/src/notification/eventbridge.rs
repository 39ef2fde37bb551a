//! An S3 event as `EventBridge` carries it. Keys are *not* encoded here.
//!
//! Source: Amazon S3 User Guide, "`EventBridge` event message structure" and "Amazon S3 event
//! types in `EventBridge`".

use serde::Deserialize;
use serde_json::Value;

use crate::event::name::{Meaning, meaning};
use crate::event::{Change, Event, Source};
use crate::notification::document::{Reason, Record, Skipped};
use crate::notification::error::NotificationError;
use crate::notification::fact;

const WHAT: &str = "EventBridge event";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BridgeEvent {
    #[serde(default, deserialize_with = "fact::text")]
    detail_type: Option<String>,
    #[serde(default, deserialize_with = "fact::text")]
    time: Option<String>,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    bucket: Bucket,
    object: Object,
    #[serde(default, deserialize_with = "fact::text")]
    reason: Option<String>,
    #[serde(default, deserialize_with = "fact::text")]
    deletion_type: Option<String>,
}

#[derive(Deserialize)]
struct Bucket {
    #[serde(default, deserialize_with = "fact::text")]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    etag: Option<String>,
}

pub(super) fn parse_event(value: &Value) -> Result<Record, NotificationError> {
    let event: BridgeEvent = fact::read(value, WHAT)?;
    let detail_type = fact::needed(event.detail_type, WHAT, "detail-type")?;
    let Detail {
        bucket,
        object,
        reason,
        deletion_type,
    } = event.detail;
    let reason = reason.unwrap_or_default();
    let (change, event_name) = match detail_type.as_str() {
        "Object Created" => (Change::Created, created(&reason)),
        "Object Deleted" => deleted(&reason, &deletion_type.unwrap_or_default())?,
        other if meaning(other) == Meaning::NoChange => {
            return Ok(Record::Skipped(Skipped {
                reason: Reason::NoChange,
                event_name: detail_type,
                bucket: bucket.name.unwrap_or_default(),
                key: object.key.unwrap_or_default(),
            }));
        }
        _ => {
            return Err(NotificationError::EventName {
                found: detail_type,
                key: object.key.unwrap_or_default(),
            });
        }
    };
    let bucket = fact::needed(bucket.name, WHAT, "detail.bucket.name")?;
    let key = fact::needed(object.key, WHAT, "detail.object.key")?;
    // Absent where the bucket has no versions: listings say `null`.
    let version_id = object.version_id.unwrap_or_else(|| "null".to_owned());
    let time = fact::time(event.time, WHAT, "time")?;
    let what = (change, event_name);
    let event = Event {
        sequencer: object.sequencer,
        size: object.size.filter(|_| change == Change::Created),
        e_tag: object.etag.filter(|_| change == Change::Created),
        ..Event::new(Source::Realtime, bucket, key, version_id, what, time)
    };
    Ok(Record::Change {
        event: Box::new(event),
        has_order: true,
    })
}

/// The name that a native notification would have had. That a version came is said by the detail
/// type; a reason that is not known says no more than that.
fn created(reason: &str) -> &'static str {
    match reason {
        "POST Object" | "PostObject" => "ObjectCreated:Post",
        "CopyObject" => "ObjectCreated:Copy",
        "CompleteMultipartUpload" => "ObjectCreated:CompleteMultipartUpload",
        _ => "ObjectCreated:Put",
    }
}

/// Whether a marker was made or a version removed for good is said by the deletion type alone.
fn deleted(reason: &str, deletion_type: &str) -> Result<(Change, &'static str), NotificationError> {
    let by_lifecycle = reason.starts_with("Lifecycle");
    match deletion_type {
        "Delete Marker Created" if by_lifecycle => {
            Ok((Change::Removed, "LifecycleExpiration:DeleteMarkerCreated"))
        }
        "Delete Marker Created" => Ok((Change::Removed, "ObjectRemoved:DeleteMarkerCreated")),
        "Permanently Deleted" if by_lifecycle => {
            Ok((Change::Deleted, "LifecycleExpiration:Delete"))
        }
        "Permanently Deleted" => Ok((Change::Deleted, "ObjectRemoved:Delete")),
        other => Err(NotificationError::Malformed {
            what: WHAT,
            reason: format!(
                "deletion-type: found {other:?}, expected \"Delete Marker Created\" or \
                 \"Permanently Deleted\""
            ),
        }),
    }
}
