//! Under which conditions something is allowed: those that AWS evaluates, with the values that they must have. The servers of the
//! tests look at few of them.

use std::collections::BTreeSet;

use crate::resources::{Resource, Role, Statement};
use crate::stack::Stack;
use crate::template::show;

const RULE: &str =
    "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${AWS::StackName}-changes";

/// Operator, context key, and the values; those of `kms:ViaService` depend on the role.
/// Source: AWS IAM User Guide, "IAM JSON policy elements: Condition operators".
const KNOWN: [(&str, &str, &str); 6] = [
    ("Bool", "aws:SecureTransport", "false"),
    ("StringEquals", "aws:SourceAccount", "${AWS::AccountId}"),
    ("ArnEquals", "aws:SourceArn", RULE),
    (
        "ForAllValues:StringEquals",
        "dynamodb:LeadingKeys",
        "[stream]",
    ),
    (
        "ForAllValues:StringEquals",
        "events:source",
        "[s3-sqs-bridge]",
    ),
    ("StringEquals", VIA_SERVICE, ""),
];

const VIA_SERVICE: &str = "kms:ViaService";

/// Every condition is a known one, and has the values that it must have.
pub(super) fn conditions(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, resource) in &stack.resources {
        for statement in statements(resource) {
            found.extend(unknown(statement).map(|what| format!("{id} {}: {what}", statement.sid)));
        }
        match resource {
            Resource::Role(role) => found.extend(via_services(id, role)),
            Resource::Permission(permission) => {
                let sources = [
                    (&permission.source_account, "${AWS::AccountId}"),
                    (&permission.source_arn, RULE),
                ];
                for (source, expected) in sources {
                    if let Some(other) = source.as_deref().filter(|s| *s != expected) {
                        found.push(format!("{id} lets {other} in, must be {expected}"));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn statements(resource: &Resource) -> Vec<&Statement> {
    match resource {
        Resource::Role(role) => {
            let trusted = &role.assume_role_policy_document.statement;
            role.statements().chain(trusted).collect()
        }
        Resource::Policy(policy) => policy.policy_document.statement.iter().collect(),
        Resource::QueuePolicy(policy) => policy.policy_document.statement.iter().collect(),
        Resource::BucketPolicy(policy) => policy.policy_document.statement.iter().collect(),
        _ => Vec::new(),
    }
}

fn unknown(statement: &Statement) -> impl Iterator<Item = String> {
    let conditions = statement.condition.iter();
    let conditions =
        conditions.flat_map(|(operator, keys)| keys.iter().map(move |of| (operator, of)));
    conditions.filter_map(|(operator, (key, value))| {
        let value = show(value);
        let known = KNOWN.iter().find(|(o, k, _)| o == operator && k == key);
        match known {
            None => Some(format!(
                "{operator} {key} is no condition that is known here"
            )),
            Some((_, key, expected)) if *key != VIA_SERVICE && value != *expected => {
                Some(format!("{key} is {value}, must be {expected}"))
            }
            Some(_) => None,
        }
    })
}

/// A key is used through the services in which the role asks for what the key encrypts.
fn via_services(id: &str, role: &Role) -> Vec<String> {
    let actions = role.statements().flat_map(|statement| &statement.action);
    let services = actions.filter_map(|action| action.split_once(':'));
    // A listing of a bucket holds nothing that a key encrypts.
    let services = services.filter(|(of, action)| match *of {
        "sqs" | "dynamodb" => true,
        "s3" => action.ends_with("Object"),
        _ => false,
    });
    let services: BTreeSet<_> = services.map(|(of, _)| of.to_owned()).collect();
    let mut found = Vec::new();
    for statement in role.statements() {
        for value in statement
            .condition
            .values()
            .filter_map(|keys| keys.get(VIA_SERVICE))
        {
            let listed = value.as_sequence().into_iter().flatten().map(show);
            let listed: BTreeSet<_> = listed
                .map(|name| name.split('.').next().unwrap_or_default().to_owned())
                .collect();
            if listed != services {
                let sid = &statement.sid;
                found.push(format!(
                    "{id} {sid}: the key is used by {listed:?}, must be by {services:?}"
                ));
            }
        }
    }
    found
}
