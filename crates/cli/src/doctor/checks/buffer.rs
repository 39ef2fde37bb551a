//! Where changes may wait for realtime, and whether it takes them from there.

use serde_json::json;

use crate::doctor::checks::queue::{DEPTH, HIDDEN, RETENTION};
use crate::doctor::checks::{not_told, number, redrive, set_attribute, text, unanswered};
use crate::doctor::facts::{Attributes, Facts, Mapping};
use crate::doctor::finding::Finding;
use crate::numbers::count;

/// Lambda asks of a source that it hides a message for six times the function's timeout, and the batch window.
/// Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping".
const TIMES: u64 = 6;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let buffer = match &facts.buffer {
        Ok(buffer) => buffer,
        Err(none) => {
            let advice = "deploy again: the stack's buffer is not there";
            return vec![unanswered("buffer", none, "sqs:GetQueueAttributes", advice)];
        }
    };
    let mut findings = vec![redrives(facts, buffer)];
    if facts.is_buffered() {
        findings.push(visibility(facts, buffer));
        findings.push(mapping(facts, buffer));
    } else {
        findings.extend(leftover(facts, buffer));
    }
    findings
}

/// What waits in a buffer that nothing takes from.
fn leftover(facts: &Facts, buffer: &Attributes) -> Option<Finding> {
    const CHECK: &str = "buffer";
    let Some(depth) = number(buffer, DEPTH) else {
        return Some(not_told(CHECK, DEPTH));
    };
    let warning = || {
        let waiting = count(depth, "change");
        Finding::warning(
            CHECK,
            format!(
                "{waiting} waiting in it, though Ingestion is direct: nothing takes them from there"
            ),
            format!(
                "s3-sqs-bridge redrive --from {} --invoke {}",
                url(facts),
                facts.realtime.name
            ),
        )
    };
    (depth > 0).then(warning)
}

fn url(facts: &Facts) -> &str {
    facts
        .stack
        .outputs
        .get("BufferQueueUrl")
        .map_or("", String::as_str)
}

/// What could not be forwarded so often moves to the `OnFailure` queue, and stays there longer than here.
fn redrives(facts: &Facts, buffer: &Attributes) -> Finding {
    const CHECK: &str = "buffer-dead-letters";
    let expected = facts.stack.outputs.get("OnFailureQueueArn");
    let expected = expected.map_or("", String::as_str);
    let policy = json!({ "deadLetterTargetArn": expected, "maxReceiveCount": 5 }).to_string();
    let mend = set_attribute(url(facts), &json!({ "RedrivePolicy": policy }));
    let mend = format!("deploy again, or at once: {mend}");
    match redrive(buffer) {
        None => {
            let found = "the buffer has no redrive policy: what cannot be forwarded is tried until it is forgotten";
            Finding::wrong(CHECK, found, mend)
        }
        Some((target, _)) if target != expected => {
            let found = format!("what the buffer gives up goes to {target}, not to {expected}");
            Finding::wrong(CHECK, found, mend)
        }
        Some((_, most)) => {
            let there = facts.on_failure.as_ref().ok();
            let kept_there = there.map(|queue| number(queue, RETENTION));
            let (Some(kept), None | Some(Some(_))) = (number(buffer, RETENTION), kept_there) else {
                return not_told(CHECK, RETENTION);
            };
            let kept_there = kept_there.flatten();
            if let Some(kept_there) = kept_there.filter(|there| *there <= kept) {
                // A message that moves keeps its age.
                return Finding::warning(
                    CHECK,
                    format!(
                        "the OnFailure queue keeps messages for {kept_there} s, the buffer for {kept} s: what is moved \
                         late is forgotten at once"
                    ),
                    set_attribute(url(facts), &json!({ "MessageRetentionPeriod": "1036800" })),
                );
            }
            Finding::ok(
                CHECK,
                format!("after {} to the OnFailure queue", count(most, "attempt")),
            )
        }
    }
}

/// A message that is seen again while realtime still works on it is forwarded twice, and given up too early.
fn visibility(facts: &Facts, buffer: &Attributes) -> Finding {
    const CHECK: &str = "buffer-visibility";
    let Some(hidden) = number(buffer, HIDDEN) else {
        return not_told(CHECK, HIDDEN);
    };
    let timeout = facts
        .realtime
        .configuration
        .as_ref()
        .map_or(60, |found| found.timeout);
    let window = mapping_of(facts, buffer).map_or(0, |mapping| mapping.window);
    let wanted = TIMES * timeout + window;
    let mend = json!({ "VisibilityTimeout": wanted.to_string() });
    let mend = format!(
        "deploy again, or at once: {}",
        set_attribute(url(facts), &mend)
    );
    let found = format!(
        "the buffer hides a message for {hidden} s; realtime may take {timeout} s, a batch waits for {window} s"
    );
    if hidden < timeout + window {
        Finding::wrong(
            CHECK,
            format!("{found}: it is seen again while it is worked on"),
            mend,
        )
    } else if hidden < wanted {
        Finding::warning(CHECK, format!("{found}: Lambda asks for {wanted} s"), mend)
    } else {
        Finding::ok(CHECK, found)
    }
}

fn mapping_of<'a>(facts: &'a Facts, buffer: &Attributes) -> Option<&'a Mapping> {
    let arn = text(buffer, "QueueArn");
    let mappings = facts.mappings.as_ref().ok()?;
    mappings.iter().find(|mapping| mapping.source == arn)
}

/// Who takes messages from the buffer.
fn mapping(facts: &Facts, buffer: &Attributes) -> Finding {
    const CHECK: &str = "buffer-mapping";
    if let Err(none) = &facts.mappings {
        return unanswered(
            CHECK,
            none,
            "lambda:ListEventSourceMappings",
            "deploy again",
        );
    }
    let Some(mapping) = mapping_of(facts, buffer) else {
        let found = "nothing takes messages from the buffer: it has no event source mapping";
        return Finding::wrong(CHECK, found, "deploy again");
    };
    let hold = facts.reseed.health.as_ref().ok();
    let hold = hold.and_then(|health| health["hold"]["owner"].as_str());
    match (mapping.state.as_str(), hold) {
        ("Enabled" | "Enabling" | "Updating" | "Creating", _) if !mapping.reports_failures => {
            let found = "a message that fails takes its whole batch back with it (no ReportBatchItemFailures)";
            Finding::wrong(CHECK, found, "deploy again")
        }
        ("Enabled" | "Enabling" | "Updating" | "Creating", _) => {
            Finding::ok(CHECK, format!("{} is {}", mapping.id, mapping.state))
        }
        (state, Some(owner)) => Finding::ok(
            CHECK,
            format!(
                "{} is {state}: job {owner} holds live changes back",
                mapping.id
            ),
        ),
        (state, None) => Finding::wrong(
            CHECK,
            format!(
                "{} is {state}, and no job holds live changes back: they wait in the buffer",
                mapping.id
            ),
            format!(
                "aws lambda update-event-source-mapping --enabled --uuid {}",
                mapping.id
            ),
        ),
    }
}
