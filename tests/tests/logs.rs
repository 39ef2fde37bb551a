//! The functions' logs and metrics, as an operator reads them: `sam logs` of a deployed stack.

use std::process::Command;
use std::time::Duration;

use e2e::{Received, Stack};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_mins(1);

/// The lines that a function itself wrote. Lambda's own begin with a word.
fn lines(stack: &Stack, function: &str) -> Vec<Value> {
    let output = Command::new("sam")
        .args(["logs", "--stack-name", &stack.name, "--name", function])
        .args(["--output", "json"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let lambdas = ["START ", "END ", "REPORT "];
    told.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|event| event["message"].as_str().unwrap().trim().to_owned())
        .filter(|line| !lambdas.iter().any(|own| line.starts_with(own)))
        .map(|line| serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

/// The first line with a message.
fn line<'a>(lines: &'a [Value], message: &str) -> &'a Value {
    let found = lines.iter().find(|line| line["message"] == message);
    found.unwrap_or_else(|| panic!("no line {message:?} in {lines:#?}"))
}

/// The sum of a metric as `CloudWatch` would extract it.
/// Source: Amazon `CloudWatch` User Guide, "Specification: Embedded metric format".
fn metric(lines: &[Value], name: &str, dimension: (&str, &str)) -> f64 {
    let mut sum = 0.0;
    for line in lines {
        let directives = line["_aws"]["CloudWatchMetrics"].as_array();
        for directive in directives.into_iter().flatten() {
            assert_eq!(directive["Namespace"], "S3SqsBridge");
            assert!(line["_aws"]["Timestamp"].is_u64(), "{line}");
            let listed = |field: &str, wanted: &str| directive[field].to_string().contains(wanted);
            if listed("Metrics", &format!("{name:?}")) && listed("Dimensions", dimension.0) {
                let value = &line[name];
                let values = value.as_array().cloned().unwrap_or(vec![value.clone()]);
                if line[dimension.0] == dimension.1 {
                    sum += values.iter().filter_map(Value::as_f64).sum::<f64>();
                }
            }
        }
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_metrics_tell_what_happened_to_which_object() {
    let parameters = [("LogLevel", "debug"), ("KeyPrefix", "in/")];
    let stack = Stack::create("logs", &parameters).await.unwrap();
    let bucket = stack.output("BucketName");
    let queue = stack.output("QueueUrl");
    stack.put("out/1", "a secret body").await.unwrap();
    stack.put("in/1", "a secret body").await.unwrap();
    let all = |_: &Received| true;
    let live = stack.receive(queue, 1, TIMEOUT, all).await.unwrap();
    let batch = json!({ "Records": [
        { "messageId": "m-1", "eventSource": "aws:sqs", "body": "no JSON" },
    ]});
    stack
        .invoke("RealtimeFunction", &batch)
        .await
        .unwrap()
        .unwrap();
    let job = stack.reseed(json!({})).await.unwrap();
    let job = job["jobId"].as_str().unwrap();
    stack.wait_for(job, "done", TIMEOUT).await.unwrap();
    stack.receive(queue, 1, TIMEOUT, all).await.unwrap();
    stack.delete_queue(queue).await.unwrap();
    let version = stack.put("in/2", "a secret body").await.unwrap();
    let failures = stack.output("OnFailureQueueUrl");
    let kept = stack.receive(failures, 1, TIMEOUT, all).await.unwrap();
    assert_eq!(kept.len(), 1);

    let realtime = lines(&stack, "Realtime");
    let reseed = lines(&stack, "Reseed");
    for line in realtime.iter().chain(&reseed) {
        let text = line.to_string();
        assert!(
            !text.contains("secret") && !text.contains("AWS4-HMAC"),
            "{text}"
        );
        assert!(
            line["_aws"].is_object() || line["level"].is_string(),
            "{text}"
        );
    }

    let skipped = line(&realtime, "skipped");
    assert_eq!(skipped["reason"], "filtered");
    assert_eq!(
        (&skipped["bucket"], &skipped["key"]),
        (&json!(bucket), &json!("out/1"))
    );
    let sent = line(&realtime, "sent");
    assert_eq!(sent["deduplication_id"], live[0].body["eventId"]);
    assert!(sent["message_id"].as_str().unwrap().len() > 8, "{sent}");
    assert!(sent["span"]["request_id"].is_string(), "{sent}");
    assert_eq!(
        line(&realtime, "a message that is no notification")["message_id"],
        "m-1"
    );
    assert_eq!(
        line(&realtime, "goes back into its queue")["message_id"],
        "m-1"
    );
    let failed = line(&realtime, "not delivered");
    assert_eq!(
        (&failed["bucket"], &failed["key"]),
        (&json!(bucket), &json!("in/2"))
    );
    assert_eq!(failed["version_id"], version);
    assert!(
        failed["event_id"].is_string() && failed["refusal"].is_string(),
        "{failed}"
    );
    let segment = &line(&reseed, "the plan is complete")["span"];
    assert_eq!(
        (&segment["job"], &segment["epoch"]),
        (&json!(job), &json!(1))
    );
    assert_eq!(segment["segment"], 1);
    assert_eq!(
        line(&reseed, "sent")["deduplication_id"],
        format!("{job}:1")
    );

    let of = |name| metric(&realtime, name, ("FunctionName", "logs-realtime"));
    let close = |found: f64, expected: f64| (found - expected).abs() < f64::EPSILON;
    assert!(close(of("EventsForwarded"), 1.0), "{realtime:#?}");
    // Lambda tries three times.
    assert!(close(of("EventsFailed"), 3.0), "{realtime:#?}");
    assert!(close(of("RecordsUnreadable"), 1.0), "{realtime:#?}");
    assert!(close(
        metric(&realtime, "EventsSkipped", ("Reason", "filtered")),
        1.0
    ));
    let lag = of("LagMs");
    assert!((0.0..60_000.0).contains(&lag), "{lag}");
    for name in ["VersionsScanned", "EventsPlanned", "EventsSent", "Segments"] {
        let found = metric(&reseed, name, ("FunctionName", "logs-reseed"));
        assert!(close(found, 1.0), "{name} is {found}: {reseed:#?}");
    }
    stack.remove().await.unwrap();
}
