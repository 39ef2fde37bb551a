//! The schedule by which jobs are continued whose segment died. What it did in the last hour, the metrics say.

use crate::doctor::checks::unanswered;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Finding;

const CHECK: &str = "schedule";

/// What the template asks for.
const RATE: &str = "rate(1 minute)";

pub(super) fn check(facts: &Facts) -> Finding {
    let name = facts.stack.sweep();
    let schedule = match &facts.schedule {
        Ok(schedule) => schedule,
        Err(none) => {
            let advice = format!(
                "deploy again: without the schedule {name} nothing continues a job whose segment died"
            );
            return unanswered(CHECK, none, "scheduler:GetSchedule", &advice);
        }
    };
    let (state, target) = (&schedule.state, &schedule.target);
    if state != "ENABLED" {
        let found = format!("{name} is {state}: nothing continues a job whose segment died");
        let advice = format!(
            "enable it: in the console, EventBridge, Schedules, {name}; or delete it there and deploy again with a changed \
             parameter"
        );
        return Finding::wrong(CHECK, found, advice);
    }
    let reseed = facts.stack.outputs.get("ReseedFunctionArn");
    if reseed.is_some_and(|reseed| reseed != target) || !schedule.input.contains("\"sweep\"") {
        let found = format!(
            "{name} invokes {target} with {:?}, not the reseed function with a sweep",
            schedule.input
        );
        return Finding::wrong(CHECK, found, "somebody changed it: deploy again");
    }
    let expression = &schedule.expression;
    if expression != RATE {
        let found =
            format!("{name} is {expression}, not {RATE}: so long a job waits whose segment died");
        return Finding::warning(CHECK, found, "somebody changed it: deploy again");
    }
    Finding::ok(CHECK, format!("{name} is enabled, {expression}"))
}
