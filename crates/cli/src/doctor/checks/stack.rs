//! The deployment itself.

use crate::doctor::facts::Facts;
use crate::doctor::finding::Finding;

const CHECK: &str = "stack";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let status = &facts.stack.status;
    let events = format!(
        "look at `aws cloudformation describe-stack-events --stack-name {}`, then deploy again",
        facts.stack.name
    );
    vec![match status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => {
            Finding::ok(CHECK, status.clone())
        }
        _ if status.contains("ROLLBACK_COMPLETE") => Finding::warning(
            CHECK,
            format!("{status}: the last deployment failed, and the one before it stands"),
            events,
        ),
        _ if status.ends_with("IN_PROGRESS") => Finding::warning(
            CHECK,
            format!("{status}: it is being deployed, and what follows may change"),
            "ask again once it is done",
        ),
        _ => Finding::wrong(CHECK, status.clone(), events),
    }]
}
