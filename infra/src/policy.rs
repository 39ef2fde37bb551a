//! Everything that is allowed, as lines for a golden file: what roles may do and who may take them,
//! and who else may do something to the stack's resources.

use std::collections::BTreeMap;

use crate::choices::{CHOICES, Chosen};
use crate::resources::{Resource, Statement};
use crate::stack::Stack;
use crate::template::show;

/// One line an allowance: who, what, on what, under which condition, and by which choice of
/// parameters, if not always.
#[must_use]
pub fn lines(stacks: &[(Chosen, Stack)]) -> Vec<String> {
    let mut by_line: BTreeMap<String, Vec<&Chosen>> = BTreeMap::new();
    for (chosen, stack) in stacks {
        for (id, resource) in &stack.resources {
            for line in allowances(id, resource) {
                by_line.entry(line).or_default().push(chosen);
            }
        }
    }
    by_line
        .into_iter()
        .map(|(line, chosen)| line + &choice(&chosen))
        .collect()
}

fn allowances(id: &str, resource: &Resource) -> Vec<String> {
    match resource {
        Resource::Role(role) => {
            let trusted = role.assume_role_policy_document.statement.iter();
            let trusted = trusted.map(|s| {
                let who = show(&s.principal);
                format!(
                    "{who} Allow {}: {}{}",
                    id,
                    s.action.join(" "),
                    conditions(s)
                )
            });
            let allowed = role.statements().flat_map(|s| statement_lines(id, s));
            trusted.chain(allowed).collect()
        }
        Resource::Policy(policy) => {
            let statements = &policy.policy_document.statement;
            let of_role = |role: &String| {
                let who = role.trim_matches(['$', '{', '}']).to_owned();
                let lines = statements.iter().flat_map(|s| statement_lines(&who, s));
                lines.collect::<Vec<_>>()
            };
            policy.roles.iter().flat_map(of_role).collect()
        }
        Resource::QueuePolicy(policy) => policy
            .policy_document
            .statement
            .iter()
            .filter(|statement| statement.effect != "Deny")
            .flat_map(|statement| statement_lines(&show(&statement.principal), statement))
            .collect(),
        Resource::Permission(permission) => {
            let source = permission
                .source_arn
                .as_ref()
                .or(permission.source_account.as_ref());
            vec![format!(
                "{{Service: {}}} Allow {id}: {} on {} if source is {}",
                permission.principal,
                permission.action,
                permission.function_name,
                source.map_or("anything", String::as_str),
            )]
        }
        _ => Vec::new(),
    }
}

/// A line for each resource.
fn statement_lines(who: &str, statement: &Statement) -> Vec<String> {
    let line = |resource: &String| {
        format!(
            "{who} {} {}: {} on {resource}{}",
            statement.effect,
            statement.sid,
            statement.action.join(" "),
            conditions(statement),
        )
    };
    statement.resource.iter().map(line).collect()
}

fn conditions(statement: &Statement) -> String {
    let keys = statement.condition.values().flatten();
    let shown = keys.map(|(key, value)| format!(" if {key} is {}", show(value)));
    shown.collect()
}

/// The values that `chosen` have in common where the choice would have been wider.
fn choice(chosen: &[&Chosen]) -> String {
    let mut told = Vec::new();
    for (index, (name, values)) in CHOICES.iter().enumerate() {
        let taken = |value: &&&str| chosen.iter().any(|c| c[index].1 == **value);
        let taken: Vec<_> = values.iter().filter(taken).collect();
        if taken.len() < values.len() {
            let shown: Vec<_> = taken.into_iter().map(|v| format!("{v:?}")).collect();
            told.push(format!("{name}={}", shown.join("|")));
        }
    }
    if told.is_empty() {
        return String::new();
    }
    format!(" [{}]", told.join(" "))
}
