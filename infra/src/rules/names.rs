//! Names that the template gives.

use crate::resources::Resource;
use crate::stack::Stack;
use crate::template::show;

/// The longest name of a stack that docs/OPERATIONS.md promises to work.
const LONGEST: usize = 55;

const STACK: &str = "${AWS::StackName}";

/// Each name with the most characters that it may have.
/// Source: the API references of Lambda (`CreateFunction`), SQS (`CreateQueue`), `EventBridge` (`PutRule`),
/// `EventBridge` Scheduler (`CreateSchedule`), `CloudWatch` (`PutDashboard`) and its logs (`CreateLogGroup`).
fn names(stack: &Stack) -> Vec<(String, String, usize)> {
    let mut found = Vec::new();
    for (id, resource) in &stack.resources {
        let (name, most) = match resource {
            Resource::Function(function) => {
                for (event, schedule) in &function.events {
                    let name = schedule.properties.get("Name").map(show);
                    found.push((format!("{id} {event}"), name.unwrap_or_default(), 64));
                }
                (&function.function_name, 64)
            }
            Resource::Queue(queue) => (&queue.queue_name, 80),
            Resource::EventsRule(rule) => (&rule.name, 64),
            Resource::Dashboard(dashboard) => (&dashboard.dashboard_name, 255),
            Resource::LogGroup(logs) => (&logs.log_group_name, 512),
            _ => continue,
        };
        found.push((id.clone(), name.clone(), most));
    }
    found
}

/// Two stacks of an account do not meet, in one region or in two, and a long name of a stack fits.
pub(super) fn fit(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for (id, name, most) in names(stack) {
        if !name.contains(STACK) {
            found.push(format!("{id} is named {name}, must hold the stack's name"));
        }
        let region = "ap-southeast-99";
        let shown = name.replace(STACK, &"s".repeat(LONGEST));
        let length = shown.replace("${AWS::Region}", region).len();
        if length > most {
            found.push(format!(
                "{id} has a name of {length} characters in a stack of {LONGEST}, may have {most}"
            ));
        }
        let is_global = matches!(stack.resources.get(&id), Some(Resource::Dashboard(_)));
        if is_global && !name.contains("${AWS::Region}") {
            found.push(format!("{id} is the same in all regions"));
        }
    }
    found
}
