//! What the metrics of the last hour say: which are asked for, and what comes of the answer. No I/O.

use std::collections::BTreeMap;

use bridge_core::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::stack::Stack;

/// The program's own metrics, and those of Lambda.
const OWN: &str = "S3SqsBridge";
const LAMBDA: &str = "AWS/Lambda";

/// An hour, s.
const HOUR: i64 = 3_600;

/// A metric that is asked for: namespace, name, statistic, seconds, and whether it is reseed's (else realtime's).
type Asked = (&'static str, &'static str, &'static str, i64, bool);

/// What is asked for; a metric's id is its place here. Counts are added up by the minute, so that no
/// more than the hour is in them.
const ASKED: [Asked; 15] = [
    (OWN, "EventsForwarded", "Sum", 60, false),
    (OWN, "EventsFailed", "Sum", 60, false),
    (OWN, "RecordsUnreadable", "Sum", 60, false),
    (OWN, "RecordsRefused", "Sum", 60, false),
    (OWN, "KeysStopped", "Sum", 60, false),
    (OWN, "LagMs", "p50", HOUR, false),
    (OWN, "LagMs", "p99", HOUR, false),
    (OWN, "JobsFailed", "Sum", 60, true),
    (OWN, "EventsParked", "Sum", 60, true),
    (LAMBDA, "Errors", "Sum", 60, false),
    (LAMBDA, "Throttles", "Sum", 60, false),
    (LAMBDA, "DestinationDeliveryFailures", "Sum", 60, false),
    (LAMBDA, "Errors", "Sum", 60, true),
    (LAMBDA, "Throttles", "Sum", 60, true),
    (LAMBDA, "Invocations", "Sum", 60, true),
];

/// Numbers of the last hour.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Metrics {
    found: BTreeMap<usize, f64>,
}

impl Metrics {
    /// What `GetMetricData` is asked for.
    pub(super) fn request(stack: &Stack, now: Timestamp) -> Value {
        let function = |is_reseed: bool| {
            let output = if is_reseed {
                "ReseedFunction"
            } else {
                "RealtimeFunction"
            };
            stack.outputs.get(output).cloned().unwrap_or_default()
        };
        let query = |(id, (namespace, name, statistic, period, is_reseed)): (usize, &Asked)| {
            json!({
                "Id": format!("m{id}"),
                "MetricStat": {
                    "Metric": {
                        "Namespace": namespace, "MetricName": name,
                        "Dimensions": [{ "Name": "FunctionName", "Value": function(*is_reseed) }],
                    },
                    "Period": period, "Stat": statistic,
                },
            })
        };
        let end = now.0 / 1_000;
        json!({
            "MetricDataQueries": ASKED.iter().enumerate().map(query).collect::<Vec<_>>(),
            "StartTime": end - HOUR,
            "EndTime": end,
        })
    }

    /// Reads the answer: sums are added up, of percentiles the largest counts.
    pub(super) fn read(answer: &Value) -> Self {
        let results = answer["MetricDataResults"].as_array();
        let read = |result: &Value| {
            let id: usize = result["Id"].as_str()?.strip_prefix('m')?.parse().ok()?;
            let (.., statistic, _, _) = ASKED.get(id)?;
            let values = result["Values"]
                .as_array()?
                .iter()
                .filter_map(Value::as_f64);
            let value = if *statistic == "Sum" {
                values.reduce(|one, other| one + other)
            } else {
                values.reduce(f64::max)
            };
            Some((id, value?))
        };
        Self {
            found: results.into_iter().flatten().filter_map(read).collect(),
        }
    }

    /// Whether there is nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// A number of realtime; nothing where there is no data.
    pub(super) fn realtime(&self, name: &str, statistic: &str) -> Option<f64> {
        self.of(name, statistic, false)
    }

    /// A number of reseed.
    pub(super) fn reseed(&self, name: &str) -> Option<f64> {
        self.of(name, "Sum", true)
    }

    fn of(&self, name: &str, statistic: &str, is_reseed: bool) -> Option<f64> {
        let is_it = |asked: &Asked| (asked.1, asked.2, asked.4) == (name, statistic, is_reseed);
        let id = ASKED.iter().position(is_it)?;
        self.found.get(&id).copied()
    }

    /// For tests: with these numbers.
    #[cfg(test)]
    pub(super) fn with(numbers: &[(&str, &str, bool, f64)]) -> Self {
        let results = numbers.iter().map(|(name, statistic, is_reseed, value)| {
            let is_it =
                |asked: &Asked| (asked.1, asked.2, asked.4) == (*name, *statistic, *is_reseed);
            let id = ASKED.iter().position(is_it).unwrap();
            json!({ "Id": format!("m{id}"), "Values": [value] })
        });
        Self::read(&json!({ "MetricDataResults": results.collect::<Vec<_>>() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_found_again() {
        let stack = Stack {
            outputs: [("ReseedFunction", "r"), ("RealtimeFunction", "l")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Stack::default()
        };
        let request = Metrics::request(&stack, Timestamp(10_000_000));
        assert_eq!(
            (&request["StartTime"], &request["EndTime"]),
            (&json!(6_400), &json!(10_000))
        );
        let last = &request["MetricDataQueries"][14];
        assert_eq!(last["Id"], "m14");
        assert_eq!(last["MetricStat"]["Metric"]["Dimensions"][0]["Value"], "r");
        let answer = json!({ "MetricDataResults": [
            { "Id": "m1", "Values": [1.0, 2.0] }, { "Id": "m6", "Values": [80.0, 90.0] },
            { "Id": "m7", "Values": [] }, { "Id": "other", "Values": [1.0] },
        ]});
        let metrics = Metrics::read(&answer);
        assert_eq!(metrics.realtime("EventsFailed", "Sum"), Some(3.0));
        assert_eq!(metrics.realtime("LagMs", "p99"), Some(90.0));
        assert_eq!(metrics.reseed("JobsFailed"), None);
        assert!(!metrics.is_empty());
    }
}
