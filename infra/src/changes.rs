//! What a deployment with other parameters would lose.

use crate::resources::{Resource, Role};
use crate::rules::{kept, target};
use crate::stack::Stack;

/// What is lost when `before` becomes `after`; nothing is the right answer.
///
/// `CloudFormation` updates what stays, in the order of its references, and takes away last what goes.
/// So nothing that is still asked may have lost a leave that it needs, and what goes must not hold data.
/// Source: AWS `CloudFormation` User Guide, "Update behaviors of stack resources".
#[must_use]
pub fn losses(before: &Stack, after: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, resource) in &before.resources {
        let Some(now) = after.resources.get(id) else {
            let stays = before.lives.get(id).is_some_and(|life| {
                ["Retain", "RetainExceptOnCreate"].contains(&life.deletion_policy.as_str())
            });
            if kept::holds(id, resource) && !stays {
                found.push(format!("{id} is deleted with what it holds"));
            }
            continue;
        };
        if fixed(resource) != fixed(now) {
            found.push(format!(
                "{id} is made anew: {} was {}",
                fixed(now),
                fixed(resource)
            ));
        }
    }
    for (who, heard) in told(before) {
        // Of a bucket that leaves the stack nothing more is asked for.
        let still = told(after).iter().any(|(same, _)| *same == who);
        if still && !lets_in(after, who, &heard) {
            found.push(format!(
                "{who} still tells {heard}, which no longer lets it in"
            ));
        }
    }
    if before.resources.contains_key("BufferMapping") && !empties(after) {
        found.push("the buffer's pollers lose their leave before they stop".to_owned());
    }
    found
}

/// What a resource cannot change without being another one.
fn fixed(resource: &Resource) -> String {
    match resource {
        Resource::Queue(queue) => format!("{} {}", queue.queue_name, queue.fifo_queue),
        Resource::Function(function) => function.function_name.clone(),
        Resource::LogGroup(logs) => logs.log_group_name.clone(),
        Resource::EventsRule(rule) => rule.name.clone(),
        _ => String::new(),
    }
}

/// Who tells of changes, and whom: by service.
fn told(stack: &Stack) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for resource in stack.resources.values() {
        match resource {
            Resource::Bucket(bucket) => {
                let told = &bucket.notification_configuration;
                let all = told.queue_configurations.iter();
                let all = all.chain(&told.lambda_configurations);
                let heard = all.filter_map(|n| target(&n.target));
                found.extend(heard.map(|id| ("s3.amazonaws.com", id.to_owned())));
            }
            Resource::EventsRule(rule) => {
                let heard = rule.targets.iter().filter_map(|t| target(&t.arn));
                found.extend(heard.map(|id| ("events.amazonaws.com", id.to_owned())));
            }
            _ => {}
        }
    }
    found.sort();
    found.dedup();
    found
}

fn lets_in(stack: &Stack, who: &str, id: &str) -> bool {
    let mut invoked = stack.permissions();
    if invoked.any(|(_, p)| p.principal == who && target(&p.function_name) == Some(id)) {
        return true;
    }
    let policies = stack.queue_policies();
    let mut statements = policies.flat_map(|(_, policy)| &policy.policy_document.statement);
    let principal = format!("{{Service: {who}}}");
    statements.any(|s| {
        s.effect == "Allow"
            && crate::template::show(&s.principal) == principal
            && s.resource.iter().any(|on| target(on) == Some(id))
    })
}

fn empties(stack: &Stack) -> bool {
    let role = stack.function("Realtime").and_then(|f| stack.role_of(f));
    let mut statements = role.into_iter().flat_map(Role::statements);
    statements.any(|s| {
        s.action.iter().any(|action| action == "sqs:ReceiveMessage")
            && s.resource
                .iter()
                .any(|on| target(on) == Some("BufferQueue"))
    })
}
