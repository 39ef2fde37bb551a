//! All that the functions do which asks for a permission.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use bridge_core::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::judge::Role;
use super::session::{LONG, Session};
use super::stand_in::StandIn;

/// Keys that have changed.
static CHANGES: AtomicU32 = AtomicU32::new(0);

/// So long that a job begins to wait for what is on its way, and does not see the end of it.
const SHORT: Duration = Duration::from_secs(6);

/// A use of realtime.
#[derive(Debug, Clone, Copy)]
pub enum Realtime {
    /// Asked how it is.
    Health,
    /// A change comes directly.
    Change,
    /// A change comes by the buffer.
    Batch,
    /// A change comes of a bucket that was never versioned.
    NotVersioned,
}

/// A use of reseed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reseed {
    /// Asked how it is.
    Health,
    /// A history is sent.
    Job,
    /// Asked for the jobs.
    List,
    /// The schedule asks for a sweep.
    Sweep,
    /// A job is paused and resumed.
    Pause,
    /// A history is sent to the second queue.
    Replay,
    /// A plan that somebody else made is sent: one without events.
    Elsewhere,
    /// An event that no queue takes is put aside.
    Park,
    /// A hold is found whose job has ended.
    EndedHold,
    /// Live is held back and a job cancelled.
    Hold,
}

/// A change of an object that is there, as S3 tells it.
async fn change(stand_in: &StandIn, bucket: &str) -> anyhow::Result<Value> {
    // A key of its own: what an attempt before could not send comes with the next change of its key.
    let key = format!("live/{}", CHANGES.fetch_add(1, Ordering::Relaxed));
    let put = stand_in.s3.put_object().bucket(bucket).key(&key);
    let put = put.body(b"1".to_vec().into()).send().await?;
    let version = put.version_id().unwrap_or("null");
    let now = SystemClock.now();
    Ok(json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": now.to_string(), "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0", "bucket": { "name": bucket },
            "object": { "key": key, "versionId": version, "sequencer": format!("{:018X}", now.0), "size": 1 },
        },
    }] }))
}

/// The bucket that is watched.
fn bucket(stand_in: &StandIn) -> &str {
    match stand_in.names.get("Bucket") {
        Some(name) => name,
        None => WATCHED,
    }
}

/// Uses realtime under a role.
///
/// # Errors
/// What it could not do.
pub async fn use_realtime(stand_in: &StandIn, run: Realtime, role: &Role) -> anyhow::Result<()> {
    let session = Session::start(stand_in, "Realtime", role).await?;
    match run {
        Realtime::Health => {
            let answer = session.ask(json!({ "action": "health" })).await?;
            ensure!(answer["status"] == "ok", "{answer}");
            let history = answer.get("history");
            ensure!(history.is_none_or(|history| history == "ok"), "{answer}");
        }
        Realtime::Change => {
            let answer = session
                .ask(change(stand_in, bucket(stand_in)).await?)
                .await?;
            ensure!(answer["forwarded"] == 1, "{answer}");
        }
        Realtime::Batch => {
            let body = change(stand_in, bucket(stand_in)).await?.to_string();
            let batch = json!({ "Records": [{
                "messageId": "1", "receiptHandle": "1", "body": body, "eventSource": "aws:sqs",
                "attributes": { "ApproximateReceiveCount": "1" }, "messageAttributes": {},
            }] });
            let answer = session.ask(batch).await?;
            ensure!(answer["batchItemFailures"] == json!([]), "{answer}");
        }
        Realtime::NotVersioned => {
            remove_watched(stand_in).await?;
            stand_in.s3.create_bucket().bucket(WATCHED).send().await?;
            let answer = session.ask(change(stand_in, WATCHED).await?).await;
            remove_watched(stand_in).await?;
            stand_in.make_bucket_to_watch(WATCHED).await?;
            let refusal = answer.err().context("a bucket without versions is taken")?;
            ensure!(
                refusal.to_string().contains("is not versioned"),
                "{refusal}"
            );
        }
    }
    Ok(())
}

/// Uses reseed under a role.
///
/// # Errors
/// What it could not do.
pub async fn use_reseed(stand_in: &StandIn, run: Reseed, role: &Role) -> anyhow::Result<()> {
    forget(stand_in).await?;
    let mut session = Session::start(stand_in, "Reseed", role).await?;
    match run {
        Reseed::Health => {
            let answer = session.ask(json!({ "action": "health" })).await?;
            ensure!(answer["status"] == "ok", "{answer}");
            let hold = answer.get("hold");
            ensure!(hold.is_none_or(|hold| hold == "none"), "{answer}");
        }
        Reseed::Job => {
            let done = session.job(json!({ "prefix": "history/" }), "done").await?;
            ensure!(done["checkpoint"]["sequence"] == 3, "{done}");
        }
        Reseed::List => {
            session.job(json!({ "prefix": "none/" }), "done").await?;
            let answer = session.ask(json!({ "action": "list" })).await?;
            ensure!(
                answer["jobs"]
                    .as_array()
                    .is_some_and(|jobs| !jobs.is_empty()),
                "{answer}"
            );
        }
        Reseed::Sweep => {
            session.ask(json!({ "action": "sweep" })).await?;
        }
        Reseed::Pause => {
            let job = session.ask(json!({ "prefix": "history/" })).await?;
            let id = &job["jobId"];
            session
                .ask(json!({ "action": "pause", "jobId": id }))
                .await?;
            session.go_on(9, LONG).await?;
            session.is_in(id, "paused").await?;
            session
                .ask(json!({ "action": "resume", "jobId": id }))
                .await?;
            session.go_on(9, LONG).await?;
            session.is_in(id, "done").await?;
        }
        Reseed::Replay => {
            let input = json!({ "prefix": "history/", "queueUrl": stand_in.names["Replay"] });
            session.job(input, "done").await?;
        }
        Reseed::Elsewhere => {
            write_plan(stand_in).await?;
            let input = json!({ "plan": format!("s3://{PLANS}/{MANIFEST}") });
            session.job(input, "done").await?;
        }
        Reseed::Park => {
            let input = json!({ "prefix": "long/", "onUndeliverable": "park" });
            let done = session.job(input, "done").await?;
            ensure!(done["counts"]["parked"] == 1, "{done}");
        }
        Reseed::EndedHold => {
            let done = session.job(json!({ "prefix": "none/" }), "done").await?;
            let id = done["jobId"].as_str().context("no id")?;
            hold(stand_in, id).await?;
            session.ask(json!({ "action": "sweep" })).await?;
            let health = session.ask(json!({ "action": "health" })).await?;
            ensure!(health["hold"] == "none", "{health}");
        }
        Reseed::Hold => {
            let job = session.ask(json!({ "then": "live" })).await?;
            let id = &job["jobId"];
            session.go_on(1, SHORT).await?;
            let status = session.is_in(id, "scanning").await?;
            ensure!(status["hold"]["owner"] == *id, "{status}");
            ensure!(status["hold"]["buffer"]["depth"].is_u64(), "{status}");
            session
                .ask(json!({ "action": "cancel", "jobId": id }))
                .await?;
            session.go_on(9, SHORT).await?;
            session.is_in(id, "cancelled").await?;
        }
    }
    Ok(())
}

/// No job is at work and live goes on, whatever the run before left.
async fn forget(stand_in: &StandIn) -> anyhow::Result<()> {
    let (jobs, dynamodb) = (&stand_in.names["CheckpointTable"], &stand_in.dynamodb);
    let left = dynamodb.scan().table_name(jobs).send().await?;
    for job in left.items() {
        let delete = dynamodb.delete_item().table_name(jobs);
        delete.key("jobId", job["jobId"].clone()).send().await?;
    }
    if let Some(table) = stand_in.names.get("LiveTable") {
        let key = AttributeValue::S("stream".to_owned());
        let delete = dynamodb.delete_item().table_name(table);
        delete.key("id", key).send().await?;
    }
    Ok(())
}

/// A hold of a job that has ended.
async fn hold(stand_in: &StandIn, job: &str) -> anyhow::Result<()> {
    let put = stand_in
        .dynamodb
        .put_item()
        .table_name(&stand_in.names["LiveTable"]);
    put.item("id", AttributeValue::S("stream".to_owned()))
        .item("holdOwner", AttributeValue::S(job.to_owned()))
        .item("holdSince", AttributeValue::N("1000".to_owned()))
        .send()
        .await?;
    Ok(())
}

/// A bucket that no stack makes.
pub const WATCHED: &str = "watched";

/// Where somebody else puts plans, and one of them.
pub const PLANS: &str = "plans";
const MANIFEST: &str = "ledger/manifest.json";

/// Writes a plan that has no events: who may not read below its folder may not read it either.
async fn write_plan(stand_in: &StandIn) -> anyhow::Result<()> {
    let is_there = stand_in.s3.head_bucket().bucket(PLANS).send().await.is_ok();
    if !is_there {
        stand_in.s3.create_bucket().bucket(PLANS).send().await?;
    }
    let nothing = json!({ "events": 0, "created": 0, "removed": 0, "bytes": 0, "byMonth": {} });
    let plan = json!({ "version": 1, "bucket": bucket(stand_in), "runs": [], "summary": nothing });
    let put = stand_in.s3.put_object().bucket(PLANS).key(MANIFEST);
    put.body(plan.to_string().into_bytes().into())
        .send()
        .await?;
    Ok(())
}

/// Removes it with all that is in it.
async fn remove_watched(stand_in: &StandIn) -> anyhow::Result<()> {
    let s3 = &stand_in.s3;
    let listed = s3.list_object_versions().bucket(WATCHED).send().await?;
    for version in listed.versions() {
        let delete = s3.delete_object().bucket(WATCHED);
        let delete = delete.set_key(version.key.clone());
        let delete = delete.set_version_id(version.version_id.clone());
        delete.send().await?;
    }
    s3.delete_bucket().bucket(WATCHED).send().await?;
    Ok(())
}

/// Three objects, and one whose event is too long for a message of 1,024 bytes, which is all that the stack's queue takes.
///
/// # Errors
/// S3's or SQS's.
pub async fn write_history(stand_in: &StandIn) -> anyhow::Result<()> {
    let long = format!("long/{}", "m".repeat(900));
    for key in ["history/1", "history/2", "history/3", "long/1", &long] {
        let put = stand_in.s3.put_object().bucket(bucket(stand_in)).key(key);
        put.body(b"1".to_vec().into()).send().await?;
    }
    let narrow = stand_in.sqs.set_queue_attributes();
    let narrow = narrow.queue_url(&stand_in.names["Queue"]);
    let narrow = narrow.attributes(QueueAttributeName::MaximumMessageSize, "1024");
    narrow.send().await?;
    Ok(())
}
