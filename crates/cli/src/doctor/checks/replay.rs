//! The second queue, which a reseed goes to by `queueUrl`.

use bridge_core::queue::ordering::is_fifo;

use crate::doctor::checks::functions::NOT_TOLD;
use crate::doctor::checks::queue::{LEAST_KEPT, dead_letters_of_others, hides, kept, throughput};
use crate::doctor::checks::unanswered;
use crate::doctor::facts::{Facts, Replay};
use crate::doctor::finding::Finding;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "replay-queue";
    let Some(replay) = &facts.replay else {
        return Vec::new();
    };
    let url = &replay.url;
    let mut findings = match &replay.queue {
        Ok(queue) => {
            let mut findings = vec![kind(facts, url)];
            findings.extend(throughput("replay-queue-throughput", url, queue));
            findings.push(dead_letters_of_others("replay-queue-dead-letters", queue));
            let lost = "a consumer that is away for longer needs the replay again";
            findings.push(kept(
                "replay-queue-retention",
                url,
                queue,
                (LEAST_KEPT, lost),
            ));
            findings.push(hides("replay-queue-visibility", url, queue));
            findings
        }
        Err(none) => {
            let advice = "is the queue there? Make it, or deploy with another ReplayQueueArn";
            let action = "sqs:GetQueueAttributes on the replay queue";
            vec![unanswered(CHECK, none, action, advice)]
        }
    };
    findings.push(sends(replay));
    findings
}

/// A job to it has the order that its kind keeps, unless it is asked for another.
fn kind(facts: &Facts, url: &str) -> Finding {
    const CHECK: &str = "replay-queue";
    let order = facts.stack.parameter("Order");
    let queue = facts.stack.outputs.get("QueueUrl");
    let has_order = queue.is_some_and(|url| is_fifo(url)) && order != "none";
    if has_order && !is_fifo(url) {
        let order = if order.is_empty() { "key" } else { order };
        let found = format!(
            "a standard queue: what is replayed into it comes in no order, and Order is {order}"
        );
        let advice = "deploy with a FIFO queue as ReplayQueueArn, unless the replay's consumer needs no order";
        return Finding::warning(CHECK, found, advice);
    }
    let kind = if is_fifo(url) {
        "a FIFO queue"
    } else {
        "a standard queue: no order is asked for"
    };
    Finding::ok(CHECK, kind)
}

/// Whether reseed may send to it.
fn sends(replay: &Replay) -> Finding {
    const CHECK: &str = "replay-queue-sends";
    let told = match &replay.health {
        Ok(told) => told,
        Err(failed) => {
            let advice = "look at reseed-health; a function of a version before this program's does not know the question: \
                          deploy again";
            return Finding::unchecked(CHECK, failed.to_string(), advice);
        }
    };
    let of = |what: &str| told["otherQueue"][what].as_str();
    match of("status").zip(of("send")) {
        None => Finding::unchecked(CHECK, NOT_TOLD, "look at reseed-health, and deploy again"),
        Some(("ok", "ok")) => Finding::ok(CHECK, "reseed may send to it"),
        Some((status, send)) => Finding::wrong(
            CHECK,
            if status == "ok" { send } else { status },
            "is it there, and does its policy, if it is another account's, let the function's role sqs:SendMessage and \
             sqs:GetQueueAttributes? The role itself may: that is the template's ReplayQueueArn",
        ),
    }
}
