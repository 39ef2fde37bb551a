//! How changes reach realtime: from the stack's bucket or an event bus, directly or by a buffer.

use super::{expect, target};
use crate::resources::{EventsRule, Mapping, Notification, Resource, Role, Statement};
use crate::stack::Stack;
use crate::template::show;

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
            found.extend(all().filter_map(|notification| too_narrow(stack, notification)));
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
            found.extend(filter(stack, rule));
            if rule.targets.iter().any(|t| t.dead_letter_config.is_none()) {
                found.push("the rule keeps nothing that it cannot hand over".to_owned());
            }
            rule.targets.iter().map(|t| t.arn.as_str()).collect()
        }
        _ => return vec!["there must be a bucket of the stack or a rule, one of them".to_owned()],
    };
    let heard = if stack.resources.contains_key("BufferMapping") {
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
    found.extend(let_in(stack, bucket.is_some()));
    found
}

/// A notification leaves out nothing that realtime takes.
fn too_narrow(stack: &Stack, notification: &Notification) -> Option<String> {
    let variables = stack.function("Realtime").map(|f| &f.environment.variables);
    let value = |name| {
        variables
            .and_then(|v| v.get(name))
            .map_or("", String::as_str)
    };
    let rules = notification.filter.key.rules.iter();
    let mut other = rules.filter(|rule| {
        let taken = match rule.name.as_str() {
            "prefix" => value("KEY_PREFIX"),
            "suffix" => value("KEY_SUFFIX"),
            _ => "",
        };
        rule.value != taken
    });
    let other = other.next()?;
    Some(format!(
        "{} is told of keys with {} {:?} only",
        notification.event, other.name, other.value
    ))
}

/// What realtime would skip by its key is not paid for, and what it would take is not left out: entries of a pattern
/// are alternatives, so that one of prefix and suffix is asked for.
/// Source: Amazon `EventBridge` User Guide, "Comparison operators for use in event patterns".
fn filter(stack: &Stack, rule: &EventsRule) -> Option<String> {
    let variables = stack.function("Realtime").map(|f| &f.environment.variables);
    let value = |name| {
        variables
            .and_then(|v| v.get(name))
            .map_or("", String::as_str)
    };
    let expected = match (value("KEY_PREFIX"), value("KEY_SUFFIX")) {
        ("", "") => "all".to_owned(),
        ("", suffix) => format!("suffix {suffix}"),
        (prefix, _) => format!("prefix {prefix}"),
    };
    let object = rule.event_pattern.detail.object.as_ref();
    let found = object.map_or("all".to_owned(), |object| {
        let entries = object.key.iter().flatten();
        let entries: Vec<_> = entries.map(|(how, what)| format!("{how} {what}")).collect();
        entries.join(" or ")
    });
    expect("the rule's keys", found, expected)
}

/// Whoever tells of changes may tell both, whatever the choice is: so none is withdrawn while it is still used.
fn let_in(stack: &Stack, is_own: bool) -> Vec<String> {
    let caller = if is_own {
        "s3.amazonaws.com"
    } else {
        "events.amazonaws.com"
    };
    let mut found = Vec::new();
    let may_invoke = stack.permissions().any(|(_, permission)| {
        permission.principal == caller && target(&permission.function_name) == Some("Realtime")
    });
    if !may_invoke {
        found.push(format!("{caller} may not invoke Realtime"));
    }
    let fills = |statement: &Statement| {
        let who = show(&statement.principal);
        let into = |to: &String| target(to) == Some("BufferQueue");
        statement.effect == "Allow"
            && who == format!("{{Service: {caller}}}")
            && statement.resource.iter().any(into)
    };
    let policies = stack.queue_policies();
    let mut statements = policies.flat_map(|(_, policy)| &policy.policy_document.statement);
    if !statements.any(fills) {
        found.push(format!("{caller} may not fill BufferQueue"));
    }
    let realtime = stack.function("Realtime").and_then(|f| stack.role_of(f));
    let empties = |s: &Statement| {
        s.action.iter().any(|action| action == "sqs:ReceiveMessage")
            && s.resource
                .iter()
                .any(|on| target(on) == Some("BufferQueue"))
    };
    if !realtime.into_iter().flat_map(Role::statements).any(empties) {
        found.push("Realtime may not empty BufferQueue".to_owned());
    }
    found
}

/// Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping".
pub(super) fn buffer(stack: &Stack) -> Vec<String> {
    let mapping = match stack.resources.get("BufferMapping") {
        Some(Resource::Mapping(mapping)) => Some(mapping),
        _ => None,
    };
    if stack.queue("BufferQueue").is_none() {
        return vec!["there is no BufferQueue".to_owned()];
    }
    mapping.map_or_else(Vec::new, |mapping| wired(stack, mapping))
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
    let window = mapping.maximum_batching_window_in_seconds.as_ref();
    let window = window.and_then(|text| text.parse().ok()).unwrap_or(0);
    let least = realtime.timeout * 6 + window;
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
    let count = |text: &String| text.parse::<u32>().ok();
    let reserved = realtime.reserved_concurrent_executions.as_ref();
    if let Some(reserved) = reserved.and_then(count)
        && scaling.and_then(count).is_none_or(|most| most > reserved)
    {
        found.push("the mapping may start more of Realtime than may run".to_owned());
    }
    found
}
