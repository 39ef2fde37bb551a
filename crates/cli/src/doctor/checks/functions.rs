//! Both functions: their setup, and what they say of themselves and of what they may do.

use bridge_core::queue::ordering::parse_order;
use serde_json::Value;

use crate::doctor::checks::unanswered;
use crate::doctor::facts::{Configuration, Facts, Function};
use crate::doctor::finding::Finding;
use crate::function::Unanswered;

/// What the functions' health cannot tell: an older one, or one that failed.
pub(super) const NOT_TOLD: &str =
    "the function does not tell: it failed, or is of a version before this program's";

/// What reseed's health tells: the check, where, what it means if it is well, and what to do if not.
const TOLD: [(&str, &str, &str, &str); 12] = [
    (
        "bucket",
        "/bucket/status",
        "reseed may list the bucket",
        "is the bucket there, and may the function's role s3:ListBucketVersions on it?",
    ),
    ("versioning", "/bucket/versioning", "versioning is on", ""),
    (
        "notifications",
        "/bucket/notifications",
        "the bucket tells this stack of its changes",
        "",
    ),
    (
        "reseed-queue",
        "/queue/status",
        "reseed may ask the queue for its attributes",
        "is the queue there, and may the function's role sqs:GetQueueAttributes on it? A queue of another account \
         must allow it too",
    ),
    (
        "reseed-sends",
        "/queue/send",
        "reseed may send to the queue",
        "let the function's role sqs:SendMessage on the queue (a queue of another account must allow it too), and for a \
         queue with a key kms:GenerateDataKey and kms:Decrypt on the key",
    ),
    (
        "jobs-index",
        "/table/status",
        "reseed may look for jobs",
        "is the table of jobs there, with its index, and may the function's role dynamodb:Query on it?",
    ),
    (
        "jobs-read",
        "/table/read",
        "reseed may read a job",
        "let the function's role dynamodb:GetItem on the table of jobs",
    ),
    (
        "jobs-write",
        "/table/write",
        "reseed may write a job",
        "let the function's role dynamodb:PutItem on the table of jobs",
    ),
    (
        "continuation",
        "/continuation/status",
        "reseed may invoke itself",
        "let the function's role lambda:InvokeFunction on itself: else each job waits a minute for each segment",
    ),
    (
        "events",
        "/events/status",
        "reseed may tell of jobs on the event bus",
        "let the function's role events:PutEvents on the default event bus: else nobody hears of what happens to jobs",
    ),
    (
        "parking",
        "/failureQueue/send",
        "reseed may park events in the OnFailure queue",
        "let the function's role sqs:SendMessage on the OnFailure queue",
    ),
    (
        "plans",
        "/plans/status",
        "a plan object was written and read back",
        "is the bucket of plans there, and may the function's role s3:PutObject and s3:GetObject below jobs/ in it?",
    ),
];

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![
        setup("realtime", &facts.realtime, facts),
        setup("reseed", &facts.reseed, facts),
        answers("realtime-health", &facts.realtime),
        answers("reseed-health", &facts.reseed),
    ];
    findings.extend(variables(facts));
    let health = facts.reseed.health.as_ref().ok();
    for (check, place, well, advice) in TOLD {
        if check == "plans" && !facts.has_written {
            let found = "whether plan objects can be written and read back was not tried";
            findings.push(Finding::unchecked(check, found, "ask with --write"));
            continue;
        }
        let told = health.and_then(|health| health.pointer(place)?.as_str());
        findings.push(match told {
            None => Finding::unchecked(check, NOT_TOLD, "look at reseed-health, and deploy again"),
            Some("ok") => Finding::ok(check, well),
            Some(told) if told.starts_with("not checked") => {
                Finding::unchecked(check, told, advice)
            }
            Some(told) => Finding::wrong(check, told, advice),
        });
    }
    findings.extend(health.and_then(|health| orphan(health, &facts.stack.name)));
    findings.extend(stream(facts));
    let health = facts.realtime.health.as_ref().ok();
    findings.extend(health.and_then(stopped));
    findings.extend(health.and_then(history));
    findings
}

/// Whether the table of jobs tells reseed what happens to them. A stack of an older version has no such mapping.
fn stream(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "events-mapping";
    let streams = match &facts.streams {
        Ok(streams) => streams,
        Err(none) => {
            let action = "lambda:ListEventSourceMappings";
            return Some(unanswered(CHECK, none, action, "deploy again"));
        }
    };
    let mapping = streams
        .iter()
        .find(|mapping| mapping.source.contains(":dynamodb:"))?;
    let (id, state) = (&mapping.id, &mapping.state);
    Some(if ["Disabled", "Disabling"].contains(&state.as_str()) {
        Finding::warning(
            CHECK,
            format!(
                "{id} is {state}: nobody hears of what happens to jobs, and after a day it is forgotten"
            ),
            format!("aws lambda update-event-source-mapping --enabled --uuid {id}"),
        )
    } else {
        Finding::ok(CHECK, format!("{id} is {state}"))
    })
}

/// How a function is set up.
fn setup(check: &'static str, function: &Function, facts: &Facts) -> Finding {
    let found = match &function.configuration {
        Ok(found) => found,
        Err(none) => {
            let advice = "deploy again: the stack's function is not there";
            return unanswered(check, none, "lambda:GetFunctionConfiguration", advice);
        }
    };
    let Configuration {
        architecture,
        state,
        last_update,
        ..
    } = found;
    let wanted = facts.stack.parameter("Architecture");
    if last_update == "Failed" || state == "Failed" {
        let found = format!("its last update failed (state {state})");
        let advice = format!(
            "see `aws lambda get-function --function-name {}`",
            function.name
        );
        return Finding::wrong(check, found, advice);
    }
    if !wanted.is_empty() && architecture != wanted {
        let found =
            format!("it is set up for {architecture}, the stack's Architecture is {wanted}");
        return Finding::wrong(check, found, "deploy again");
    }
    Finding::ok(check, format!("{} s a call, {architecture}", found.timeout))
}

/// Whether it runs, and what it says.
fn answers(check: &'static str, function: &Function) -> Finding {
    let name = &function.name;
    let failed = match &function.health {
        Ok(health) => {
            let status = health["status"].as_str().unwrap_or("ok");
            return match status {
                "ok" => Finding::ok(check, "it runs, and is well"),
                _ => Finding::ok(check, format!("it runs; {status}: see what follows")),
            };
        }
        Err(failed) => failed,
    };
    let told = failed.to_string();
    let lower = told.to_lowercase();
    let logs =
        format!("read its log: `sam logs --name {name}`, or /aws/lambda/{name} in CloudWatch");
    match failed {
        Unanswered::Request(error) if error.code.contains("AccessDenied") => Finding::unchecked(
            check,
            told,
            "allow yourself lambda:InvokeFunction (docs/policies/operator.json)",
        ),
        Unanswered::Request(error) if error.code.contains("TooManyRequests") => Finding::wrong(
            check,
            told,
            "there is no room for it: raise the account's concurrency, or the stack's RealtimeConcurrency or \
             ReseedConcurrency",
        ),
        // The process could not be started: what is in the package does not fit the processor.
        _ if lower.contains("invalidentrypoint") || lower.contains("exec format") => {
            Finding::wrong(
                check,
                told,
                "the program is built for another processor than the function has: build again for the stack's \
             Architecture (`cargo xtask architecture arm64` or `x86_64` tells what was built), then deploy",
            )
        }
        Unanswered::Failed { kind, .. } if kind == "BadConfiguration" => Finding::wrong(
            check,
            told,
            "deploy again with the parameter that the variable comes from",
        ),
        Unanswered::Failed { kind, .. } if kind == "Unhealthy" => Finding::wrong(
            check,
            told,
            "is the queue there, and may the function's role sqs:GetQueueAttributes and sqs:SendMessage on it, and use its \
             key? A queue of another account must allow it too",
        ),
        Unanswered::Failed { kind, .. } if kind == "Held" => Finding::warning(
            check,
            told,
            "a job holds live changes back: see `s3-sqs-bridge jobs status` of the job that is named",
        ),
        _ => Finding::wrong(check, told, logs),
    }
}

/// Whether the functions are told what the stack is made of.
fn variables(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "variables";
    let stack = &facts.stack;
    let (Ok(realtime), Ok(reseed)) = (&facts.realtime.configuration, &facts.reseed.configuration)
    else {
        return Vec::new();
    };
    let output = |name: &str| stack.outputs.get(name).cloned().unwrap_or_default();
    let timeout = realtime.timeout.to_string();
    let mut wrong = Vec::new();
    for (function, variable, expected) in [
        (realtime, "QUEUE_URL", output("QueueUrl")),
        (realtime, "ORDER", stack.parameter("Order").to_owned()),
        (
            realtime,
            "LIVE_ORDER",
            stack.parameter("LiveOrder").to_owned(),
        ),
        (reseed, "QUEUE_URL", output("QueueUrl")),
        (reseed, "BUCKET_NAME", output("BucketName")),
        (reseed, "CHECKPOINT_TABLE", output("CheckpointTableName")),
        (reseed, "PLAN_BUCKET", output("PlanBucketName")),
        (reseed, "FAILURE_QUEUE_URL", output("OnFailureQueueUrl")),
        (reseed, "REALTIME_TIMEOUT", timeout),
    ] {
        let found = function.variables.get(variable).map_or("", String::as_str);
        if found != expected {
            let whose = if std::ptr::eq(function, realtime) {
                "realtime"
            } else {
                "reseed"
            };
            wrong.push(format!(
                "{variable} of {whose} is {found:?}, the stack says {expected:?}"
            ));
        }
    }
    if let Err(allowed) = order(stack.parameter("Order"), &output("QueueUrl")) {
        wrong.push(format!(
            "Order is {:?}, allowed is {allowed}",
            stack.parameter("Order")
        ));
    }
    if wrong.is_empty() {
        return vec![Finding::ok(
            CHECK,
            "the functions are told what the stack is made of",
        )];
    }
    let advice = "somebody changed them besides CloudFormation: deploy again (change a parameter, or CloudFormation sees \
                  nothing to do)";
    vec![Finding::wrong(CHECK, wrong.join("; "), advice)]
}

fn order(word: &str, queue_url: &str) -> Result<(), &'static str> {
    if word.is_empty() {
        return Ok(());
    }
    parse_order(word, queue_url).map(drop)
}

/// Whether realtime may read what `LiveOrder` `exact` sends. A stack of an older version does not tell.
fn history(health: &Value) -> Option<Finding> {
    const CHECK: &str = "realtime-history";
    let advice = "let the function's role s3:ListBucketVersions and s3:GetBucketVersioning on the bucket: else nothing of \
                  LiveOrder exact is sent";
    Some(match health.get("history")?.as_str()? {
        "ok" => Finding::ok(CHECK, "the bucket may be read"),
        told if told.starts_with("not checked") => Finding::unchecked(CHECK, told, advice),
        told => Finding::wrong(CHECK, told, advice),
    })
}

/// Live changes that wait for a job which is gone.
fn orphan(health: &Value, stack: &str) -> Option<Finding> {
    let hold = health.get("hold")?;
    let owner = hold["owner"].as_str()?;
    (hold["jobIsGone"] == true).then(|| {
        Finding::wrong(
            "hold",
            format!(
                "job {owner}, for whose history live changes wait, is gone: nothing lets them go on"
            ),
            format!("s3-sqs-bridge jobs cancel {owner} --stack {stack}"),
        )
    })
}

/// Keys of `LiveOrder` `exact` that wait for an operator.
fn stopped(health: &Value) -> Option<Finding> {
    let stopped = health.get("stoppedKeys")?;
    Some(Finding::wrong(
        "stopped-keys",
        format!(
            "the queue refused a version of these for good, and nothing more of them is sent: {stopped}"
        ),
        "let each go on: docs/OPERATIONS.md, \"Live order\"",
    ))
}
