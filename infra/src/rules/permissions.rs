//! Who may do what.

use super::{expect, target};
use crate::resources::{Resource, Statement};
use crate::stack::Stack;
use crate::template::show;

pub(super) fn tls_only(stack: &Stack) -> Vec<String> {
    let policies: Vec<(Vec<&str>, &[Statement])> = stack
        .resources
        .values()
        .filter_map(|resource| match resource {
            Resource::BucketPolicy(p) => {
                Some((vec![p.bucket.as_str()], &*p.policy_document.statement))
            }
            Resource::QueuePolicy(p) => {
                let queues = p.queues.iter().map(String::as_str).collect();
                Some((queues, &*p.policy_document.statement))
            }
            _ => None,
        })
        .collect();
    let guarded = |id: &str| {
        policies.iter().any(|(covered, statements)| {
            covered.iter().any(|c| target(c) == Some(id))
                && statements.iter().any(|s| denies_plain(s, id))
        })
    };
    let buckets = stack.buckets().map(|(id, _)| id);
    let queues = stack.queues().map(|(id, _)| id);
    buckets
        .chain(queues)
        .filter(|id| !guarded(id))
        .map(|id| format!("{id} has no policy that denies requests without TLS"))
        .collect()
}

fn denies_plain(statement: &Statement, id: &str) -> bool {
    let plain = statement.condition.get("Bool");
    let plain = plain.and_then(|keys| keys.get("aws:SecureTransport"));
    let all_actions =
        matches!(statement.action.as_slice(), [one] if one == "s3:*" || one == "sqs:*");
    statement.effect == "Deny"
        && show(&statement.principal) == "*"
        && all_actions
        && plain.is_some_and(|value| show(value) == "false")
        && statement.resource.iter().any(|r| target(r) == Some(id))
}

/// Actions that may be allowed on `*`: X-Ray has no resources that a policy could name.
const ON_ANYTHING: [&str; 2] = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];

pub(super) fn least_privilege(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, role) in stack.roles() {
        for statement in role.statements() {
            for action in statement.action.iter().filter(|a| a.contains('*')) {
                found.push(format!("{id} is allowed {action}"));
            }
            let excused = |action: &String| ON_ANYTHING.contains(&action.as_str());
            // `/jobs/*` below a named bucket is a folder, not a wildcard of resources.
            let wide = |resource: &&String| resource.replace(".Arn}/jobs/*", "").contains('*');
            let wide = statement.resource.iter().filter(wide);
            for resource in wide.filter(|r| *r != "*" || !statement.action.iter().all(excused)) {
                let actions = statement.action.join(" ");
                found.push(format!("{id} is allowed {actions} on {resource}"));
            }
            let keys = statement.action.iter().any(|a| a.starts_with("kms:"));
            let via = statement
                .condition
                .values()
                .any(|c| c.contains_key("kms:ViaService"));
            if keys && !via {
                found.push(format!(
                    "{id} may use the key by itself, not only through services"
                ));
            }
        }
    }
    found
}

/// A service acts for anybody: without a source, another account's bucket could fill our queue.
/// Source: AWS IAM User Guide, "The confused deputy problem".
pub(super) fn services(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, permission) in stack.permissions() {
        if permission.source_account.is_none() && permission.source_arn.is_none() {
            found.push(format!("{id} lets any {} in", permission.principal));
        }
        let action = permission.action.as_str();
        found.extend(expect(
            &format!("{id} action"),
            action,
            "lambda:InvokeFunction",
        ));
    }
    for (id, role) in stack.roles() {
        for trusted in &role.assume_role_policy_document.statement {
            let who = show(&trusted.principal);
            let conditions = trusted.condition.values().flat_map(|c| c.keys());
            // Lambda takes the role of its own account's functions only.
            match who.as_str() {
                "{Service: lambda.amazonaws.com}" => {}
                "{Service: scheduler.amazonaws.com}" => {
                    if !conditions.into_iter().any(|key| key == "aws:SourceAccount") {
                        found.push(format!("{id} lets any {who} in"));
                    }
                }
                _ => found.push(format!("{id} may be taken by {who}")),
            }
        }
    }
    let policies = stack.all(|resource| match resource {
        Resource::QueuePolicy(policy) => Some(policy),
        _ => None,
    });
    for (id, policy) in policies {
        let allows = policy
            .policy_document
            .statement
            .iter()
            .filter(|s| s.effect == "Allow");
        for statement in allows {
            let sid = &statement.sid;
            let keys = || statement.condition.values().flat_map(|c| c.keys());
            if !keys().any(|key| key == "aws:SourceAccount" || key == "aws:SourceArn") {
                found.push(format!(
                    "{id} {sid} lets any {} in",
                    show(&statement.principal)
                ));
            }
            for action in statement.action.iter().filter(|a| *a != "sqs:SendMessage") {
                found.push(format!("{id} {sid} allows {action}"));
            }
        }
    }
    found
}
