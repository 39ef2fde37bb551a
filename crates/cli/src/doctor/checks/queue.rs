//! Where events go, and what becomes of those that nobody takes.

use bridge_core::queue::ordering::is_fifo;
use serde_json::json;

use crate::doctor::checks::{number, redrive, set_attribute, text, unanswered};
use crate::doctor::facts::{Attributes, Facts};
use crate::doctor::finding::Finding;
use crate::numbers::{count, time};

/// A consumer that is away for longer loses events; SQS's own default.
/// Source: Amazon SQS API Reference, "`SetQueueAttributes`".
const LEAST_KEPT: u64 = 4 * 24 * 3_600;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = match &facts.queue {
        Ok(queue) => {
            let mut findings = vec![kind(facts, queue)];
            findings.extend(throughput(facts, queue));
            findings.push(dead_letters(facts, queue));
            findings.push(kept(facts, queue));
            findings.push(visibility(facts, queue));
            findings
        }
        Err(none) => {
            let advice = "is the queue there? A stack's own is made by a deployment";
            vec![unanswered("queue", none, "sqs:GetQueueAttributes", advice)]
        }
    };
    findings.extend(failures(facts));
    findings.extend(letters(facts));
    findings
}

fn url(facts: &Facts) -> &str {
    facts
        .stack
        .outputs
        .get("QueueUrl")
        .map_or("", String::as_str)
}

/// The queue's kind against `Order` and `LiveOrder`.
fn kind(facts: &Facts, queue: &Attributes) -> Finding {
    const CHECK: &str = "queue";
    let order = facts.stack.parameter("Order");
    let live = facts.stack.parameter("LiveOrder");
    let is_fifo = text(queue, "FifoQueue") == "true" || is_fifo(url(facts));
    let needs_fifo = ["key", "bucket"].contains(&order) || ["newest", "exact"].contains(&live);
    match (is_fifo, order, live) {
        (false, ..) if needs_fifo => Finding::wrong(
            CHECK,
            format!("a standard queue keeps no order, and Order is {order:?}, LiveOrder {live:?}"),
            "deploy with a FIFO queue (ExistingQueueArn), or with Order=none and LiveOrder=notified",
        ),
        (true, "none", _) => Finding::wrong(
            CHECK,
            "a FIFO queue takes no message without a group, and Order is none",
            "deploy with Order=key or Order=bucket, or with a standard queue",
        ),
        (_, "bucket", "exact") => Finding::wrong(
            CHECK,
            "LiveOrder exact is an order of each key, and Order is bucket",
            "deploy with Order=key, or with LiveOrder=newest",
        ),
        (true, ..) => Finding::ok(CHECK, "a FIFO queue"),
        (false, ..) => Finding::ok(CHECK, "a standard queue: no order is asked for"),
    }
}

/// A FIFO queue's limits, by group.
fn throughput(facts: &Facts, queue: &Attributes) -> Option<Finding> {
    const CHECK: &str = "queue-throughput";
    if !is_fifo(url(facts)) {
        return None;
    }
    let (scope, limit) = (
        text(queue, "DeduplicationScope"),
        text(queue, "FifoThroughputLimit"),
    );
    if (scope, limit) == ("messageGroup", "perMessageGroupId") {
        return Some(Finding::ok(
            CHECK,
            "high throughput: limits count by message group",
        ));
    }
    let wanted =
        json!({ "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId" });
    Some(Finding::warning(
        CHECK,
        format!(
            "not in high throughput mode ({scope:?}, {limit:?}): 300 requests a second for all keys together"
        ),
        set_attribute(url(facts), &wanted),
    ))
}

/// What a consumer cannot process must leave the queue: else its group stands for ever.
fn dead_letters(facts: &Facts, queue: &Attributes) -> Finding {
    const CHECK: &str = "queue-dead-letters";
    let redrive = redrive(queue);
    let Some(own) = &facts.dead_letters else {
        return match redrive {
            Some((target, most)) => Finding::ok(
                CHECK,
                format!("after {} to {target}", count(most, "receive")),
            ),
            None => Finding::warning(
                CHECK,
                "your queue has no dead-letter queue: a message that the consumer cannot process stops its key until it is \
                 forgotten",
                "give it a redrive policy: Amazon SQS Developer Guide, \"Dead-letter queues\"",
            ),
        };
    };
    let own = own.as_ref().ok();
    let expected = own.map_or("", |own| text(own, "QueueArn"));
    let most = facts
        .stack
        .parameter("MaxReceives")
        .parse()
        .unwrap_or(5_u64);
    let policy = json!({ "deadLetterTargetArn": expected, "maxReceiveCount": most }).to_string();
    let mend = set_attribute(url(facts), &json!({ "RedrivePolicy": policy }));
    let mend = format!("deploy again, or at once: {mend}");
    match redrive {
        None => Finding::wrong(
            CHECK,
            "the queue has no redrive policy: a message that the consumer cannot process stops its key until it is \
             forgotten",
            mend,
        ),
        Some((target, _)) if own.is_some() && target != expected => Finding::wrong(
            CHECK,
            format!("the queue gives messages up to {target}, not to {expected}"),
            mend,
        ),
        Some((_, found)) if found != most => Finding::warning(
            CHECK,
            format!(
                "the queue gives a message up after {}, MaxReceives is {most}",
                count(found, "receive")
            ),
            mend,
        ),
        Some((target, found)) => Finding::ok(
            CHECK,
            format!("after {} to {target}", count(found, "receive")),
        ),
    }
}

fn kept(facts: &Facts, queue: &Attributes) -> Finding {
    const CHECK: &str = "queue-retention";
    let seconds = number(queue, "MessageRetentionPeriod");
    let kept = time(std::time::Duration::from_secs(seconds));
    let wanted = if facts.has_own_queue() {
        1_209_600
    } else {
        LEAST_KEPT
    };
    if seconds >= wanted {
        return Finding::ok(CHECK, format!("messages are kept for {kept}"));
    }
    Finding::warning(
        CHECK,
        format!("messages are kept for {kept}: a consumer that is away for longer needs a reseed"),
        set_attribute(url(facts), &json!({ "MessageRetentionPeriod": "1209600" })),
    )
}

fn visibility(facts: &Facts, queue: &Attributes) -> Finding {
    const CHECK: &str = "queue-visibility";
    let hidden = number(queue, "VisibilityTimeout");
    let asked = facts.stack.parameter("QueueVisibility");
    let is_changed = facts.has_own_queue() && !asked.is_empty() && asked != hidden.to_string();
    if hidden == 0 {
        return Finding::warning(
            CHECK,
            "a message that was received is given to others at once: each receive counts, and the dead-letter queue fills",
            set_attribute(url(facts), &json!({ "VisibilityTimeout": "60" })),
        );
    }
    if is_changed {
        return Finding::warning(
            CHECK,
            format!("the queue hides a message for {hidden} s, QueueVisibility is {asked}"),
            set_attribute(url(facts), &json!({ "VisibilityTimeout": asked })),
        );
    }
    Finding::ok(
        CHECK,
        format!("a message that was received is hidden for {hidden} s"),
    )
}

/// What realtime could not deliver.
fn failures(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "on-failure";
    let url = facts.stack.outputs.get("OnFailureQueueUrl")?;
    Some(match &facts.on_failure {
        Err(none) => {
            let advice = "deploy again: the OnFailure queue is not there";
            unanswered(CHECK, none, "sqs:GetQueueAttributes", advice)
        }
        Ok(queue) if number(queue, "ApproximateNumberOfMessages") > 0 => Finding::warning(
            CHECK,
            format!(
                "{} in the OnFailure queue: they were not delivered",
                count(number(queue, "ApproximateNumberOfMessages"), "message")
            ),
            format!(
                "read realtime's log for the reason, then: s3-sqs-bridge redrive --from {url} --invoke {}",
                facts.realtime.name
            ),
        ),
        Ok(_) => Finding::ok(CHECK, "the OnFailure queue is empty"),
    })
}

/// What the consumer could not process.
fn letters(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "dead-letters";
    let dead = facts.stack.outputs.get("DeadLetterQueueUrl")?;
    Some(match facts.dead_letters.as_ref()? {
        Err(none) => {
            let advice = "deploy again: the dead-letter queue is not there";
            unanswered(CHECK, none, "sqs:GetQueueAttributes", advice)
        }
        Ok(queue) if number(queue, "ApproximateNumberOfMessages") > 0 => Finding::warning(
            CHECK,
            format!(
                "{} in the dead-letter queue: the consumer did not process them",
                count(number(queue, "ApproximateNumberOfMessages"), "message")
            ),
            format!(
                "mend the consumer, then: s3-sqs-bridge redrive --from {dead} --to {}",
                self::url(facts)
            ),
        ),
        Ok(_) => Finding::ok(CHECK, "the dead-letter queue is empty"),
    })
}
