//! Where events go, and what becomes of those that nobody takes.

use bridge_core::queue::ordering::is_fifo;
use bridge_core::watched::NoAnswer;
use serde_json::json;

use crate::doctor::checks::{not_told, number, redrive, set_attribute, text, unanswered};
use crate::doctor::facts::{Attributes, Facts};
use crate::doctor::finding::Finding;
use crate::numbers::{count, time};

/// A consumer that is away for longer loses events; SQS's own default.
/// Source: Amazon SQS API Reference, "`SetQueueAttributes`".
pub(super) const LEAST_KEPT: u64 = 4 * 24 * 3_600;

/// Of a stack's own queue, as the template makes it: the most that SQS keeps.
const MOST_KEPT: u64 = 14 * 24 * 3_600;

const DEAD_LETTERS: &str = "queue-dead-letters";

const VISIBILITY: &str = "queue-visibility";

/// Attributes of a queue that are numbers.
pub(super) const DEPTH: &str = "ApproximateNumberOfMessages";
pub(super) const HIDDEN: &str = "VisibilityTimeout";
pub(super) const RETENTION: &str = "MessageRetentionPeriod";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = match &facts.queue {
        Ok(queue) => {
            let mut findings = vec![kind(facts, queue)];
            findings.extend(throughput("queue-throughput", url(facts), queue));
            findings.push(dead_letters(facts, queue));
            let wanted = if facts.has_own_queue() {
                MOST_KEPT
            } else {
                LEAST_KEPT
            };
            let lost = "a consumer that is away for longer needs a reseed";
            findings.push(kept("queue-retention", url(facts), queue, (wanted, lost)));
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
pub(super) fn throughput(check: &'static str, url: &str, queue: &Attributes) -> Option<Finding> {
    if !is_fifo(url) {
        return None;
    }
    let (scope, limit) = (
        text(queue, "DeduplicationScope"),
        text(queue, "FifoThroughputLimit"),
    );
    if (scope, limit) == ("messageGroup", "perMessageGroupId") {
        return Some(Finding::ok(
            check,
            "high throughput: limits count by message group",
        ));
    }
    let wanted =
        json!({ "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId" });
    let set = [
        ("DeduplicationScope", scope),
        ("FifoThroughputLimit", limit),
    ];
    let set = set.into_iter().filter(|(_, value)| !value.is_empty());
    let set: Vec<_> = set
        .map(|(name, value)| format!("{name} is {value}"))
        .collect();
    let set = if set.is_empty() {
        String::new()
    } else {
        format!(" ({})", set.join(", "))
    };
    Some(Finding::warning(
        check,
        format!("not in high throughput mode{set}: 300 requests a second for all keys together"),
        set_attribute(url, &wanted),
    ))
}

/// Whether a queue that is nobody's stack's gives up what a consumer cannot process.
pub(super) fn dead_letters_of_others(check: &'static str, queue: &Attributes) -> Finding {
    match redrive(queue) {
        Some((target, most)) => Finding::ok(
            check,
            format!("after {} to {target}", count(most, "receive")),
        ),
        None => Finding::warning(
            check,
            "your queue has no dead-letter queue: a message that the consumer cannot process stops its key until it is \
             forgotten",
            "give it a redrive policy: Amazon SQS Developer Guide, \"Dead-letter queues\"",
        ),
    }
}

/// What a consumer cannot process must leave the queue: else its group stands for ever.
fn dead_letters(facts: &Facts, queue: &Attributes) -> Finding {
    let Some(own) = &facts.dead_letters else {
        return dead_letters_of_others(DEAD_LETTERS, queue);
    };
    let redrive = redrive(queue);
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
            DEAD_LETTERS,
            "the queue has no redrive policy: a message that the consumer cannot process stops its key until it is \
             forgotten",
            mend,
        ),
        Some((target, _)) if own.is_some() && target != expected => Finding::wrong(
            DEAD_LETTERS,
            format!("the queue gives messages up to {target}, not to {expected}"),
            mend,
        ),
        Some((_, found)) if found != most => Finding::warning(
            DEAD_LETTERS,
            format!(
                "the queue gives a message up after {}, MaxReceives is {most}",
                count(found, "receive")
            ),
            mend,
        ),
        Some((target, found)) => Finding::ok(
            DEAD_LETTERS,
            format!("after {} to {target}", count(found, "receive")),
        ),
    }
}

/// Whether messages are kept for so many seconds, and what it means that they are not.
pub(super) fn kept(
    check: &'static str,
    url: &str,
    queue: &Attributes,
    (wanted, lost): (u64, &str),
) -> Finding {
    let Some(seconds) = number(queue, RETENTION) else {
        return not_told(check, RETENTION);
    };
    let kept = time(std::time::Duration::from_secs(seconds));
    if seconds >= wanted {
        return Finding::ok(check, format!("messages are kept for {kept}"));
    }
    Finding::warning(
        check,
        format!("messages are kept for {kept}: {lost}"),
        set_attribute(
            url,
            &json!({ "MessageRetentionPeriod": MOST_KEPT.to_string() }),
        ),
    )
}

fn visibility(facts: &Facts, queue: &Attributes) -> Finding {
    let asked = facts.stack.parameter("QueueVisibility");
    let is_changed =
        |hidden: u64| facts.has_own_queue() && !asked.is_empty() && asked != hidden.to_string();
    if let Some(hidden) = number(queue, HIDDEN)
        && hidden > 0
        && is_changed(hidden)
    {
        return Finding::warning(
            VISIBILITY,
            format!("the queue hides a message for {hidden} s, QueueVisibility is {asked}"),
            set_attribute(url(facts), &json!({ "VisibilityTimeout": asked })),
        );
    }
    hides(VISIBILITY, url(facts), queue)
}

/// Whether a message that was received is hidden from others at all.
pub(super) fn hides(check: &'static str, url: &str, queue: &Attributes) -> Finding {
    match number(queue, HIDDEN) {
        None => not_told(check, HIDDEN),
        Some(0) => Finding::warning(
            check,
            "a message that was received is given to others at once: each receive counts, and the dead-letter queue fills",
            set_attribute(url, &json!({ "VisibilityTimeout": "60" })),
        ),
        Some(hidden) => Finding::ok(
            check,
            format!("a message that was received is hidden for {hidden} s"),
        ),
    }
}

/// What realtime could not deliver.
fn failures(facts: &Facts) -> Option<Finding> {
    let url = facts.stack.outputs.get("OnFailureQueueUrl")?;
    let queue = (facts.on_failure.as_ref(), "OnFailure");
    Some(waiting("on-failure", queue, |depth| {
        let messages = count(depth, "undelivered message");
        let function = &facts.realtime.name;
        (
            messages,
            format!(
                "read realtime's log for the reason, then: s3-sqs-bridge redrive --from {url} --invoke {function}"
            ),
        )
    }))
}

/// What the consumer could not process.
fn letters(facts: &Facts) -> Option<Finding> {
    let dead = facts.stack.outputs.get("DeadLetterQueueUrl")?;
    let queue = (facts.dead_letters.as_ref()?.as_ref(), "dead-letter");
    Some(waiting("dead-letters", queue, |depth| {
        let messages = count(depth, "message");
        let to = url(facts);
        (
            format!("{messages} that the consumer did not process"),
            format!("mend the consumer, then: s3-sqs-bridge redrive --from {dead} --to {to}"),
        )
    }))
}

/// Whether a queue of the stack is empty in which nothing should wait; else what does, and what to do.
fn waiting(
    check: &'static str,
    (queue, name): (Result<&Attributes, &NoAnswer>, &str),
    what: impl FnOnce(u64) -> (String, String),
) -> Finding {
    let queue = match queue {
        Ok(queue) => queue,
        Err(none) => {
            let advice = format!("deploy again: the {name} queue is not there");
            return unanswered(check, none, "sqs:GetQueueAttributes", &advice);
        }
    };
    match number(queue, DEPTH) {
        None => not_told(check, DEPTH),
        Some(0) => Finding::ok(check, format!("the {name} queue is empty")),
        Some(depth) => {
            let (messages, advice) = what(depth);
            Finding::warning(check, format!("the {name} queue has {messages}"), advice)
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_queue_does_not_tell_of_its_throughput_is_left_out() {
        let found = |attributes: &[(&str, &str)]| {
            let attributes = attributes.iter();
            let attributes =
                attributes.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let finding = throughput("c", "https://x/1/q.fifo", &attributes.collect());
            finding.unwrap().found
        };
        let expected = "not in high throughput mode: 300 requests a second for all keys together";
        assert_eq!(found(&[]), expected);
        let scope = ("DeduplicationScope", "queue");
        assert!(found(&[scope]).contains("mode (DeduplicationScope is queue): 300"));
    }
}
