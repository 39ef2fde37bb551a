//! From facts to findings. No I/O.
//!
//! - [`stack`]: the deployment itself; [`functions`]: both functions, their setup and what they may do
//! - [`source`]: the way of a change from the bucket to realtime; [`buffer`]: where it may wait
//! - [`queue`]: where events go, and what becomes of those that nobody takes; [`replay`]: the second one
//! - [`keys`]: of what is encrypted, by their policies; [`schedule`]: what continues jobs
//! - [`hour`]: the last hour's metrics
//! - [`served`]: what `serve` needs

mod buffer;
mod functions;
mod hour;
mod keys;
mod policy;
mod queue;
mod replay;
mod schedule;
pub(super) mod served;
mod source;
mod stack;
#[cfg(test)]
mod tests;

use bridge_core::watched::NoAnswer;

use crate::doctor::facts::{Attributes, Facts};
use crate::doctor::finding::Finding;

/// All of a stack.
pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    let mut findings = stack::check(facts);
    findings.extend(functions::check(facts));
    findings.extend(source::check(facts));
    findings.extend(buffer::check(facts));
    findings.extend(queue::check(facts));
    findings.extend(replay::check(facts));
    findings.extend(keys::check(facts));
    findings.push(schedule::check(facts));
    findings.extend(hour::check(facts));
    findings
}

/// What was not answered: a caller that may not ask says nothing of the stack.
fn unanswered(check: &'static str, none: &NoAnswer, action: &str, advice: &str) -> Finding {
    if none.is_refused {
        let advice = format!("allow yourself {action} (docs/policies/operator.json)");
        Finding::unchecked(check, none.reason.clone(), advice)
    } else {
        Finding::wrong(check, none.reason.clone(), advice)
    }
}

/// An attribute of a queue that is a number; `None` where the queue does not tell it: that is no 0.
fn number(attributes: &Attributes, name: &str) -> Option<u64> {
    attributes.get(name)?.parse().ok()
}

/// What is said of a queue that does not tell an attribute which SQS always tells.
fn not_told(check: &'static str, name: &str) -> Finding {
    let found = format!("the queue does not tell its {name}");
    Finding::unchecked(check, found, "ask who runs it: SQS tells each")
}

/// An attribute of a queue; empty where there is none.
fn text<'a>(attributes: &'a Attributes, name: &str) -> &'a str {
    attributes.get(name).map_or("", String::as_str)
}

/// Where a queue's redrive policy sends what was received too often, an ARN, and after how many receives.
pub(super) fn redrive(attributes: &Attributes) -> Option<(String, u64)> {
    let policy: serde_json::Value = serde_json::from_str(text(attributes, "RedrivePolicy")).ok()?;
    let most = &policy["maxReceiveCount"];
    // SQS writes the number it was given, some write a text.
    let most = most.as_u64().or_else(|| most.as_str()?.parse().ok());
    Some((policy["deadLetterTargetArn"].as_str()?.to_owned(), most?))
}

/// The command that sets a queue's attribute.
fn set_attribute(url: &str, attributes: &serde_json::Value) -> String {
    format!("aws sqs set-queue-attributes --queue-url {url} --attributes '{attributes}'")
}
