//! The live table, in which realtime claims a key and keeps what it sent last of it.

use super::expect;
use crate::resources::{AttributeDefinition, Resource, Role, Table};
use crate::stack::Stack;

const TABLE: &str = "LiveTable";

/// What lets realtime read the bucket's history.
const HISTORY: &str = "RealtimeHistoryPolicy";

/// A table, its name, and leave to read (what holds for all keys) and update its items (a claim and its return
/// are one update each) come together with an order that needs them, and not without.
pub(super) fn order(stack: &Stack) -> Vec<String> {
    let Some(realtime) = stack.function("Realtime") else {
        return vec!["there is no Realtime".to_owned()];
    };
    let variables = &realtime.environment.variables;
    let variable = |name| variables.get(name).map_or("", String::as_str);
    let (name, allowed) = match variable("LIVE_ORDER") {
        "notified" => ("", vec![]),
        "newest" | "exact" => (
            "${LiveTable}",
            vec![
                format!("dynamodb:GetItem on ${{{TABLE}.Arn}}"),
                format!("dynamodb:UpdateItem on ${{{TABLE}.Arn}}"),
            ],
        ),
        other => return vec![format!("Realtime LIVE_ORDER is {other:?}")],
    };
    let is_exact = variable("LIVE_ORDER") == "exact";
    let mut found = history(stack, variable("BUCKET_NAME"), is_exact);
    found.extend(expect("Realtime LIVE_TABLE", variable("LIVE_TABLE"), name));
    let role = stack.role_of(realtime);
    let mut may = Vec::new();
    for statement in role.into_iter().flat_map(Role::statements) {
        let of_tables = |action: &&String| action.starts_with("dynamodb:");
        for action in statement.action.iter().filter(of_tables) {
            let resources = statement.resource.iter();
            may.extend(resources.map(|on| format!("{action} on {on}")));
        }
    }
    if may != allowed {
        found.push(format!("Realtime may {may:?}, needs {allowed:?}"));
    }
    match (table(stack), name.is_empty()) {
        (Some(table), false) => found.extend(keys(table)),
        (None, true) => {}
        (Some(_), true) => found.push(format!("{TABLE} is there and nobody uses it")),
        (None, false) => found.push(format!("{TABLE} is missing")),
    }
    found
}

/// What `exact` reads, and nothing else does.
fn history(stack: &Stack, existing: &str, is_exact: bool) -> Vec<String> {
    let Some(Resource::Policy(policy)) = stack.resources.get(HISTORY) else {
        let is_missing = is_exact.then(|| format!("{HISTORY} is missing"));
        return is_missing.into_iter().collect();
    };
    if !is_exact {
        return vec![format!("{HISTORY} is there and nobody uses it")];
    }
    let mut found = Vec::new();
    let roles = policy.roles.join(", ");
    found.extend(expect(
        &format!("{HISTORY} roles"),
        roles.as_str(),
        "${RealtimeRole}",
    ));
    let statements = policy.policy_document.statement.iter();
    let may = statements.flat_map(|statement| {
        let actions = statement.action.iter();
        actions.flat_map(|action| {
            statement
                .resource
                .iter()
                .map(move |on| format!("{action} on {on}"))
        })
    });
    let may = may.collect::<Vec<_>>();
    let bucket = match stack.resources.get("Bucket") {
        Some(Resource::Bucket(_)) => "${Bucket.Arn}".to_owned(),
        _ => format!("arn:${{AWS::Partition}}:s3:::{existing}"),
    };
    let needs = ["s3:ListBucketVersions", "s3:GetBucketVersioning"];
    let needs = needs.map(|action| format!("{action} on {bucket}"));
    if may != needs {
        found.push(format!("{HISTORY} allows {may:?}, needs {needs:?}"));
    }
    found
}

fn table(stack: &Stack) -> Option<&Table> {
    match stack.resources.get(TABLE) {
        Some(Resource::Table(table)) => Some(table),
        _ => None,
    }
}

/// The key that the code writes, and no index, which would be one more write a change.
fn keys(table: &Table) -> Vec<String> {
    let keys = table.key_schema.iter().map(|key| {
        let of = |a: &&AttributeDefinition| a.attribute_name == key.attribute_name;
        let defined = table.attribute_definitions.iter().find(of);
        let kind = defined.map_or("", |a| a.attribute_type.as_str());
        format!("{} {} {kind}", key.attribute_name, key.key_type)
    });
    let keys = keys.collect::<Vec<_>>().join(", ");
    let mut found = Vec::new();
    found.extend(expect(&format!("{TABLE} key"), keys.as_str(), "id HASH S"));
    let indexes = table.global_secondary_indexes.len();
    found.extend(expect(&format!("{TABLE} number of indexes"), indexes, 0));
    found
}
