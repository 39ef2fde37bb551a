//! History, then live: what reseed needs to hold live changes back, and to let them go on.

use super::expect;
use crate::resources::{Resource, Role};
use crate::stack::Stack;
use crate::template::show;

const MAPPING: &str = "BufferMapping";

/// The variables and permissions come together with a live table, those of the buffer with both; and what
/// reseed believes of realtime is so.
pub(super) fn hold(stack: &Stack) -> Vec<String> {
    let (Some(reseed), Some(realtime)) = (stack.function("Reseed"), stack.function("Realtime"))
    else {
        return vec!["there is no Reseed or no Realtime".to_owned()];
    };
    let has_table = stack.resources.contains_key("LiveTable");
    let can_hold = has_table && stack.resources.contains_key(MAPPING);
    let of = |is_there: bool, name: &str| {
        if is_there {
            name.to_owned()
        } else {
            String::new()
        }
    };
    let window = match stack.resources.get(MAPPING) {
        Some(Resource::Mapping(mapping)) => mapping.maximum_batching_window_in_seconds.clone(),
        _ => None,
    };
    let mut found = Vec::new();
    let variables = &reseed.environment.variables;
    for (name, expected) in [
        ("LIVE_TABLE", of(has_table, "${LiveTable}")),
        ("BUFFER_URL", of(can_hold, "${BufferQueue}")),
        ("BUFFER_MAPPING", of(can_hold, "${BufferMapping}")),
        ("REALTIME_TIMEOUT", realtime.timeout.to_string()),
        ("BATCH_WINDOW", window.unwrap_or_default()),
    ] {
        let value = variables.get(name).map_or("", String::as_str);
        if name != "BATCH_WINDOW" || can_hold {
            found.extend(expect(&format!("Reseed {name}"), value, expected.as_str()));
        }
    }
    let role = stack.role_of(reseed);
    let mut may = Vec::new();
    for statement in role.into_iter().flat_map(Role::statements) {
        if !["Hold", "SwitchBuffer", "WatchBuffer"].contains(&statement.sid.as_str()) {
            continue;
        }
        let keys = statement.condition.values().flatten();
        let keys: Vec<_> = keys
            .map(|(key, of)| format!(" if {key} is {}", show(of)))
            .collect();
        let keys = keys.concat();
        for action in &statement.action {
            let on = statement.resource.join(" ");
            may.push(format!("{action} on {on}{keys}"));
        }
    }
    let mut needs = Vec::new();
    if has_table {
        needs.extend(["GetItem", "UpdateItem"].map(|action| {
            format!("dynamodb:{action} on ${{LiveTable.Arn}} if dynamodb:LeadingKeys is [stream]")
        }));
    }
    if can_hold {
        needs.extend([
            "lambda:UpdateEventSourceMapping on arn:${AWS::Partition}:lambda:${AWS::Region}:\
             ${AWS::AccountId}:event-source-mapping:${BufferMapping}"
                .to_owned(),
            "sqs:GetQueueAttributes on ${BufferQueue.Arn}".to_owned(),
        ]);
    }
    if may != needs {
        found.push(format!("Reseed may {may:?}, needs {needs:?}"));
    }
    found
}
