//! A consumer that keeps what a bucket holds now, from messages of `MessageFormat=s3`: a Lambda function behind the
//! queue, written with AWS's own crates. `STATE_FILE` is where it keeps it: a database, in earnest.
//!
//! As an event source of the queue with `FunctionResponseTypes: [ReportBatchItemFailures]`. To try it without one:
//! README.md, "Try it".

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use aws_lambda_events::s3::S3Event;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use percent_encoding::percent_decode_str;

/// A version's id and entity tag; no tag for a delete marker.
type Version = (String, Option<String>);

/// What is known of each key, its newest version last.
#[derive(Debug, Default)]
struct Bucket(BTreeMap<String, Vec<Version>>);

impl Bucket {
    /// Takes in one message: a notification as S3 writes it.
    fn take(&mut self, message: &SqsMessage) -> Result<(), Error> {
        let body = message.body.as_deref().unwrap_or_default();
        for record in serde_json::from_str::<S3Event>(body)?.records {
            let object = record.s3.object;
            // As forms are encoded.
            let key = object.key.ok_or("no key")?.replace('+', " ");
            let key = percent_decode_str(&key).decode_utf8()?.into_owned();
            let id = object.version_id.ok_or("no version id")?;
            let what = record.event_name.ok_or("no event name")?;
            let versions = self.0.entry(key).or_default();
            let is_known = versions.iter().any(|(known, _)| *known == id);
            // Removed for good, or a `null` version that is replaced.
            if what == "ObjectRemoved:Delete" || id == "null" {
                versions.retain(|(known, _)| *known != id);
            }
            if what != "ObjectRemoved:Delete" && (!is_known || id == "null") {
                let tag = object.e_tag.filter(|_| what.starts_with("ObjectCreated"));
                versions.push((id, tag));
            }
        }
        Ok(())
    }

    /// Each key that is there, with its entity tag.
    fn present(&self) -> BTreeMap<&str, &str> {
        let newest = self.0.iter().filter_map(|(key, versions)| {
            let (_, tag) = versions.last()?;
            Some((key.as_str(), tag.as_deref()?))
        });
        newest.collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let file = PathBuf::from(std::env::var_os("STATE_FILE").ok_or("STATE_FILE is not set")?);
    let bucket = Mutex::new(Bucket::default());
    let handler = async |event: LambdaEvent<SqsEvent>| {
        let mut bucket = bucket.lock().map_err(|_| "a message was too much")?;
        let mut response = SqsBatchResponse::default();
        for message in &event.payload.records {
            // What comes behind a message that failed must not overtake it.
            let is_held = !response.batch_item_failures.is_empty();
            if is_held || bucket.take(message).is_err() {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.message_id.clone().unwrap_or_default();
                response.batch_item_failures.push(failure);
            }
        }
        std::fs::write(&file, serde_json::to_vec(&bucket.present())?)?;
        Ok::<_, Error>(response)
    };
    run(service_fn(handler)).await
}
