//! An S3 event as `EventBridge` carries it. Keys are *not* encoded here.
//!
//! Source: Amazon S3 User Guide, "`EventBridge` event message structure".

use serde::Deserialize;
use serde_json::Value;

use super::{NotificationError, Reason, Record, Skipped, read, s3::version_id};
use crate::event::{Change, Event, Source, event_id};
use crate::time::Millis;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BridgeEvent {
    detail_type: String,
    time: Millis,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    bucket: Bucket,
    object: Object,
    reason: Option<String>,
    deletion_type: Option<String>,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Object {
    key: String,
    version_id: Option<String>,
    sequencer: Option<String>,
    size: Option<u64>,
    etag: Option<String>,
}

pub(super) fn parse_event(value: &Value) -> Result<Record, NotificationError> {
    let event: BridgeEvent = read(value, "EventBridge event")?;
    let Detail {
        bucket,
        object,
        reason,
        deletion_type,
    } = event.detail;
    let event_name = event_name(
        &event.detail_type,
        reason.as_deref().unwrap_or_default(),
        deletion_type.as_deref().unwrap_or_default(),
    );
    let Some(change) = Change::of_event_name(&event_name) else {
        return Ok(Record::Skipped(Skipped {
            reason: Reason::NoChange,
            event_name,
            bucket: bucket.name,
            key: object.key,
        }));
    };
    let version_id = version_id(object.version_id);
    Ok(Record::Change(Box::new(Event {
        event_id: event_id(&bucket.name, &object.key, &version_id, change),
        source: Source::Realtime,
        event_name,
        bucket: bucket.name,
        key: object.key,
        version_id,
        event_time: event.time,
        sequencer: object.sequencer,
        size: object.size.filter(|_| change == Change::Created),
        e_tag: object.etag.filter(|_| change == Change::Created),
        is_latest: None,
        job_id: None,
        sequence: None,
    })))
}

/// The name a native notification would have had; the detail type itself for what is no change.
fn event_name(detail_type: &str, reason: &str, deletion_type: &str) -> String {
    match detail_type {
        "Object Created" => format!(
            "ObjectCreated:{}",
            match reason {
                "PutObject" | "" => "Put",
                "POST Object" | "PostObject" => "Post",
                "CopyObject" => "Copy",
                other => other,
            }
        ),
        "Object Deleted" => {
            let family = if reason.starts_with("Lifecycle") {
                "LifecycleExpiration"
            } else {
                "ObjectRemoved"
            };
            let what = if deletion_type == "Delete Marker Created" {
                "DeleteMarkerCreated"
            } else {
                "Delete"
            };
            format!("{family}:{what}")
        }
        other => other.to_owned(),
    }
}
