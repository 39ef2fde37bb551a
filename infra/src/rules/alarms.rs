//! Alarms. They tell a topic, and only a stack that names one has (and pays for) them.

use super::{expect, target};
use crate::resources::Resource;
use crate::stack::Stack;

pub(super) fn alarms(stack: &Stack) -> Vec<String> {
    let alarms = stack.all(|resource| match resource {
        Resource::Alarm(alarm) => Some(alarm),
        _ => None,
    });
    let alarms: Vec<_> = alarms.collect();
    if alarms.is_empty() {
        return Vec::new();
    }
    let visible = "ApproximateNumberOfMessagesVisible";
    let mut needed = vec![
        (visible, "OnFailureQueue"),
        // Also of what waits there since a choice changed.
        ("ApproximateAgeOfOldestMessage", "BufferQueue"),
        ("StalledSeconds", "Reseed"),
        ("JobsFailed", "Reseed"),
        ("Errors", "Realtime"),
        ("Errors", "Reseed"),
        ("Throttles", "Realtime"),
        ("Throttles", "Reseed"),
        // What is lost in silence.
        ("DestinationDeliveryFailures", "Realtime"),
        ("EventsFailed", "Realtime"),
        ("AsyncEventsDropped", "Reseed"),
        ("Invocations", "Reseed"),
    ];
    if stack.queue("DeadLetterQueue").is_some() {
        needed.push((visible, "DeadLetterQueue"));
        needed.push(("ApproximateAgeOfOldestMessage", "Queue"));
    }
    let has = |id| stack.resources.contains_key(id);
    if has("ChangesRule") {
        needed.push(("InvocationsFailedToBeSentToDlq", "ChangesRule"));
    }
    if has("BufferMapping") && has("LiveTable") {
        needed.push(("HoldUnattended", "Reseed"));
    }
    if stack.resources.contains_key("RealtimeHistoryPolicy") {
        needed.push(("KeysStopped", "Realtime"));
    }
    let watched = |metric: &str, id: &str| {
        alarms.iter().any(|(_, alarm)| {
            alarm.metric_name == metric
                && alarm
                    .dimensions
                    .iter()
                    .any(|d| target(&d.value) == Some(id))
        })
    };
    let mut found: Vec<_> = needed
        .into_iter()
        .filter(|(metric, id)| !watched(metric, id))
        .map(|(metric, id)| format!("{metric} of {id} has no alarm"))
        .collect();
    for (id, alarm) in alarms {
        let missing = alarm.treat_missing_data.as_str();
        // A schedule that does not come shows by no data.
        let expected = if alarm.metric_name == "Invocations" {
            "breaching"
        } else {
            "notBreaching"
        };
        found.extend(expect(&format!("{id} without data"), missing, expected));
        if !alarm.alarm_actions.iter().any(|to| to.starts_with("arn:")) {
            found.push(format!("{id} tells nobody"));
        }
    }
    found
}
