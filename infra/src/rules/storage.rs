//! Buckets, the table, and the key that encrypts them.

use std::collections::BTreeSet;

use super::expect;
use crate::resources::{Index, Resource, Role};
use crate::stack::Stack;

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

pub(super) fn table(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    let tables = stack.all(|resource| match resource {
        Resource::Table(table) => Some(table),
        _ => None,
    });
    for (id, table) in tables {
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
        let recovery = table.point_in_time_recovery_specification.enabled;
        found.extend(expect(&format!("{id} recovery"), recovery, true));
        found.extend(expect(
            &format!("{id} encryption"),
            table.encryption.enabled,
            true,
        ));
        found.extend(index(stack, id, &table.global_secondary_indexes));
    }
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
        let mut statements = role.into_iter().flat_map(Role::statements);
        let may = statements
            .any(|s| s.action.iter().any(|a| a == "kms:GenerateDataKey") && s.resource == [*key]);
        if !may {
            found.push(format!("{id} may not use the key {key}"));
        }
    }
    found
}
