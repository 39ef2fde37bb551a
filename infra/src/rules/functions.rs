//! Functions by themselves.

use super::{expect, target};
use crate::resources::{Bucket, Function, Resource};
use crate::stack::Stack;
use crate::template::show;

pub(super) fn functions(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, function) in stack.functions() {
        let runtime = function.runtime.as_str();
        found.extend(expect(&format!("{id} runtime"), runtime, "provided.al2023"));
        let tracing = function.tracing.as_str();
        found.extend(expect(&format!("{id} tracing"), tracing, "Active"));
        match function.architectures.as_slice() {
            [one] if one == "x86_64" || one == "arm64" => {}
            other => found.push(format!("{id} architecture is {other:?}")),
        }
        let logs = target(&function.logging_config.log_group);
        let retention = match logs.and_then(|id| stack.resources.get(id)) {
            Some(Resource::LogGroup(logs)) => logs.retention_in_days.as_ref(),
            _ => None,
        };
        if retention.is_none() {
            found.push(format!("{id} has no log group with retention"));
        }
        found.extend(failures(stack, id, function));
        if stack.role_of(function).is_none() {
            found.push(format!("{id} has no role of this stack"));
        }
        if function.reserved_concurrent_executions.as_deref() == Some("0") {
            found.push(format!("{id} may not run at all"));
        }
    }
    found
}

/// A notification that fails is kept. A sweep or an action of reseed is not: the next sweep comes in a minute and
/// continues what died, and in the queue of notifications nobody could tell them from those.
/// Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation".
fn failures(stack: &Stack, id: &str, function: &Function) -> Vec<String> {
    let invoked = &function.event_invoke_config;
    let on_failure = invoked.destination_config.on_failure.as_ref();
    let kept = on_failure.and_then(|to| target(&to.destination));
    let mut found = Vec::new();
    if id == "Reseed" {
        if on_failure.is_some() {
            found.push("Reseed fills a queue with failed sweeps".to_owned());
        }
        let retries = invoked.maximum_retry_attempts.unwrap_or(2);
        found.extend(expect("Reseed retries", retries, 0));
        let age = invoked.maximum_event_age_in_seconds.unwrap_or(21_600);
        found.extend(expect("Reseed event age", age, 60));
    } else if kept.is_none_or(|id| stack.queue(id).is_none()) {
        found.push(format!("{id} has no OnFailure queue"));
    }
    found
}

/// What the functions are told is there: a resource of this stack, or a name that was given.
pub(super) fn environment(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, function) in stack.functions() {
        let variables = &function.environment.variables;
        let mut needed = vec!["QUEUE_URL"];
        if id == "Reseed" {
            needed.extend([
                "BUCKET_NAME",
                "PLAN_BUCKET",
                "CHECKPOINT_TABLE",
                "FAILURE_QUEUE_URL",
            ]);
        }
        for name in needed {
            let value = variables.get(name).map(String::as_str).unwrap_or_default();
            if value.is_empty() {
                found.push(format!("{id} has no {name}"));
            } else if let Some(missing) = target(value)
                && !stack.resources.contains_key(missing)
            {
                found.push(format!("{id} {name} is {missing}, which is not deployed"));
            }
        }
        // What it parks goes where the alarm rings and its role may send.
        let parked = variables.get("FAILURE_QUEUE_URL").and_then(|to| target(to));
        if parked.is_some_and(|id| id != "OnFailureQueue") {
            found.push(format!("{id} FAILURE_QUEUE_URL is not the OnFailure queue"));
        }
        let url = variables
            .get("QUEUE_URL")
            .map(String::as_str)
            .unwrap_or_default();
        let given = url.starts_with("https://sqs.") && url.split('/').count() == 5;
        if target(url).is_none() && !given {
            found.push(format!("{id} QUEUE_URL is {url}, must be a queue's URL"));
        }
        if id == "Realtime" {
            let name = variables.get("BUCKET_NAME").map(String::as_str);
            found.extend(expect(
                "Realtime BUCKET_NAME",
                name.unwrap_or_default(),
                &watched(stack),
            ));
        }
    }
    found
}

/// The bucket whose changes arrive: by name, or as `CloudFormation` begins the name of one that has
/// none of its own, `<stack>-<logical id>-`.
fn watched(stack: &Stack) -> String {
    let rules = stack.all(|resource| match resource {
        Resource::EventsRule(rule) => rule.event_pattern.detail.bucket.name.first(),
        _ => None,
    });
    if let Some((_, name)) = rules.into_iter().next() {
        return name.clone();
    }
    let notifies = |(_, bucket): &(&str, &Bucket)| {
        let told = &bucket.notification_configuration;
        !told.queue_configurations.is_empty() || !told.lambda_configurations.is_empty()
    };
    let own = stack.buckets().find(notifies);
    let id = own.map_or(String::new(), |(id, _)| id.to_lowercase());
    format!("${{AWS::StackName}}-{id}-*")
}

pub(super) fn reseed(stack: &Stack) -> Vec<String> {
    let Some(reseed) = stack.function("Reseed") else {
        return vec!["there is no Reseed".to_owned()];
    };
    let mut found = Vec::new();
    let recursion = reseed.recursive_loop.as_deref().unwrap_or_default();
    found.extend(expect("Reseed RecursiveLoop", recursion, "Allow"));
    let Some(sweep) = reseed.events.get("Sweep") else {
        found.push("Reseed sweep is missing".to_owned());
        return found;
    };
    found.extend(expect("Reseed sweep", sweep.r#type.as_str(), "ScheduleV2"));
    let property = |name| sweep.properties.get(name).map(show).unwrap_or_default();
    let rate = property("ScheduleExpression");
    found.extend(expect("Reseed sweep", rate.as_str(), "rate(1 minute)"));
    // SAM's own name is the same in every stack of an account, and the schedules overwrite each other.
    let name = property("Name");
    if !name.contains("${AWS::StackName}") {
        found.push(format!(
            "Reseed sweep name is {name}, must hold the stack's name"
        ));
    }
    if target(&property("RoleArn")).is_none_or(|id| !stack.resources.contains_key(id)) {
        found.push("Reseed sweep has no role of this stack".to_owned());
    }
    let input = property("Input");
    found.extend(expect(
        "Reseed sweep input",
        input.as_str(),
        r#"{"action":"sweep"}"#,
    ));
    found
}
