//! Each thing broken by itself is found, and nothing else is.

use bridge_aws::request_error::RequestError;
use bridge_core::failure::FailureKind;
use bridge_core::timestamp::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::doctor::facts::{Configuration, Function, Mapping, Rule};
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

/// A buffered stack that is well.
fn well() -> Facts {
    let stack = Stack {
        name: "s".to_owned(),
        status: "UPDATE_COMPLETE".to_owned(),
        outputs: named([
            ("QueueUrl", "https://sqs.x/1/s-events.fifo"),
            ("DeadLetterQueueUrl", "https://sqs.x/1/dead.fifo"),
            ("BufferQueueUrl", "https://sqs.x/1/s-buffer"),
            ("OnFailureQueueUrl", "https://sqs.x/1/s-on-failure"),
            ("OnFailureQueueArn", "arn:on-failure"),
            ("BucketName", "b"),
            ("CheckpointTableName", "t"),
            ("PlanBucketName", "p"),
            ("RealtimeFunctionArn", "arn:realtime"),
        ]),
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
        dead_letters: Some(Ok(named([("QueueArn", "arn:dead")]))),
        buffer: Ok(named([
            ("QueueArn", "arn:buffer"),
            ("VisibilityTimeout", "370"),
            ("MessageRetentionPeriod", "1036800"),
            ("RedrivePolicy", &redrive("arn:on-failure")),
            ("Policy", &policy.to_string()),
        ])),
        on_failure: Ok(named([("MessageRetentionPeriod", "1209600")])),
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
fn what_reseed_tells_of_itself_is_found() {
    use Level::{Unchecked, Wrong};
    for (check, level, place, told) in [
        ("bucket", Wrong, "/bucket/status", "AccessDenied"),
        ("versioning", Wrong, "/bucket/versioning", "suspended"),
        ("notifications", Wrong, "/bucket/notifications", "nobody"),
        (
            "notifications",
            Unchecked,
            "/bucket/notifications",
            "not checked: AccessDenied",
        ),
        ("reseed-queue", Wrong, "/queue/status", "AccessDenied"),
        ("reseed-sends", Wrong, "/queue/send", "AccessDenied"),
        ("jobs-index", Wrong, "/table/status", "AccessDenied"),
        ("jobs-read", Wrong, "/table/read", "AccessDenied"),
        ("jobs-write", Wrong, "/table/write", "AccessDenied"),
        (
            "continuation",
            Wrong,
            "/continuation/status",
            "AccessDenied",
        ),
        ("events", Wrong, "/events/status", "AccessDenied"),
        ("parking", Wrong, "/failureQueue/send", "AccessDenied"),
        ("plans", Wrong, "/plans/status", "AccessDenied"),
    ] {
        finds(check, level, |facts| {
            let health = facts.reseed.health.as_mut().unwrap();
            *health.pointer_mut(place).unwrap() = json!(told);
        });
    }
    finds("plans", Unchecked, |facts| facts.has_written = false);
}

#[test]
fn each_queues_attributes_are_looked_at() {
    use Level::{Warning, Wrong};
    type Queue = fn(&mut Facts) -> &mut Answer;
    let (queue, buffer): (Queue, Queue) = (|f| &mut f.queue, |f| &mut f.buffer);
    let failures: Queue = |f| &mut f.on_failure;
    let dead: Queue = |f| f.dead_letters.as_mut().unwrap();
    for (check, level, of, name, value) in [
        ("entrance", Wrong, buffer, "Policy", "{}"),
        ("buffer-dead-letters", Wrong, buffer, "RedrivePolicy", ""),
        (
            "buffer-dead-letters",
            Warning,
            buffer,
            "MessageRetentionPeriod",
            "1209600",
        ),
        (
            "buffer-visibility",
            Wrong,
            buffer,
            "VisibilityTimeout",
            "60",
        ),
        (
            "buffer-visibility",
            Warning,
            buffer,
            "VisibilityTimeout",
            "360",
        ),
        (
            "queue-throughput",
            Warning,
            queue,
            "DeduplicationScope",
            "queue",
        ),
        ("queue-dead-letters", Wrong, queue, "RedrivePolicy", ""),
        (
            "queue-retention",
            Warning,
            queue,
            "MessageRetentionPeriod",
            "3600",
        ),
        (
            "queue-visibility",
            Warning,
            queue,
            "VisibilityTimeout",
            "30",
        ),
        (
            "on-failure",
            Warning,
            failures,
            "ApproximateNumberOfMessages",
            "2",
        ),
        (
            "dead-letters",
            Warning,
            dead,
            "ApproximateNumberOfMessages",
            "2",
        ),
    ] {
        finds(check, level, |facts| set(of(facts), name, value));
    }
}

#[test]
fn a_function_that_does_not_answer_says_what_to_do() {
    use Level::{Unchecked, Warning, Wrong};
    for (level, kind, message) in [
        (Wrong, "Runtime.InvalidEntrypoint", "exec format error"),
        (Wrong, "BadConfiguration", "ORDER: found \"x\""),
        (Wrong, "Unhealthy", "no queue"),
        (Wrong, "Sandbox.Timedout", "too long"),
        (Warning, "Held", "by a job"),
    ] {
        finds("realtime-health", level, |facts| {
            facts.realtime.health = failed(kind, message);
        });
    }
    for (level, code) in [
        (Unchecked, "AccessDeniedException"),
        (Wrong, "TooManyRequestsException"),
    ] {
        finds("realtime-health", level, |facts| {
            facts.realtime.health = Err(Unanswered::Request(RequestError {
                code: code.to_owned(),
                message: String::new(),
                kind: FailureKind::Permanent,
            }));
        });
    }
    finds("stopped-keys", Wrong, |facts| {
        facts.realtime.health = Ok(json!({ "status": "ok", "stoppedKeys": ["b/k"] }));
    });
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
fn the_kind_of_the_queue_must_fit_what_is_asked_of_it() {
    for (url, order, live, is_well) in [
        ("https://sqs.x/1/q.fifo", "key", "exact", true),
        ("https://sqs.x/1/q.fifo", "none", "notified", false),
        ("https://sqs.x/1/q.fifo", "bucket", "exact", false),
        ("https://sqs.x/1/q", "", "notified", true),
        ("https://sqs.x/1/q", "none", "notified", true),
        ("https://sqs.x/1/q", "key", "notified", false),
        ("https://sqs.x/1/q", "", "newest", false),
    ] {
        let mut facts = well();
        parameter(&mut facts, "Order", order);
        parameter(&mut facts, "LiveOrder", live);
        facts
            .stack
            .outputs
            .insert("QueueUrl".to_owned(), url.to_owned());
        let kind = if url.ends_with("fifo") { "true" } else { "" };
        set(&mut facts.queue, "FifoQueue", kind);
        let is_wrong = found(&facts).contains(&("queue", Level::Wrong));
        assert_eq!(is_wrong, !is_well, "{url} {order} {live}");
    }
}

#[test]
fn a_mapping_may_be_disabled_while_a_job_holds_live_changes_back() {
    let mut facts = well();
    facts.mappings.as_mut().unwrap()[0].state = "Disabled".to_owned();
    facts.reseed.health.as_mut().unwrap()["hold"] = json!({ "owner": "j" });
    assert_eq!(found(&facts), []);
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

#[test]
fn the_processor_is_what_an_unfit_program_is_told_of() {
    let mut facts = well();
    facts.realtime.health = failed("Runtime.InvalidEntrypoint", "fork/exec: exec format error");
    let findings = all(&facts);
    let found = findings
        .iter()
        .find(|found| found.check == "realtime-health");
    assert!(found.unwrap().advice.contains("cargo xtask architecture"));
}
