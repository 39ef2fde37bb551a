//! An object that is put, overwritten and deleted in the bucket, and followed to a queue.
//!
//! - [`object`]: the object; [`mailbox`]: the queue

mod mailbox;
mod object;

use std::fmt::Write as _;

use bridge_aws::request_error::RequestError;
use bridge_aws::sdk;
use bridge_aws::sdk::SdkConfig;
use mailbox::{HIDDEN, Mailbox, MostReceives, PATIENCE, Read};
use object::{Change, Object};
use tokio_util::sync::CancellationToken;

use crate::doctor::finding::{Finding, Level};
use crate::numbers::count;
use crate::preflight::about_source;

const CHECK: &str = "canary";

/// Where an object is put.
pub(super) struct Perch<'a> {
    /// The bucket.
    pub(super) bucket: &'a str,
    /// What keys must begin with to be forwarded.
    pub(super) prefix: &'a str,
    /// What they must end with.
    pub(super) suffix: &'a str,
}

/// Follows an object's three changes to the queue, and removes it for good; also when it is stopped.
pub(super) async fn follow(
    config: &SdkConfig,
    perch: Perch<'_>,
    queue_url: &str,
    stop: &CancellationToken,
) -> Finding {
    let key = format!(
        "{}s3-sqs-bridge-canary/{:016x}{}",
        perch.prefix,
        fastrand::u64(..),
        perch.suffix
    );
    let object = Object {
        s3: sdk::s3(config),
        bucket: perch.bucket,
        key: &key,
    };
    let mailbox = Mailbox {
        sqs: sdk::sqs(config),
        queue_url,
        region: config.region().map_or("", |region| region.as_ref()),
        key: &key,
    };
    live(&object, &mailbox, stop).await
}

async fn live(object: &Object<'_>, mailbox: &Mailbox<'_>, stop: &CancellationToken) -> Finding {
    let most = mailbox.most_receives().await;
    if let Some(most) = most.is_too_few() {
        return too_few_receives(mailbox.queue_url, most);
    }
    let (mut changes, mut read) = (Vec::new(), Read::default());
    if let Err(error) = mailbox.read_first(&most, &mut read).await {
        return not_read(mailbox, &error);
    }
    let made = if read.used_up == 0 {
        object.change(&mut changes, stop).await
    } else {
        Ok(())
    };
    let is_unsure = made.is_err();
    let followed = match made {
        Ok(()) => mailbox.read(&changes, &most, &mut read, stop).await,
        Err(error) => Err(error),
    };
    let is_interrupted = stop.is_cancelled();
    // Only now: what is given back at once comes again at once, and a few receives make a dead letter of it.
    let hidden = mailbox.give_back(&read.others).await;
    // Whatever came of it, nothing of it stays in the bucket.
    let left = object.remove(&changes, is_unsure).await;
    let finding = match followed {
        Err(error) => Finding::wrong(
            CHECK,
            format!("{error:#}"),
            "the canary needs s3:PutObject, s3:DeleteObject and s3:DeleteObjectVersion in the bucket, and a consumer's rights \
             on the queue (docs/policies/consumer.json)",
        ),
        Ok(()) if is_interrupted => interrupted(object.key, &changes),
        Ok(()) if changes.is_empty() => Finding::unchecked(
            CHECK,
            "nothing was put",
            "let the canary's events come to a queue that nobody else reads (--canary-queue-url)",
        ),
        Ok(()) => judge(mailbox, &changes, &read),
    };
    let finding = with_dead_letters(finding, &most, &read);
    with_what_stays(finding, object, &left, hidden)
}

/// Nothing is put: nobody would see where it goes.
fn not_read(mailbox: &Mailbox<'_>, error: &RequestError) -> Finding {
    let url = mailbox.queue_url;
    Finding::wrong(
        CHECK,
        format!("nothing was put: reading {url} (--canary-queue-url): {error}"),
        about_source(&error.code, url, mailbox.region),
    )
}

/// Nothing is put, nor received.
fn too_few_receives(queue_url: &str, most: u64) -> Finding {
    Finding::unchecked(
        CHECK,
        format!(
            "nothing was put: the RedrivePolicy of {queue_url} has maxReceiveCount {most}, and the canary uses up one receive of \
             each message of others, whose consumer's next failure would then make a dead letter of it"
        ),
        "let the canary's events come to a queue that nobody else reads (--canary-queue-url), or raise maxReceiveCount to 3 or \
         more meanwhile",
    )
}

/// Adds what became of others' messages, or may have.
fn with_dead_letters(mut finding: Finding, most: &MostReceives, read: &Read) -> Finding {
    // Writing to a text cannot fail.
    match most {
        MostReceives::Unknown(reason) if !read.others.is_empty() => {
            let _ = write!(
                finding.found,
                "; how many receives make a dead letter of {} of others was not told (sqs:GetQueueAttributes): {reason}",
                count(read.others.len() as u64, "message")
            );
        }
        _ if read.used_up > 0 => {
            let _ = write!(
                finding.found,
                "; {} of others were received as often as maxReceiveCount allows, and go to the dead-letter queue: no more were \
                 received",
                count(read.used_up, "message")
            );
            finding.level = finding.level.max(Level::Warning);
        }
        _ => {}
    }
    finding
}

fn interrupted(key: &str, changes: &[Change]) -> Finding {
    let made: Vec<_> = changes.iter().map(|change| change.what).collect();
    let found = if made.is_empty() {
        "interrupted before anything was put".to_owned()
    } else {
        format!(
            "interrupted: {key} was {}, and removed; events of it may still come",
            made.join(", ")
        )
    };
    Finding::unchecked(CHECK, found, "ask again")
}

/// Adds what could not be removed or given back: that is told whatever else was found.
fn with_what_stays(
    mut finding: Finding,
    object: &Object<'_>,
    left: &[String],
    hidden: usize,
) -> Finding {
    // Writing to a text cannot fail.
    if !left.is_empty() {
        let (bucket, key) = (object.bucket, object.key);
        let _ = write!(finding.found, "; not removed: {}", left.join("; "));
        let advice = format!(
            "remove what is left: aws s3api list-object-versions --bucket {bucket} --prefix {key}, and delete-object with \
             --version-id"
        );
        finding.advice = match finding.advice.as_str() {
            "" => advice,
            before => format!("{before}; {advice}"),
        };
    }
    if hidden > 0 {
        let _ = write!(
            finding.found,
            "; {} of others could not be given back, and stay hidden for up to {HIDDEN} s",
            count(hidden as u64, "message")
        );
    }
    if !left.is_empty() || hidden > 0 {
        finding.level = finding.level.max(Level::Warning);
    }
    finding
}

fn judge(mailbox: &Mailbox<'_>, changes: &[Change], read: &Read) -> Finding {
    let (key, arrived) = (mailbox.key, &read.arrived);
    let missing = changes
        .iter()
        .filter(|change| !arrived.contains_key(&change.version));
    let missing: Vec<_> = missing.map(|change| change.what).collect();
    if !missing.is_empty() {
        return Finding::wrong(
            CHECK,
            format!(
                "{key} was {}, and no event of that came to {} within {} s ({} of others)",
                missing.join(", "),
                mailbox.queue_url,
                PATIENCE.as_secs(),
                count(read.others.len() as u64, "message")
            ),
            "is that the queue that events go to, does nobody else read it, and do not so many messages wait in it that \
             these are behind them? Else see what is wrong above, and realtime's log",
        );
    }
    let order = changes
        .iter()
        .filter_map(|change| Some(arrived.get(&change.version)?.0));
    let slowest = arrived.values().map(|(_, took)| took.as_millis()).max();
    let slowest = slowest.unwrap_or(0);
    if changes.iter().any(Change::has_no_version) {
        return Finding::warning(
            CHECK,
            format!(
                "{key} was put, which arrived after {slowest} ms; it was not overwritten and deleted: the bucket keeps no \
                 versions, by which these would be told apart"
            ),
            "turn the bucket's versioning on",
        );
    }
    let found = format!(
        "{key} was put, overwritten and deleted; all three arrived, the slowest after {slowest} ms"
    );
    if !order.is_sorted() {
        return Finding::warning(
            CHECK,
            format!("{found}, and not in that order"),
            "S3 tells of changes in no order: see docs/OPERATIONS.md, \"Live order\"",
        );
    }
    Finding::ok(CHECK, found)
}
