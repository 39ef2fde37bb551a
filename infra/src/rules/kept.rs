//! What outlives the stack, and what must be there before something else is.

use super::target;
use crate::resources::Resource;
use crate::stack::{Life, Stack};

/// Places that are written anew by the next change of a key (docs/OPERATIONS.md, "Live order").
const FORGOTTEN: &str = "LiveTable";

/// Whether a resource holds what nobody could make again, or guards it.
pub(crate) fn holds(id: &str, resource: &Resource) -> bool {
    match resource {
        Resource::Bucket(_)
        | Resource::BucketPolicy(_)
        | Resource::Queue(_)
        | Resource::QueuePolicy(_)
        | Resource::LogGroup(_) => true,
        Resource::Table(_) => id != FORGOTTEN,
        _ => false,
    }
}

/// What holds data stays when the stack goes, when a choice leaves it out, and when another takes its place; not
/// when the deployment that makes it fails. All else goes.
/// Source: AWS `CloudFormation` User Guide, "`DeletionPolicy` attribute".
pub(super) fn data(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    let none = Life::default();
    for (id, resource) in &stack.resources {
        let life = stack.lives.get(id).unwrap_or(&none);
        let policies = (
            life.deletion_policy.as_str(),
            life.update_replace_policy.as_str(),
        );
        let expected = if holds(id, resource) {
            ("RetainExceptOnCreate", "Retain")
        } else {
            ("", "")
        };
        if policies != expected {
            found.push(format!(
                "{id} is kept as {policies:?}, must be {expected:?}"
            ));
        }
    }
    found
}

/// A bucket's notifications are refused where their targets do not let it in yet, and what a rule cannot hand over in
/// its first seconds is lost.
pub(super) fn order(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    let policy_of = |queue: &str| {
        let of = |(_, policy): &(&str, &crate::resources::QueuePolicy)| {
            policy.queues.iter().any(|q| target(q) == Some(queue))
        };
        stack.queue_policies().find(of).map(|(id, _)| id)
    };
    let needs = |id: &str, queues: &[&str]| {
        let principal = match stack.resources.get(id) {
            Some(Resource::Bucket(_)) => "s3.amazonaws.com",
            Some(Resource::EventsRule(_)) => "events.amazonaws.com",
            _ => return Vec::new(),
        };
        let permission = stack.permissions().find(|(_, p)| p.principal == principal);
        let permission = permission.map(|(id, _)| id);
        let policies = queues.iter().map(|queue| policy_of(queue));
        let all = policies.chain([permission]).flatten();
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    for (id, queues) in [
        ("Bucket", &["BufferQueue"][..]),
        ("ChangesRule", &["BufferQueue", "OnFailureQueue"]),
    ] {
        let after = stack.lives.get(id).map(|life| life.depends_on.as_slice());
        for first in needs(id, queues) {
            if !after.unwrap_or_default().contains(&first) {
                found.push(format!("{id} may be there before {first}"));
            }
        }
    }
    found
}
