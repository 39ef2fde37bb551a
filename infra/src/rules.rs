//! The rules. Each tells what is wrong; an empty answer is a good one.

use serde_norway::Value;

use crate::policy::statements;
use crate::template::{Template, items, show, target};

/// A rule with its name.
pub type Rule = (&'static str, fn(&Template) -> Vec<String>);

/// All rules.
pub const RULES: [Rule; 10] = [
    ("buckets are versioned, encrypted and private", buckets),
    ("buckets and queues refuse what comes without TLS", tls_only),
    (
        "queues are encrypted and keep messages for two weeks",
        queues,
    ),
    (
        "the FIFO queue is fast and has a FIFO dead-letter queue",
        fifo,
    ),
    (
        "functions run on al2023, log with an end, and lose no event",
        functions,
    ),
    ("realtime hears of every kind of change", notifications),
    ("reseed may chain and is swept every minute", reseed),
    (
        "the checkpoint table is on demand, forgets and recovers",
        table,
    ),
    ("no permission is wider than a resource", least_privilege),
    ("what needs a person has an alarm", alarms),
];

/// What all rules find.
#[must_use]
pub fn check(template: &Template) -> Vec<String> {
    RULES.iter().flat_map(|(_, rule)| rule(template)).collect()
}

/// A finding when `found` is not `expected`.
fn expect(what: &str, found: &Value, expected: &str) -> Option<String> {
    let found = show(found);
    (found != expected).then(|| format!("{what} is {found}, must be {expected}"))
}

fn buckets(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    for (id, bucket) in template.of_type("AWS::S3::Bucket") {
        let status = &bucket["VersioningConfiguration"]["Status"];
        found.extend(expect(&format!("{id} versioning"), status, "Enabled"));
        let rules = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"];
        if items(rules).is_empty() {
            found.push(format!("{id} is not encrypted"));
        }
        for block in [
            "BlockPublicAcls",
            "BlockPublicPolicy",
            "IgnorePublicAcls",
            "RestrictPublicBuckets",
        ] {
            let value = &bucket["PublicAccessBlockConfiguration"][block];
            found.extend(expect(&format!("{id} {block}"), value, "true"));
        }
    }
    found
}

fn tls_only(template: &Template) -> Vec<String> {
    let policies: Vec<_> = template
        .of_type("AWS::S3::BucketPolicy")
        .map(|(_, policy)| (items(&policy["Bucket"]), policy))
        .chain(
            template
                .of_type("AWS::SQS::QueuePolicy")
                .map(|(_, policy)| (items(&policy["Queues"]), policy)),
        )
        .collect();
    let guarded = |id: &str| {
        policies.iter().any(|(covered, policy)| {
            covered.iter().any(|c| target(c) == Some(id))
                && items(&policy["PolicyDocument"]["Statement"])
                    .iter()
                    .any(|s| denies_plain(s, id))
        })
    };
    ["AWS::S3::Bucket", "AWS::SQS::Queue"]
        .iter()
        .flat_map(|kind| template.of_type(kind))
        .filter(|(id, _)| !guarded(id))
        .map(|(id, _)| format!("{id} has no policy that denies requests without TLS"))
        .collect()
}

fn denies_plain(statement: &Value, id: &str) -> bool {
    let all_actions = matches!(statement["Action"].as_str(), Some("s3:*" | "sqs:*"));
    statement["Effect"] == "Deny"
        && statement["Principal"] == "*"
        && all_actions
        && statement["Condition"]["Bool"]["aws:SecureTransport"] == "false"
        && items(&statement["Resource"])
            .iter()
            .any(|r| target(r) == Some(id))
}

fn queues(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    for (id, queue) in template.of_type("AWS::SQS::Queue") {
        found.extend(expect(
            &format!("{id} encryption"),
            &queue["SqsManagedSseEnabled"],
            "true",
        ));
        let retention = &queue["MessageRetentionPeriod"];
        found.extend(expect(&format!("{id} retention"), retention, "1209600"));
    }
    found
}

fn fifo(template: &Template) -> Vec<String> {
    let queue = template.properties("Queue");
    let mut found = Vec::new();
    found.extend(expect("Queue FifoQueue", &queue["FifoQueue"], "true"));
    let limit = &queue["FifoThroughputLimit"];
    found.extend(expect(
        "Queue FifoThroughputLimit",
        limit,
        "perMessageGroupId",
    ));
    let scope = &queue["DeduplicationScope"];
    found.extend(expect("Queue DeduplicationScope", scope, "messageGroup"));
    let dead_letters = target(&queue["RedrivePolicy"]["deadLetterTargetArn"]);
    match dead_letters.map(|id| template.properties(id)) {
        Some(queue) => found.extend(expect(
            "the dead-letter queue's FifoQueue",
            &queue["FifoQueue"],
            "true",
        )),
        None => found.push("Queue has no dead-letter queue".to_owned()),
    }
    found
}

fn functions(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    let globals = &template.0["Globals"]["Function"];
    found.extend(expect(
        "the runtime",
        &globals["Runtime"],
        "provided.al2023",
    ));
    found.extend(expect("tracing", &globals["Tracing"], "Active"));
    for (id, function) in template.of_type("AWS::Serverless::Function") {
        let logs = target(&function["LoggingConfig"]["LogGroup"]).map(|id| template.properties(id));
        if logs.is_none_or(|logs| logs["RetentionInDays"].is_null()) {
            found.push(format!("{id} has no log group with retention"));
        }
        let failure = &function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"];
        let kept = target(&failure["Destination"]).map(|id| template.properties(id));
        if kept.is_none_or(Value::is_null) {
            found.push(format!("{id} has no OnFailure queue"));
        }
    }
    found
}

fn notifications(template: &Template) -> Vec<String> {
    let event = &template.properties("Realtime")["Events"]["Notification"]["Properties"];
    let kinds: Vec<_> = items(&event["Events"]).into_iter().map(show).collect();
    [
        "s3:ObjectCreated:*",
        "s3:ObjectRemoved:*",
        "s3:LifecycleExpiration:*",
    ]
    .into_iter()
    .filter(|kind| !kinds.iter().any(|k| k == kind))
    .map(|kind| format!("Realtime does not hear of {kind}"))
    .collect()
}

fn reseed(template: &Template) -> Vec<String> {
    let reseed = template.properties("Reseed");
    let sweep = &reseed["Events"]["Sweep"];
    let mut found = Vec::new();
    found.extend(expect(
        "Reseed RecursiveLoop",
        &reseed["RecursiveLoop"],
        "Allow",
    ));
    found.extend(expect("Reseed sweep", &sweep["Type"], "ScheduleV2"));
    let rate = &sweep["Properties"]["ScheduleExpression"];
    found.extend(expect("Reseed sweep", rate, "rate(1 minute)"));
    // SAM's own name is the same in every stack of an account, and the schedules overwrite each other.
    let name = show(&sweep["Properties"]["Name"]);
    if !name.contains("${AWS::StackName}") {
        found.push(format!(
            "Reseed sweep name is {name}, must hold the stack's name"
        ));
    }
    let input = &sweep["Properties"]["Input"];
    found.extend(expect("Reseed sweep input", input, r#"{"action":"sweep"}"#));
    found
}

fn table(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    for (id, table) in template.of_type("AWS::DynamoDB::Table") {
        found.extend(expect(
            &format!("{id} billing"),
            &table["BillingMode"],
            "PAY_PER_REQUEST",
        ));
        let ttl = &table["TimeToLiveSpecification"];
        found.extend(expect(
            &format!("{id} TTL attribute"),
            &ttl["AttributeName"],
            "expiresAt",
        ));
        found.extend(expect(&format!("{id} TTL"), &ttl["Enabled"], "true"));
        let recovery = &table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
        found.extend(expect(&format!("{id} recovery"), recovery, "true"));
    }
    found
}

/// Alarms by what they watch. They tell a topic, and only a stack that names one has (and pays for) them.
fn alarms(template: &Template) -> Vec<String> {
    let alarms: Vec<_> = template.of_type("AWS::CloudWatch::Alarm").collect();
    let watched = |metric: &str, id: &str| {
        alarms.iter().any(|(_, alarm)| {
            alarm["MetricName"] == metric
                && items(&alarm["Dimensions"])
                    .iter()
                    .any(|dimension| target(&dimension["Value"]) == Some(id))
        })
    };
    let visible = "ApproximateNumberOfMessagesVisible";
    let mut found: Vec<_> = [
        (visible, "OnFailureQueue"),
        (visible, "DeadLetterQueue"),
        ("CheckpointAgeSeconds", "Reseed"),
        ("JobsFailed", "Reseed"),
        ("Errors", "Realtime"),
        ("Errors", "Reseed"),
        ("Throttles", "Realtime"),
    ]
    .into_iter()
    .filter(|(metric, id)| !watched(metric, id))
    .map(|(metric, id)| format!("{metric} of {id} has no alarm"))
    .collect();
    for (id, alarm) in alarms {
        let missing = &alarm["TreatMissingData"];
        found.extend(expect(
            &format!("{id} without data"),
            missing,
            "notBreaching",
        ));
        let tells = items(&alarm["AlarmActions"]);
        if !tells.iter().any(|a| target(a) == Some("AlarmTopicArn")) {
            found.push(format!("{id} tells nobody"));
        }
        let condition = &template.0["Resources"][id]["Condition"];
        found.extend(expect(
            &format!("{id} condition"),
            condition,
            "HasAlarmTopic",
        ));
    }
    found
}

fn least_privilege(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    for (id, function) in template.of_type("AWS::Serverless::Function") {
        for statement in statements(function) {
            for action in items(&statement["Action"]).into_iter().map(show) {
                if action.contains('*') {
                    found.push(format!("{id} is allowed {action}"));
                }
            }
            // `/jobs/*` below a named bucket is a folder, not a wildcard of resources.
            for resource in items(&statement["Resource"]).into_iter().map(show) {
                if resource.replace(".Arn}/jobs/*", "").contains('*') {
                    found.push(format!("{id} is allowed on {resource}"));
                }
            }
        }
    }
    found
}
