//! How changes reach realtime: from the stack's bucket or an event bus, directly or by a buffer.

use super::{expect, target};
use crate::resources::{Mapping, Resource};
use crate::stack::Stack;

/// Source: Amazon S3 User Guide, "Supported event types for SQS, SNS, and Lambda".
const KINDS: [&str; 3] = [
    "s3:ObjectCreated:*",
    "s3:ObjectRemoved:*",
    "s3:LifecycleExpiration:*",
];

/// Source: Amazon S3 User Guide, "`EventBridge` event message structure".
const DETAIL_TYPES: [&str; 2] = ["Object Created", "Object Deleted"];

pub(super) fn notifications(stack: &Stack) -> Vec<String> {
    let bucket = stack.buckets().find(|(id, _)| *id == "Bucket");
    let mut rules = stack.all(|resource| match resource {
        Resource::EventsRule(rule) => Some(rule),
        _ => None,
    });
    let rule = rules.next().map(|(_, rule)| rule);
    let mut found = Vec::new();
    let targets: Vec<&str> = match (bucket, rule) {
        (Some((_, bucket)), None) => {
            let notifications = &bucket.notification_configuration;
            let all = || {
                let queues = notifications.queue_configurations.iter();
                queues.chain(&notifications.lambda_configurations)
            };
            let deaf = KINDS
                .iter()
                .filter(|kind| !all().any(|n| n.event == **kind));
            found.extend(deaf.map(|kind| format!("Realtime does not hear of {kind}")));
            all().map(|n| n.target.as_str()).collect()
        }
        (None, Some(rule)) => {
            let pattern = &rule.event_pattern;
            found.extend(expect(
                "the rule's source",
                pattern.source.join(" ").as_str(),
                "aws.s3",
            ));
            let deaf = DETAIL_TYPES
                .iter()
                .filter(|kind| !pattern.detail_type.iter().any(|d| d == *kind));
            found.extend(deaf.map(|kind| format!("Realtime does not hear of {kind}")));
            let reseed = stack.function("Reseed");
            let replayed = reseed.and_then(|f| f.environment.variables.get("BUCKET_NAME"));
            let watched = &pattern.detail.bucket.name;
            if !watched.iter().eq(replayed) {
                found.push(format!(
                    "the rule watches {watched:?}, Reseed reads {replayed:?}"
                ));
            }
            if rule.targets.iter().any(|t| t.dead_letter_config.is_none()) {
                found.push("the rule keeps nothing that it cannot hand over".to_owned());
            }
            rule.targets.iter().map(|t| t.arn.as_str()).collect()
        }
        _ => return vec!["there must be a bucket of the stack or a rule, one of them".to_owned()],
    };
    let heard = if stack.queue("BufferQueue").is_some() {
        "BufferQueue"
    } else {
        "Realtime"
    };
    let astray = targets.iter().filter(|to| target(to) != Some(heard));
    found.extend(astray.map(|to| format!("changes go to {to}, must go to {heard}")));
    if targets.is_empty() {
        found.push(format!("no changes go to {heard}"));
    }
    // What reseed's health looks for.
    let variables = stack.function("Reseed").map(|f| &f.environment.variables);
    let looked_for = variables.and_then(|v| v.get("CHANGES_GO_TO"));
    let looked_for = looked_for.map(String::as_str).unwrap_or_default();
    let is_right = match bucket {
        Some(_) => target(looked_for) == Some(heard),
        None => looked_for == "eventbridge",
    };
    if !is_right {
        found.push(format!("Reseed CHANGES_GO_TO is {looked_for:?}"));
    }
    if heard == "Realtime" {
        let caller = match bucket {
            Some(_) => "s3.amazonaws.com",
            None => "events.amazonaws.com",
        };
        let may = stack.permissions().any(|(_, permission)| {
            permission.principal == caller && target(&permission.function_name) == Some("Realtime")
        });
        if !may {
            found.push(format!("{caller} may not invoke Realtime"));
        }
    }
    found
}

/// Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping".
pub(super) fn buffer(stack: &Stack) -> Vec<String> {
    let mut mappings = stack.all(|resource| match resource {
        Resource::Mapping(mapping) => Some(mapping),
        _ => None,
    });
    match (
        mappings.next().map(|(_, mapping)| mapping),
        stack.queue("BufferQueue").is_some(),
    ) {
        (None, false) => Vec::new(),
        (Some(mapping), true) => wired(stack, mapping),
        _ => vec!["BufferQueue and its mapping must be there together".to_owned()],
    }
}

fn wired(stack: &Stack, mapping: &Mapping) -> Vec<String> {
    let mut found = Vec::new();
    let source = target(&mapping.event_source_arn).unwrap_or_default();
    found.extend(expect("the mapping's source", source, "BufferQueue"));
    let reader = target(&mapping.function_name).unwrap_or_default();
    found.extend(expect("the mapping's function", reader, "Realtime"));
    let answers = mapping.function_response_types.join(" ");
    // Without it, one bad message sends its whole batch again, and in the end away.
    found.extend(expect(
        "the mapping's response type",
        answers.as_str(),
        "ReportBatchItemFailures",
    ));
    let (Some(queue), Some(realtime)) = (stack.queue("BufferQueue"), stack.function("Realtime"))
    else {
        return found;
    };
    let visibility = queue.visibility_timeout.unwrap_or_default();
    let least = realtime.timeout * 6;
    if visibility < least {
        found.push(format!(
            "BufferQueue visibility timeout is {visibility} s, must be at least {least} s"
        ));
    }
    match &queue.redrive_policy {
        Some(redrive)
            if stack
                .queue(target(&redrive.dead_letter_target_arn).unwrap_or_default())
                .is_some() =>
        {
            if redrive.max_receive_count < 5 {
                found.push("BufferQueue has fewer than five attempts".to_owned());
            }
        }
        _ => found.push("BufferQueue has no dead-letter queue".to_owned()),
    }
    let scaling = mapping
        .scaling_config
        .as_ref()
        .map(|s| &s.maximum_concurrency);
    if scaling != realtime.reserved_concurrent_executions.as_ref() {
        found.push("the mapping may start more of Realtime than may run".to_owned());
    }
    found
}
