//! Each thing broken by itself is found, and nothing else is.

mod beside;
mod functions;
mod queues;

use std::collections::BTreeMap;

use bridge_aws::request_error::RequestError;
use bridge_core::failure::FailureKind;
use bridge_core::timestamp::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::doctor::facts::{Configuration, Function, Mapping, Rule, Schedule};
use crate::doctor::finding::Level;
use crate::doctor::metrics::Metrics;
use crate::function::Unanswered;
use crate::stack::Stack;

fn named<const N: usize>(pairs: [(&str, &str); N]) -> Attributes {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn function(name: &str, timeout: u64, health: Value, variables: Attributes) -> Function {
    Function {
        name: name.to_owned(),
        configuration: Ok(Configuration {
            timeout,
            architecture: "arm64".to_owned(),
            state: "Active".to_owned(),
            last_update: "Successful".to_owned(),
            variables,
        }),
        health: Ok(health),
    }
}

fn reseed_health() -> Value {
    json!({
        "status": "ok", "hold": "none",
        "bucket": { "status": "ok", "versioning": "ok", "notifications": "ok" },
        "queue": { "status": "ok", "send": "ok" },
        "table": { "status": "ok", "read": "ok", "write": "ok" },
        "continuation": { "status": "ok" }, "events": { "status": "ok" }, "failureQueue": { "send": "ok" }, "plans": { "status": "ok" },
    })
}

fn outputs() -> Attributes {
    named([
        ("QueueUrl", "https://sqs.x/1/s-events.fifo"),
        ("DeadLetterQueueUrl", "https://sqs.x/1/dead.fifo"),
        ("BufferQueueUrl", "https://sqs.x/1/s-buffer"),
        ("OnFailureQueueUrl", "https://sqs.x/1/s-on-failure"),
        ("OnFailureQueueArn", "arn:on-failure"),
        ("BucketName", "b"),
        ("CheckpointTableName", "t"),
        ("PlanBucketName", "p"),
        ("RealtimeFunctionArn", "arn:realtime"),
        ("ReseedFunctionArn", "arn:reseed"),
        ("RealtimeRoleArn", "arn:aws:iam::1:role/s-realtime"),
        ("ReseedRoleArn", "arn:aws:iam::1:role/s-reseed"),
    ])
}

/// A buffered stack that is well.
fn well() -> Facts {
    let stack = Stack {
        name: "s".to_owned(),
        status: "UPDATE_COMPLETE".to_owned(),
        outputs: outputs(),
        parameters: named([
            ("Ingestion", "buffered"),
            ("Order", ""),
            ("LiveOrder", "notified"),
            ("MaxReceives", "5"),
            ("QueueVisibility", "60"),
            ("Architecture", "arm64"),
            ("ExistingBucket", ""),
        ]),
        deployed_at: Some(Timestamp(0)),
    };
    let policy = json!({ "Statement": [
        { "Effect": "Allow", "Principal": { "Service": ["s3.amazonaws.com", "events.amazonaws.com"] } },
    ]});
    let redrive =
        |target: &str| json!({ "deadLetterTargetArn": target, "maxReceiveCount": 5 }).to_string();
    Facts {
        now: Timestamp(7_200_000),
        queue: Ok(named([
            ("FifoQueue", "true"),
            ("DeduplicationScope", "messageGroup"),
            ("FifoThroughputLimit", "perMessageGroupId"),
            ("MessageRetentionPeriod", "1209600"),
            ("VisibilityTimeout", "60"),
            ("RedrivePolicy", &redrive("arn:dead")),
        ])),
        dead_letters: Some(Ok(named([
            ("QueueArn", "arn:dead"),
            ("ApproximateNumberOfMessages", "0"),
        ]))),
        buffer: Ok(named([
            ("QueueArn", "arn:buffer"),
            ("VisibilityTimeout", "370"),
            ("ApproximateNumberOfMessages", "0"),
            ("MessageRetentionPeriod", "1036800"),
            ("RedrivePolicy", &redrive("arn:on-failure")),
            ("Policy", &policy.to_string()),
        ])),
        on_failure: Ok(named([
            ("MessageRetentionPeriod", "1209600"),
            ("ApproximateNumberOfMessages", "0"),
        ])),
        realtime: function(
            "s-realtime",
            60,
            json!({ "status": "ok" }),
            named([
                ("QUEUE_URL", "https://sqs.x/1/s-events.fifo"),
                ("LIVE_ORDER", "notified"),
            ]),
        ),
        reseed: function(
            "s-reseed",
            900,
            reseed_health(),
            named([
                ("QUEUE_URL", "https://sqs.x/1/s-events.fifo"),
                ("BUCKET_NAME", "b"),
                ("CHECKPOINT_TABLE", "t"),
                ("PLAN_BUCKET", "p"),
                ("FAILURE_QUEUE_URL", "https://sqs.x/1/s-on-failure"),
                ("REALTIME_TIMEOUT", "60"),
            ]),
        ),
        has_written: true,
        destination: Ok("arn:on-failure".to_owned()),
        mappings: Ok(vec![Mapping {
            id: "m".to_owned(),
            source: "arn:buffer".to_owned(),
            state: "Enabled".to_owned(),
            window: 1,
            reports_failures: true,
        }]),
        streams: Ok(vec![Mapping {
            id: "n".to_owned(),
            source: "arn:aws:dynamodb:x:1:table/t/stream/1".to_owned(),
            state: "Enabled".to_owned(),
            ..Mapping::default()
        }]),
        invokers: Ok(policy.to_string()),
        rule: None,
        schedule: Ok(Schedule {
            state: "ENABLED".to_owned(),
            expression: "rate(1 minute)".to_owned(),
            target: "arn:reseed".to_owned(),
            input: json!({ "action": "sweep" }).to_string(),
        }),
        replay: None,
        keys: BTreeMap::new(),
        metrics: Ok(Metrics::with(&[
            ("Invocations", "Sum", true, 60.0),
            ("LagMs", "p50", false, 80.0),
            ("LagMs", "p99", false, 190.0),
        ])),
        stack,
    }
}

/// A stack that is well, of a bucket that was there.
fn of_others() -> Facts {
    let mut facts = well();
    facts
        .stack
        .parameters
        .insert("ExistingBucket".to_owned(), "b".to_owned());
    facts.rule = Some(Ok(Rule {
        name: "s-changes".to_owned(),
        state: "ENABLED".to_owned(),
        pattern: json!({ "detail": { "bucket": { "name": ["b"] } } }).to_string(),
        targets: vec!["arn:buffer".to_owned()],
    }));
    facts
}

/// Checks that are not well, and how bad they are.
fn found(facts: &Facts) -> Vec<(&'static str, Level)> {
    let findings = all(facts).into_iter();
    let bad = findings.filter(|found| found.level != Level::Ok);
    bad.map(|found| {
        assert!(
            !found.advice.is_empty() || ["versioning", "notifications"].contains(&found.check),
            "{found:?}"
        );
        (found.check, found.level)
    })
    .collect()
}

#[test]
fn nothing_is_wrong_with_a_stack_that_is_well() {
    assert_eq!(found(&well()), []);
    assert_eq!(found(&of_others()), []);
    let mut direct = well();
    direct
        .stack
        .parameters
        .insert("Ingestion".to_owned(), "direct".to_owned());
    direct.mappings = Ok(Vec::new());
    assert_eq!(found(&direct), []);
}

fn set(attributes: &mut Answer, name: &str, value: &str) {
    let attributes = attributes.as_mut().unwrap();
    attributes.insert(name.to_owned(), value.to_owned());
}

type Answer = crate::doctor::facts::Answer<Attributes>;

fn failed(kind: &str, message: &str) -> Result<Value, Unanswered> {
    Err(Unanswered::Failed {
        kind: kind.to_owned(),
        message: message.to_owned(),
    })
}

fn none(is_refused: bool) -> NoAnswer {
    NoAnswer {
        is_refused,
        reason: "why".to_owned(),
    }
}

fn parameter(facts: &mut Facts, name: &str, value: &str) {
    facts
        .stack
        .parameters
        .insert(name.to_owned(), value.to_owned());
}

/// This is found after this change of a stack that is well, and nothing else is.
#[track_caller]
fn finds(check: &str, level: Level, change: impl Fn(&mut Facts)) {
    let mut facts = well();
    change(&mut facts);
    let found = found(&facts);
    assert!(
        found.contains(&(check, level)),
        "{check} {level:?}: {found:?}"
    );
    // What depends on it may not be known; nothing else is wrong.
    let others = found.iter().filter(|(other, _)| *other != check);
    let others: Vec<_> = others
        .filter(|(_, level)| *level > Level::Unchecked)
        .collect();
    assert!(others.is_empty(), "{check} {level:?}: {others:?}");
}

#[test]
fn the_rest_of_a_stack_is_looked_at() {
    use Level::{Unchecked, Warning, Wrong};
    type Change = fn(&mut Facts);
    let changes: [(&str, Level, Change); 14] = [
        ("stack", Warning, |f| {
            f.stack.status = "UPDATE_ROLLBACK_COMPLETE".into();
        }),
        ("stack", Wrong, |f| {
            f.stack.status = "ROLLBACK_FAILED".into();
        }),
        ("realtime", Wrong, |f| {
            of(&mut f.realtime).architecture = "x86_64".into();
        }),
        ("reseed", Wrong, |f| {
            of(&mut f.reseed).last_update = "Failed".into();
        }),
        ("variables", Wrong, |f| {
            let variables = &mut of(&mut f.reseed).variables;
            variables.insert("PLAN_BUCKET".to_owned(), "another".to_owned());
        }),
        ("variables", Wrong, |f| of(&mut f.realtime).timeout = 61),
        ("destination", Wrong, |f| f.destination = Ok(String::new())),
        ("destination", Unchecked, |f| {
            f.destination = Err(none(true));
        }),
        ("buffer-mapping", Wrong, |f| f.mappings = Ok(Vec::new())),
        ("buffer-mapping", Wrong, |f| {
            f.mappings.as_mut().unwrap()[0].state = "Disabled".into();
        }),
        ("buffer-mapping", Wrong, |f| {
            f.mappings.as_mut().unwrap()[0].reports_failures = false;
        }),
        ("events-mapping", Warning, |f| {
            f.streams.as_mut().unwrap()[0].state = "Disabled".into();
        }),
        ("metrics", Unchecked, |f| f.metrics = Err(none(true))),
        ("failures", Warning, |f| {
            let sweeps = ("Invocations", "Sum", true, 60.0);
            let failed = ("EventsFailed", "Sum", false, 3.0);
            f.metrics = Ok(Metrics::with(&[sweeps, failed]));
        }),
    ];
    for (check, level, change) in changes {
        finds(check, level, change);
    }
}

fn of(function: &mut Function) -> &mut Configuration {
    function.configuration.as_mut().unwrap()
}

#[test]
fn a_mapping_may_be_disabled_while_a_job_holds_live_changes_back() {
    let mut facts = well();
    facts.mappings.as_mut().unwrap()[0].state = "Disabled".to_owned();
    facts.reseed.health.as_mut().unwrap()["hold"] = json!({ "owner": "j" });
    assert_eq!(found(&facts), []);
    // Then nobody will enable it.
    facts.reseed.health.as_mut().unwrap()["hold"]["jobIsGone"] = json!(true);
    assert_eq!(found(&facts), [("hold", Level::Wrong)]);
}

#[test]
fn the_rule_of_an_existing_bucket_must_be_on_and_point_here() {
    let breaks: [fn(&mut Rule); 3] = [
        |rule| rule.state = "DISABLED".to_owned(),
        |rule| rule.pattern = rule.pattern.replace("\"b\"", "\"bb\""),
        |rule| rule.targets = vec!["arn:other".to_owned()],
    ];
    for make in breaks {
        let mut facts = of_others();
        make(facts.rule.as_mut().unwrap().as_mut().unwrap());
        assert_eq!(found(&facts), [("rule", Level::Wrong)]);
    }
    let mut facts = of_others();
    facts.rule = Some(Err(none(false)));
    assert_eq!(found(&facts), [("rule", Level::Wrong)]);
}

#[test]
fn no_data_is_said_and_is_nothing_wrong() {
    let mut facts = well();
    facts.metrics = Ok(Metrics::default());
    assert_eq!(found(&facts), [("sweep", Level::Warning)]);
    facts.now = Timestamp(60_000);
    assert_eq!(found(&facts), [], "it was just deployed");
}
