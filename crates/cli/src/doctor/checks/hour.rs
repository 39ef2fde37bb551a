//! The last hour's metrics.

use std::time::Duration;

use crate::doctor::checks::unanswered;
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Level};
use crate::doctor::metrics::Metrics;
use crate::numbers::count;

/// A stack that was deployed so lately may have no data yet.
const NEW: Duration = Duration::from_mins(15);

/// The least that the schedule makes of an hour's sixty invocations where it works.
const SWEEPS: f64 = 30.0;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let metrics = match &facts.metrics {
        Ok(metrics) => metrics,
        // It says nothing of the stack.
        Err(none) => {
            let advice = "look at the metrics in CloudWatch's console";
            let mut finding = unanswered("metrics", none, "cloudwatch:GetMetricData", advice);
            finding.level = Level::Unchecked;
            return vec![finding];
        }
    };
    let mut findings = vec![sweep(facts, metrics)];
    findings.push(lag(metrics));
    findings.push(troubles(facts, metrics));
    findings
}

/// The schedule invokes reseed each minute.
fn sweep(facts: &Facts, metrics: &Metrics) -> Finding {
    const CHECK: &str = "sweep";
    let is_new = facts
        .stack
        .deployed_at
        .is_some_and(|at| facts.now.since(at) < NEW);
    let name = facts.stack.sweep();
    let advice = format!(
        "is the schedule there and enabled? aws scheduler get-schedule --name {name}; without it nothing continues \
         a job whose segment died"
    );
    match metrics.reseed("Invocations") {
        Some(invocations) if invocations >= SWEEPS || is_new => Finding::ok(
            CHECK,
            format!("reseed was invoked {} in the last hour", times(invocations)),
        ),
        Some(invocations) => Finding::warning(
            CHECK,
            format!(
                "reseed was invoked {} in the last hour: its schedule does so 60 times",
                times(invocations)
            ),
            advice,
        ),
        None if is_new => Finding::ok(CHECK, "no data yet: the stack was just deployed"),
        None => Finding::warning(
            CHECK,
            "no data: CloudWatch knows of no invocation of reseed in the last hour, and its schedule does so 60 times",
            advice,
        ),
    }
}

fn lag(metrics: &Metrics) -> Finding {
    const CHECK: &str = "lag";
    let percentile = |statistic| metrics.realtime("LagMs", statistic);
    let Some((median, high)) = percentile("p50").zip(percentile("p99")) else {
        let found = "no data: no change was forwarded in the last hour, or CloudWatch does not know of it yet";
        return Finding::ok(CHECK, found);
    };
    let forwarded = metrics.realtime("EventsForwarded", "Sum").unwrap_or(0.0);
    let found = format!(
        "{} in the last hour, from the change to SQS in {median:.0} ms (half of them) and {high:.0} ms (99 of a hundred)",
        count(whole(forwarded), "event"),
    );
    if high > 60_000.0 {
        let advice =
            "is realtime throttled, held back, or its queue slow? See its metrics, log and alarms";
        return Finding::warning(CHECK, found, advice);
    }
    Finding::ok(CHECK, found)
}

/// Counts that should be none.
fn troubles(facts: &Facts, metrics: &Metrics) -> Finding {
    const CHECK: &str = "failures";
    let realtime = |name| (metrics.realtime(name, "Sum"), format!("{name} of realtime"));
    let reseed = |name| (metrics.reseed(name), format!("{name} of reseed"));
    let counts = [
        realtime("EventsFailed"),
        realtime("RecordsUnreadable"),
        realtime("RecordsRefused"),
        realtime("KeysStopped"),
        realtime("Errors"),
        realtime("Throttles"),
        realtime("DestinationDeliveryFailures"),
        reseed("JobsFailed"),
        reseed("EventsParked"),
        reseed("Errors"),
        reseed("Throttles"),
    ];
    let found = counts.iter().filter_map(|(number, name)| {
        let number = number.filter(|number| *number > 0.0)?;
        Some(format!("{name}: {}", whole(number)))
    });
    let found: Vec<_> = found.collect();
    if !found.is_empty() {
        let advice = format!(
            "docs/OPERATIONS.md says what each means; the reasons are in the logs: sam logs --stack-name {}",
            facts.stack.name
        );
        let found = format!("in the last hour {}", found.join(", "));
        return Finding::warning(CHECK, found, advice);
    }
    let found = if metrics.is_empty() {
        "no data"
    } else {
        "none in the last hour"
    };
    Finding::ok(CHECK, found)
}

fn times(number: f64) -> String {
    count(whole(number), "time")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are neither negative nor that large"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}
