//! What happens to jobs is told to others: the job table's stream, who reads it, and what may be put.

use std::collections::BTreeMap;

use super::{expect, target};
use crate::resources::{Mapping, Resource, Statement};
use crate::stack::Stack;
use crate::template::show;

const MAPPING: &str = "JobEventsMapping";

/// Writes of a job that bear a transition: `crates/history/src/job/stored.rs`. A filter of what an attribute holds
/// needs its type.
/// Source: AWS Lambda Developer Guide, "Using event filtering with a `DynamoDB` event source".
const TRANSITIONS: &str = r#"{"dynamodb":{"NewImage":{"transition":{"S":[{"exists":true}]}}}}"#;

/// The stream keeps a record for a day.
/// Source: Amazon `DynamoDB` Developer Guide, "Change data capture for `DynamoDB` Streams".
const KEPT_SECONDS: i64 = 86_400;

/// Who names an event's source, in `crates/aws/src/event_bus.rs`.
const SOURCE: &str = "s3-sqs-bridge";

pub(super) fn jobs(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    let image = match stack.resources.get("CheckpointTable") {
        Some(Resource::Table(table)) => table.stream_specification.as_ref(),
        _ => None,
    };
    let image = image.map_or("none", |stream| stream.stream_view_type.as_str());
    found.extend(expect("CheckpointTable stream", image, "NEW_IMAGE"));
    match stack.resources.get(MAPPING) {
        Some(Resource::Mapping(mapping)) => found.extend(wired(mapping)),
        _ => found.push(format!("there is no {MAPPING}")),
    }
    let others = stack.all(|resource| match resource {
        Resource::Mapping(mapping) => Some(mapping),
        _ => None,
    });
    let others = others
        .filter(|(id, mapping)| *id != MAPPING && target(&mapping.function_name) == Some("Reseed"));
    found.extend(others.map(|(id, _)| format!("{id} invokes Reseed, too")));
    found.extend(allowed(stack));
    found
}

fn wired(mapping: &Mapping) -> Vec<String> {
    let patterns = mapping.filter_criteria.filters.iter();
    let patterns: Vec<_> = patterns.map(|filter| filter.pattern.as_str()).collect();
    let function = target(&mapping.function_name).unwrap_or_default();
    let texts = [
        (
            "source",
            mapping.event_source_arn.as_str(),
            "${CheckpointTable.StreamArn}",
        ),
        ("function", function, "Reseed"),
        // What is written while the mapping is made must not be missed.
        (
            "starting position",
            mapping.starting_position.as_str(),
            "TRIM_HORIZON",
        ),
        ("filter", &patterns.join(" or "), TRANSITIONS),
    ];
    let texts = texts.into_iter().filter_map(|(what, found, expected)| {
        expect(&format!("{MAPPING} {what}"), found, expected)
    });
    let mut found: Vec<_> = texts.collect();
    // One that fails must not have the others of its batch told again and again.
    let bisects = mapping.bisect_batch_on_function_error;
    found.extend(expect(&format!("{MAPPING} bisects"), bisects, true));
    let age = mapping.maximum_record_age_in_seconds.unwrap_or(-1);
    found.extend(expect(&format!("{MAPPING} record age"), age, KEPT_SECONDS));
    let attempts = mapping.maximum_retry_attempts.unwrap_or(-1);
    found.extend(expect(&format!("{MAPPING} attempts"), attempts, -1));
    found
}

/// Who may read the stream and put events, and on which bus in whose name.
fn allowed(stack: &Stack) -> Vec<String> {
    let mut may = BTreeMap::new();
    for (id, role) in stack.roles() {
        for statement in role.statements() {
            for action in statement
                .action
                .iter()
                .filter(|action| is_of_telling(action))
            {
                let text = format!("{}{}", statement.resource.join(" "), conditions(statement));
                may.insert(format!("{id} {action}"), text);
            }
        }
    }
    let stream = "${CheckpointTable.StreamArn}";
    let bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default";
    let needs = [
        ("dynamodb:DescribeStream", stream.to_owned()),
        ("dynamodb:GetRecords", stream.to_owned()),
        ("dynamodb:GetShardIterator", stream.to_owned()),
        (
            "dynamodb:ListStreams",
            "${CheckpointTable.Arn}/stream/*".to_owned(),
        ),
        (
            "events:PutEvents",
            format!("{bus} if ForAllValues:StringEquals events:source [{SOURCE}]"),
        ),
    ];
    let needs = needs.map(|(action, on)| (format!("ReseedRole {action}"), on));
    if may == BTreeMap::from(needs.clone()) {
        return Vec::new();
    }
    vec![format!("{may:?} is allowed, needed is {needs:?}")]
}

fn is_of_telling(action: &str) -> bool {
    action.starts_with("events:")
        || [
            "DescribeStream",
            "GetRecords",
            "GetShardIterator",
            "ListStreams",
        ]
        .iter()
        .any(|name| action == format!("dynamodb:{name}"))
}

fn conditions(statement: &Statement) -> String {
    let all = statement.condition.iter().flat_map(|(operator, keys)| {
        let keys = keys.iter();
        keys.map(move |(key, values)| format!(" if {operator} {key} {}", show(values)))
    });
    all.collect()
}
