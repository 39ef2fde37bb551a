//! Buckets, tables, and the key that encrypts them.

use std::collections::BTreeSet;

use super::expect;
use crate::resources::{Index, Resource, Role, Statement, Table};
use crate::stack::Stack;
use crate::template::show;

pub(super) fn buckets(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, bucket) in stack.buckets() {
        let status = bucket.versioning_configuration.status.as_str();
        found.extend(expect(&format!("{id} versioning"), status, "Enabled"));
        if bucket.bucket_encryption.rules.is_empty() {
            found.push(format!("{id} is not encrypted"));
        }
        let block = &bucket.public_access_block_configuration;
        for (name, set) in [
            ("BlockPublicAcls", block.block_public_acls),
            ("BlockPublicPolicy", block.block_public_policy),
            ("IgnorePublicAcls", block.ignore_public_acls),
            ("RestrictPublicBuckets", block.restrict_public_buckets),
        ] {
            found.extend(expect(&format!("{id} {name}"), set, true));
        }
    }
    found
}

fn of_stack(stack: &Stack) -> impl Iterator<Item = (&str, &Table)> {
    stack.all(|resource| match resource {
        Resource::Table(table) => Some(table),
        _ => None,
    })
}

/// `expiresAt` is the attribute that crates/aws writes, whatever the table.
pub(super) fn tables(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, table) in of_stack(stack) {
        let billing = table.billing_mode.as_str();
        found.extend(expect(&format!("{id} billing"), billing, "PAY_PER_REQUEST"));
        let ttl = &table.time_to_live_specification;
        let attribute = ttl.attribute_name.as_str();
        found.extend(expect(
            &format!("{id} TTL attribute"),
            attribute,
            "expiresAt",
        ));
        found.extend(expect(&format!("{id} TTL"), ttl.enabled, true));
        found.extend(expect(
            &format!("{id} encryption"),
            table.encryption.enabled,
            true,
        ));
    }
    found
}

/// Jobs cannot be made again from anything else, so their table recovers.
pub(super) fn checkpoints(stack: &Stack) -> Vec<String> {
    let id = "CheckpointTable";
    let Some((_, table)) = of_stack(stack).find(|(own, _)| *own == id) else {
        return vec![format!("there is no {id}")];
    };
    let mut found = Vec::new();
    let recovery = table.point_in_time_recovery_specification.enabled;
    found.extend(expect(&format!("{id} recovery"), recovery, true));
    found.extend(index(stack, id, &table.global_secondary_indexes));
    found
}

/// The index that crates/aws/src/jobs.rs asks, with nothing in it that a heartbeat would write, and
/// reseed may ask it.
fn index(stack: &Stack, table: &str, indexes: &[Index]) -> Vec<String> {
    let found = indexes.iter().find(|i| i.index_name == "phase-createdAt");
    let Some(index) = found else {
        return vec![format!("{table} has no index phase-createdAt")];
    };
    let keys: Vec<_> = index
        .key_schema
        .iter()
        .map(|key| format!("{} {}", key.attribute_name, key.key_type))
        .collect();
    let keys = keys.join(", ");
    let mut found = Vec::new();
    found.extend(expect(
        &format!("{table} index"),
        keys.as_str(),
        "phase HASH, createdAt RANGE",
    ));
    let projection = index.projection.projection_type.as_str();
    found.extend(expect(
        &format!("{table} index projection"),
        projection,
        "KEYS_ONLY",
    ));
    let arn = format!("${{{table}.Arn}}/index/phase-createdAt");
    let reseed = stack.function("Reseed").and_then(|f| stack.role_of(f));
    let may = reseed.into_iter().flat_map(Role::statements).any(|s| {
        s.action.iter().any(|action| action == "dynamodb:Query") && s.resource.contains(&arn)
    });
    if !may {
        found.push(format!("Reseed may not ask {arn}"));
    }
    found
}

/// Whoever names a key wants it everywhere, and whoever names none must not need one.
pub(super) fn one_key(stack: &Stack) -> Vec<String> {
    let keys: Vec<(&str, Option<&str>)> = stack
        .resources
        .iter()
        .filter_map(|(id, resource)| {
            let key = match resource {
                Resource::Bucket(bucket) => bucket
                    .bucket_encryption
                    .rules
                    .iter()
                    .find_map(|rule| rule.server_side_encryption_by_default.key.as_deref()),
                Resource::Queue(queue) => queue.kms_master_key_id.as_deref(),
                Resource::Table(table) => table.encryption.key.as_deref(),
                Resource::LogGroup(logs) => logs.kms_key_id.as_deref(),
                _ => return None,
            };
            Some((id.as_str(), key))
        })
        .collect();
    let distinct: BTreeSet<_> = keys.iter().filter_map(|(_, key)| *key).collect();
    if distinct.len() > 1 {
        return vec![format!("there are several keys: {distinct:?}")];
    }
    let Some(key) = distinct.first() else {
        return Vec::new();
    };
    let mut found: Vec<_> = keys
        .iter()
        .filter(|(_, own)| own.is_none())
        .map(|(id, _)| format!("{id} is not encrypted by {key}"))
        .collect();
    for (id, bucket) in stack.buckets() {
        for rule in &bucket.bucket_encryption.rules {
            let algorithm = &rule.server_side_encryption_by_default.algorithm;
            found.extend(expect(
                &format!("{id} algorithm"),
                algorithm.as_str(),
                "aws:kms",
            ));
        }
    }
    for (id, function) in stack.functions() {
        let role = stack.role_of(function);
        let statements = || role.into_iter().flat_map(Role::statements);
        let of_key = statements()
            .find(|s| s.action.iter().any(|a| a == "kms:GenerateDataKey") && s.resource == [*key]);
        let Some(of_key) = of_key else {
            found.push(format!("{id} may not use the key {key}"));
            continue;
        };
        let uses_table = |s: &Statement| s.action.iter().any(|a| a.starts_with("dynamodb:"));
        if statements().any(uses_table) && !by(of_key, "dynamodb") {
            found.push(format!("{id} may not use the key for its table"));
        }
    }
    found
}

/// Messages, plans and tables that the key of before encrypted can be read, and nothing is encrypted by it.
pub(super) fn former_key(stack: &Stack) -> Vec<String> {
    let mut readers = Vec::new();
    let mut found = Vec::new();
    for (id, function) in stack.functions() {
        let role = stack.role_of(function);
        let of_former = |s: &&Statement| s.sid == "ReadFormer";
        let statements = role.into_iter().flat_map(Role::statements);
        for statement in statements.filter(of_former) {
            readers.push(id);
            let actions = statement.action.join(" ");
            found.extend(expect(
                &format!("{id} with the former key"),
                actions.as_str(),
                "kms:Decrypt",
            ));
            let services: &[&str] = match id {
                "Reseed" => &["sqs", "s3", "dynamodb"],
                _ if function.environment.variables.contains_key("LIVE_TABLE") => {
                    &["sqs", "dynamodb"]
                }
                _ => &["sqs"],
            };
            for service in services.iter().filter(|service| !by(statement, service)) {
                found.push(format!("{id} may not use the former key by {service}"));
            }
        }
    }
    if !readers.is_empty() && readers.len() != stack.functions().count() {
        found.push(format!("only {readers:?} may use the former key"));
    }
    found
}

/// Whether a statement lets a key be used by that service.
fn by(statement: &Statement, service: &str) -> bool {
    let mut conditions = statement.condition.values();
    let named = format!("{service}.");
    conditions.any(|c| {
        c.get("kms:ViaService")
            .is_some_and(|via| show(via).contains(&named))
    })
}
