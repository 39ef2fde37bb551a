//! Documents that are read from memory.

use bridge_core::config::Config;
use bridge_core::listing::dialect::Dialect;
use bridge_core::listing::page::parse_page;
use bridge_core::notification::parse_input;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::request::{Action, Request};
use bridge_history::job::state::Job;
use bridge_history::job::stored::StoredJob;
use bridge_history::plan::manifest::{Manifest, Range};
use bridge_history::scan::keyspace::Keyspace;

use super::block_on;
use super::plan::One;

pub(super) const PAGE_WORDS: &[&str] = &[
    "<Version>",
    "</Version>",
    "<DeleteMarker>",
    "</DeleteMarker>",
    "<Key>",
    "</Key>",
    "<VersionId>null</VersionId>",
    "<IsLatest>true</IsLatest>",
    "<IsTruncated>true</IsTruncated>",
    "<LastModified>2024-05-01T12:00:00.000Z</LastModified>",
    "<NextKeyMarker>",
    "<EncodingType>url</EncodingType>",
    "<CommonPrefixes><Prefix>",
    "<![CDATA[",
    "<!-- -->",
    "&quot;",
    "&#x10FFFF;",
    "&amp;",
    "%00",
    "%FF",
    "+",
    "<Size>18446744073709551616</Size>",
    "+99999-12-31T23:59:60Z",
];

pub(super) const NOTIFICATION_WORDS: &[&str] = &[
    "\"Records\":",
    "\"eventSource\":\"aws:sqs\"",
    "\"body\":",
    "\"Sns\":{\"Message\":",
    "\"detail-type\":\"Object Created\"",
    "\"eventName\":\"s3:ObjectRemoved:Delete\"",
    "\"eventVersion\":\"3.0\"",
    "\"sequencer\":\"\"",
    "\"versionId\":null",
    "ObjectCreated:",
    "ceph:s3",
    "minio:s3",
    "\\ud800",
    "\\u0000",
    "%",
    "+",
    "[[[[",
];

pub(super) const JOB_WORDS: &[&str] = &[
    "\"action\":\"start\"",
    "\"jobId\":\"../x\"",
    "\"phase\":\"sending\"",
    "\"epoch\":",
    "\"prefix\":",
    "\"until\":\"+292278994-08-17T07:12:55.807Z\"",
    "\"effectiveTime\":",
    "\"ranges\":[]",
    "\"runs\":[]",
    "null",
    "true",
    "\\ud800",
    "[[[[",
    "{\"a\":",
];

/// A page, and what a scan of one range makes of it.
pub(super) fn page(input: &[u8]) -> bool {
    let Ok(page) = parse_page(input) else {
        return false;
    };
    let mut keyspace = Keyspace::new(vec![Range::default()], Dialect::default());
    let Some(request) = keyspace.next_request(1) else {
        return false;
    };
    let accepted = keyspace.accept(request.range, page).is_ok();
    let _ = keyspace.remaining();
    accepted
}

pub(super) fn notification(input: &[u8]) -> bool {
    serde_json::from_slice(input).is_ok_and(|value| parse_input(&value).is_ok())
}

/// A request, and the options that come of it.
pub(super) fn request(input: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice(input) else {
        return false;
    };
    let queue = |name: &str| (name == "QUEUE_URL").then(|| "https://sqs.x/1/q.fifo".to_owned());
    let config = Config::read(&queue).expect("the URL is one of a queue");
    match Request::parse(value) {
        Ok(Request::Action(Action::Start(start))) => {
            start.resolve(&config, Timestamp(1_700_000_000_000)).is_ok()
        }
        other => other.is_ok(),
    }
}

/// A manifest; what is written of it reads as the same.
pub(super) fn manifest(input: &[u8]) -> bool {
    let load = |bytes: &[u8]| {
        let store = One::new(bytes);
        block_on(async { Manifest::load(&*store, "manifest").await })
    };
    let Ok(manifest) = load(input) else {
        return false;
    };
    let written = serde_json::to_vec(&manifest).expect("numbers and texts can be written");
    assert_eq!(load(&written), Ok(manifest));
    true
}

/// A job's file; what segments see of it, and what is written of that, is the same.
pub(super) fn job(input: &[u8]) -> bool {
    let Ok(stored) = serde_json::from_slice::<StoredJob>(input) else {
        return false;
    };
    let job = Job::from(stored.clone());
    let again = StoredJob::from(&job);
    assert_eq!(again, stored);
    let written = serde_json::to_vec(&again).expect("numbers and texts can be written");
    let again: StoredJob = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(Job::from(again), job);
    true
}
