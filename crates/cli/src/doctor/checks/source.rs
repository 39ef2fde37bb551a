//! The way of a change from the bucket to realtime, or to its buffer. Whether the bucket tells of its changes, reseed's
//! health says.

use crate::doctor::checks::policy::lets_in;
use crate::doctor::checks::{text, unanswered};
use crate::doctor::facts::{Facts, Rule};
use crate::doctor::finding::Finding;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![entrance(facts)];
    findings.extend(facts.rule.as_ref().map(|rule| match rule {
        Ok(rule) => rule_of(rule, facts),
        Err(none) => {
            let advice = "deploy again: without the rule no change arrives";
            unanswered(
                "rule",
                none,
                "events:DescribeRule and events:ListTargetsByRule",
                advice,
            )
        }
    }));
    findings.push(destination(facts));
    findings
}

/// Who hands changes over: S3 itself, or `EventBridge`.
pub(super) fn service(facts: &Facts) -> &'static str {
    if facts.is_of_others() {
        "events.amazonaws.com"
    } else {
        "s3.amazonaws.com"
    }
}

/// Whether that one may: invoke realtime, or send to the buffer.
fn entrance(facts: &Facts) -> Finding {
    const CHECK: &str = "entrance";
    let service = service(facts);
    let (document, what) = if facts.is_buffered() {
        let policy = facts
            .buffer
            .as_ref()
            .map(|buffer| text(buffer, "Policy").to_owned());
        (policy, "send to the buffer")
    } else {
        (facts.invokers.as_ref().cloned(), "invoke realtime")
    };
    match document {
        Err(none) => {
            let action = "lambda:GetPolicy and sqs:GetQueueAttributes";
            unanswered(CHECK, none, action, "deploy again")
        }
        Ok(document) if lets_in(&document, service) => {
            Finding::ok(CHECK, format!("{service} may {what}"))
        }
        Ok(_) => Finding::wrong(
            CHECK,
            format!("{service} may not {what}, so that no change arrives"),
            "somebody changed the policy: deploy again",
        ),
    }
}

fn rule_of(rule: &Rule, facts: &Facts) -> Finding {
    const CHECK: &str = "rule";
    let name = &rule.name;
    if rule.state != "ENABLED" {
        return Finding::wrong(
            CHECK,
            format!("{name} is {}, so that no change arrives", rule.state),
            format!("aws events enable-rule --name {name}"),
        );
    }
    let bucket = facts.stack.parameter("ExistingBucket");
    if !rule.pattern.contains(&format!("\"{bucket}\"")) {
        let found = format!("{name} is not about {bucket}: {}", rule.pattern);
        return Finding::wrong(CHECK, found, "deploy again");
    }
    let target = if facts.is_buffered() {
        let buffer = facts.buffer.as_ref().ok();
        buffer
            .map_or("", |buffer| text(buffer, "QueueArn"))
            .to_owned()
    } else {
        let function = facts.stack.outputs.get("RealtimeFunctionArn");
        function.cloned().unwrap_or_default()
    };
    if !rule.targets.contains(&target) {
        let found = format!(
            "{name} hands changes to {:?}, not to {target}",
            rule.targets
        );
        return Finding::wrong(CHECK, found, "deploy again");
    }
    Finding::ok(
        CHECK,
        format!("{name} hands the changes of {bucket} to {target}"),
    )
}

/// Where changes go that realtime could not deliver.
fn destination(facts: &Facts) -> Finding {
    const CHECK: &str = "destination";
    let expected = facts.stack.outputs.get("OnFailureQueueArn");
    let expected = expected.map_or("", String::as_str);
    match &facts.destination {
        Err(none) => {
            let action = "lambda:GetFunctionEventInvokeConfig";
            unanswered(CHECK, none, action, "deploy again")
        }
        Ok(found) if found == expected => Finding::ok(
            CHECK,
            "what realtime cannot deliver goes to the OnFailure queue",
        ),
        Ok(found) => {
            let found = if found.is_empty() { "nowhere" } else { found };
            Finding::wrong(
                CHECK,
                format!(
                    "what realtime cannot deliver goes to {found}, not to {expected}: it is lost"
                ),
                format!(
                    "deploy again, or at once: aws lambda put-function-event-invoke-config --function-name {} \
                     --maximum-retry-attempts 2 --destination-config \
                     '{{\"OnFailure\":{{\"Destination\":\"{expected}\"}}}}'",
                    facts.realtime.name
                ),
            )
        }
    }
}
