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

/// SQS takes the policy of a queue whose resources are that queue.
pub(super) fn one_document(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, policy) in stack.queue_policies() {
        let [queue] = policy.queues.as_slice() else {
            found.push(format!("{id} is of {} queues", policy.queues.len()));
            continue;
        };
        let resources = policy.policy_document.statement.iter();
        let mut resources = resources.flat_map(|statement| &statement.resource);
        if let Some(other) = resources.find(|on| target(on) != target(queue)) {
            found.push(format!("{id} is of {queue} and speaks of {other}"));
        }
    }
    found
}

/// Regions of China have another suffix.
/// Source: AWS Key Management Service Developer Guide, "AWS KMS condition keys".
pub(super) fn via_service(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, role) in stack.roles() {
        let conditions = role.statements().flat_map(|s| s.condition.values());
        let via = conditions.filter_map(|keys| keys.get("kms:ViaService"));
        for service in via.flat_map(|list| list.as_sequence().into_iter().flatten()) {
            let service = show(service);
            if !service.ends_with(".${AWS::Region}.${AWS::URLSuffix}") {
                found.push(format!("{id} uses the key by {service}"));
            }
        }
    }
    found
}

/// Whoever gives a boundary or a path gives it to all roles.
pub(super) fn boundary(stack: &Stack) -> Vec<String> {
    let mut roles = stack.roles();
    let Some((first, example)) = roles.next() else {
        return vec!["there are no roles".to_owned()];
    };
    let others = roles.filter(|(_, role)| {
        role.path != example.path || role.permissions_boundary != example.permissions_boundary
    });
    let others = others.map(|(id, _)| format!("{id} has not the path and boundary of {first}"));
    others.collect()
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
            // Below a named bucket or table these are its own folder and streams, not a wildcard of resources.
            // So is the one that others' plans are in.
            let wide = |resource: &&String| {
                let own = ["/jobs/*", "/stream/*"];
                let end = own.iter().find_map(|end| resource.strip_suffix(end));
                let named = end.filter(|named| named.ends_with(".Arn}"));
                let is_plans =
                    statement.sid == "ReadForeignPlans" && statement.action == ["s3:GetObject"];
                let plans = resource.strip_suffix("/*").filter(|_| is_plans);
                let plans = plans.filter(|named| {
                    named
                        .rsplit_once(":::")
                        .is_some_and(|(_, place)| place.contains('/'))
                });
                named.or(plans).unwrap_or(resource).contains('*')
            };
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
