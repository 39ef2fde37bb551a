//! A broken copy of the template for each rule is caught.

use std::collections::BTreeSet;

use infra::choices::{Chosen, combinations};
use infra::rules::RULES;
use infra::stack::Stack;
use infra::template::Template;
use serde_norway::Value;

fn template() -> Template {
    Template::parse(include_str!("../../template.yaml")).unwrap()
}

/// Sets the value at a path (`Resources/Bucket/Properties/…`), or removes it.
fn break_at(path: &str, value: Option<Value>) -> Template {
    let mut template = template();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let mut place = &mut template.0;
    for step in parent.split('/') {
        while let Value::Tagged(function) = place {
            place = &mut function.value;
        }
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    while let Value::Tagged(function) = place {
        place = &mut function.value;
    }
    let found = match name.parse::<usize>() {
        Ok(index) => place.get(index),
        Err(_) => place.get(name),
    };
    assert!(found.is_some(), "the template has nothing at {path}");
    match (value, place) {
        (Some(value), Value::Mapping(map)) => drop(map.insert(name.into(), value)),
        (Some(value), place) => place[name.parse::<usize>().unwrap()] = value,
        (None, Value::Mapping(map)) => drop(map.remove(name)),
        (None, Value::Sequence(list)) => drop(list.remove(name.parse().unwrap())),
        (None, other) => panic!("{other:?} has no parts"),
    }
    template
}

/// Every rule that finds something for some choice of parameters, with what it finds; or why the
/// template cannot be deployed. Parameters that no rule looks at keep one value.
fn findings(template: &Template) -> BTreeSet<(&'static str, String)> {
    let looked_at = |chosen: &Chosen| {
        [
            ("Dashboard", "false"),
            ("ReplayQueueArn", ""),
            ("RealtimeConcurrency", "5"),
        ]
        .iter()
        .all(|fixed| chosen.contains(fixed))
    };
    let mut found = BTreeSet::new();
    for chosen in combinations().iter().filter(|chosen| looked_at(chosen)) {
        match Stack::of(template, chosen) {
            Ok(stack) => found.extend(
                RULES
                    .iter()
                    .flat_map(|(name, rule)| rule(&stack).into_iter().map(move |f| (*name, f))),
            ),
            Err(error) => drop(found.insert(("", error.to_string()))),
        }
    }
    found
}

#[test]
fn broken_copies_are_caught_and_every_rule_catches_one() {
    let mut silent: BTreeSet<_> = RULES.iter().map(|(name, _)| *name).collect();
    for (path, value, part) in BROKEN {
        let value = (value != "-").then(|| serde_norway::from_str(value).unwrap());
        let found = findings(&break_at(path, value));
        assert!(
            found.iter().any(|(_, f)| f.contains(part)),
            "{path}: {found:?}"
        );
        for (rule, _) in &found {
            silent.remove(rule);
        }
    }
    assert_eq!(silent, BTreeSet::new(), "rules that no broken copy breaks");
}

/// A place in a broken copy, what is written there (`-`: it is removed), and what is found.
const BROKEN: [(&str, &str, &str); 85] = [
    (
        "Resources/Bucket/Properties/VersioningConfiguration/Status",
        "Suspended",
        "Bucket versioning is Suspended",
    ),
    (
        "Resources/Bucket/Properties/BucketEncryption",
        "-",
        "Bucket is not encrypted",
    ),
    (
        "Resources/PlanBucket/Properties/PublicAccessBlockConfiguration/BlockPublicAcls",
        "-",
        "PlanBucket BlockPublicAcls",
    ),
    (
        "Resources/PlanBucket/Properties/PublicAccessBlockConfiguration/RestrictPublicBuckets",
        "false",
        "PlanBucket RestrictPublicBuckets",
    ),
    (
        "Resources/CheckpointTable/Properties/TimeToLiveSpecification/AttributeName",
        "ttl",
        "CheckpointTable TTL attribute",
    ),
    (
        "Resources/CheckpointTable/Properties/TimeToLiveSpecification",
        "-",
        "CheckpointTable TTL",
    ),
    (
        "Resources/CheckpointTable/Properties/PointInTimeRecoverySpecification",
        "-",
        "CheckpointTable recovery",
    ),
    (
        "Resources/CheckpointTable/Properties/GlobalSecondaryIndexes",
        "-",
        "CheckpointTable has no index phase-createdAt",
    ),
    (
        "Resources/CheckpointTable/Properties/GlobalSecondaryIndexes/0/KeySchema/1/AttributeName",
        "updatedAt",
        "CheckpointTable index is phase HASH, updatedAt RANGE",
    ),
    (
        "Resources/CheckpointTable/Properties/GlobalSecondaryIndexes/0/Projection/ProjectionType",
        "ALL",
        "CheckpointTable index projection is ALL",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/6/Action",
        "\"dynamodb:Scan\"",
        "Reseed may not ask ${CheckpointTable.Arn}/index/phase-createdAt",
    ),
    (
        "Resources/Realtime/Properties/Environment/Variables/BUCKET_NAME",
        "-",
        "Realtime BUCKET_NAME is , must be",
    ),
    (
        "Resources/Realtime/Properties/Environment/Variables/BUCKET_NAME",
        "!Ref ExistingBucket",
        "must be ${AWS::StackName}-bucket-*",
    ),
    (
        "Resources/CheckpointTable/Properties/BillingMode",
        "PROVISIONED",
        "CheckpointTable billing",
    ),
    (
        "Resources/CheckpointTable/Properties/SSESpecification/SSEEnabled",
        "false",
        "CheckpointTable encryption",
    ),
    (
        "Resources/PlanBucket/Properties/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/KMSMasterKeyID",
        "-",
        "PlanBucket is not encrypted by arn:aws:kms",
    ),
    (
        "Resources/Bucket/Properties/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/SSEAlgorithm",
        "AES256",
        "Bucket algorithm is AES256",
    ),
    (
        "Resources/RealtimeLogs/Properties/KmsKeyId",
        "-",
        "RealtimeLogs is not encrypted by arn:aws:kms",
    ),
    (
        "Resources/BufferQueue/Properties/KmsMasterKeyId",
        "alias/aws/sqs",
        "there are several keys",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/9/1/Action",
        "[\"kms:Decrypt\"]",
        "Reseed may not use the key",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/5/1/Condition",
        "-",
        "RealtimeRole may use the key by itself",
    ),
    ("Resources/BucketPolicy", "-", "Bucket has no policy"),
    (
        "Resources/PlanBucketPolicy/Properties/PolicyDocument/Statement/0/Effect",
        "Allow",
        "PlanBucket has no policy",
    ),
    (
        "Resources/QueuePolicy/Properties/Queues/0",
        "-",
        "OnFailureQueue has no policy",
    ),
    (
        "Resources/QueuePolicy/Properties/Queues/3",
        "-",
        "BufferQueue has no policy",
    ),
    (
        "Resources/QueuePolicy/Properties/PolicyDocument/Statement/0/Condition",
        "-",
        "Queue has no policy",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/3/Action",
        "\"s3:*\"",
        "ReseedRole is allowed s3:*",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/5/Resource",
        "\"*\"",
        "ReseedRole is allowed dynamodb:GetItem dynamodb:PutItem on *",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/4/1/Resource",
        "\"*\"",
        "RealtimeRole is allowed sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes on *",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/4",
        "{Sid: All, Effect: Allow, NotAction: a, Resource: b}",
        "unknown field `NotAction`",
    ),
    (
        "Resources/RealtimeNotificationPermission/Properties/SourceAccount",
        "-",
        "lets any s3.amazonaws.com in",
    ),
    (
        "Resources/RealtimeRulePermission/Properties/SourceArn",
        "-",
        "lets any events.amazonaws.com in",
    ),
    (
        "Resources/RealtimeRulePermission/Properties/Action",
        "\"lambda:*\"",
        "RealtimeRulePermission action",
    ),
    (
        "Resources/QueuePolicy/Properties/PolicyDocument/Statement/1/1/Condition",
        "-",
        "QueuePolicy BucketFillsBuffer lets any",
    ),
    (
        "Resources/QueuePolicy/Properties/PolicyDocument/Statement/2/1/Action",
        "\"sqs:*\"",
        "RuleFillsQueues allows sqs:*",
    ),
    (
        "Resources/Queue/Properties/SqsManagedSseEnabled",
        "-",
        "Queue encryption",
    ),
    (
        "Resources/OnFailureQueue/Properties/MessageRetentionPeriod",
        "-",
        "OnFailureQueue retention",
    ),
    (
        "Resources/BufferQueue/Properties/MessageRetentionPeriod",
        "345600",
        "BufferQueue retention is 345600",
    ),
    (
        "Resources/Queue/Properties/FifoQueue",
        "-",
        "Queue FifoQueue",
    ),
    (
        "Resources/Queue/Properties/FifoThroughputLimit",
        "perQueue",
        "FifoThroughputLimit is perQueue",
    ),
    (
        "Resources/Queue/Properties/DeduplicationScope",
        "queue",
        "DeduplicationScope is queue",
    ),
    (
        "Resources/Queue/Properties/RedrivePolicy",
        "-",
        "Queue has no dead-letter queue",
    ),
    (
        "Resources/DeadLetterQueue/Properties/FifoQueue",
        "-",
        "dead-letter queue's FifoQueue",
    ),
    (
        "Resources/RealtimeLogs/Properties/RetentionInDays",
        "-",
        "Realtime has no log group with retention",
    ),
    (
        "Resources/Realtime/Properties/EventInvokeConfig",
        "-",
        "Realtime has no OnFailure queue",
    ),
    (
        "Resources/Realtime/Properties/ReservedConcurrentExecutions",
        "\"0\"",
        "Realtime may not run at all",
    ),
    (
        "Resources/Reseed/Properties/RecursiveLoop",
        "Terminate",
        "Reseed RecursiveLoop is Terminate",
    ),
    (
        "Resources/Reseed/Properties/Events/Sweep/Properties/Input",
        "\"{}\"",
        "Reseed sweep input is {}",
    ),
    (
        "Resources/Reseed/Properties/Events/Sweep/Properties/ScheduleExpression",
        "rate(1 hour)",
        "Reseed sweep is rate(1 hour)",
    ),
    (
        "Resources/Reseed/Properties/Events/Sweep/Properties/Name",
        "-",
        "Reseed sweep name",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/PLAN_BUCKET",
        "-",
        "Reseed has no PLAN_BUCKET",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/FAILURE_QUEUE_URL",
        "-",
        "Reseed has no FAILURE_QUEUE_URL",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/FAILURE_QUEUE_URL",
        "!Ref DeadLetterQueue",
        "Reseed FAILURE_QUEUE_URL is not its OnFailure queue",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/CHANGES_GO_TO",
        "eventbridge",
        "Reseed CHANGES_GO_TO is \"eventbridge\"",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/CHANGES_GO_TO",
        "-",
        "Reseed CHANGES_GO_TO is \"\"",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/BUCKET_NAME",
        "!Ref Bucket",
        "Reseed BUCKET_NAME is Bucket, which is not deployed",
    ),
    (
        "Resources/Bucket/Properties/NotificationConfiguration/2/LambdaConfigurations/1",
        "-",
        "does not hear of s3:ObjectRemoved:*",
    ),
    (
        "Resources/Bucket/Properties/NotificationConfiguration/1/QueueConfigurations/2",
        "-",
        "does not hear of s3:LifecycleExpiration:*",
    ),
    (
        "Resources/ChangesRule/Properties/EventPattern/detail-type/1",
        "-",
        "does not hear of Object Deleted",
    ),
    (
        "Resources/ChangesRule/Properties/EventPattern/detail",
        "{}",
        "the rule watches []",
    ),
    (
        "Resources/ChangesRule/Properties/Targets/0/DeadLetterConfig",
        "-",
        "keeps nothing that it cannot hand over",
    ),
    (
        "Resources/ChangesRule/Properties/Targets/0/Arn",
        "!GetAtt Realtime.Arn",
        "must go to BufferQueue",
    ),
    (
        "Resources/RealtimeRulePermission",
        "-",
        "events.amazonaws.com may not invoke Realtime",
    ),
    (
        "Resources/BufferMapping/Properties/FunctionResponseTypes",
        "-",
        "the mapping's response type",
    ),
    (
        "Resources/BufferMapping/Properties/ScalingConfig",
        "-",
        "may start more of Realtime than may run",
    ),
    (
        "Resources/BufferQueue/Properties/VisibilityTimeout",
        "60",
        "visibility timeout is 60 s, must be at least 360 s",
    ),
    (
        "Resources/BufferQueue/Properties/RedrivePolicy/maxReceiveCount",
        "2",
        "has fewer than five attempts",
    ),
    (
        "Resources/BufferQueue/Properties/RedrivePolicy",
        "-",
        "BufferQueue has no dead-letter queue",
    ),
    ("Resources/BufferMapping", "-", "must be there together"),
    (
        "Resources/OnFailureAlarm",
        "-",
        "ApproximateNumberOfMessagesVisible of OnFailureQueue has no alarm",
    ),
    (
        "Resources/DeadLetterAlarm",
        "-",
        "ApproximateNumberOfMessagesVisible of DeadLetterQueue has no alarm",
    ),
    (
        "Resources/BufferAlarm",
        "-",
        "ApproximateAgeOfOldestMessage of BufferQueue has no alarm",
    ),
    (
        "Resources/ReseedStalledAlarm/Properties/AlarmActions/0",
        "-",
        "ReseedStalledAlarm tells nobody",
    ),
    (
        "Resources/ReseedThrottlesAlarm/Properties/TreatMissingData",
        "breaching",
        "ReseedThrottlesAlarm without data",
    ),
    (
        "Resources/RealtimeErrorsAlarm/Condition",
        "-",
        "RealtimeErrorsAlarm tells nobody",
    ),
    (
        "Globals/Function/Runtime",
        "provided.al2",
        "runtime is provided.al2",
    ),
    (
        "Globals/Function/Tracing",
        "PassThrough",
        "tracing is PassThrough",
    ),
    (
        "Globals/Function/Architectures/0",
        "arm32",
        "architecture is [\"arm32\"]",
    ),
    (
        "Globals/Function/Environment/Variables/QUEUE_URL",
        "!Ref ExistingQueueArn",
        "must be a queue's URL",
    ),
    (
        "Resources/Realtime/Properties/Role",
        "-",
        "Realtime has no role of this stack",
    ),
    (
        "Resources/Reseed/Properties/Events/Sweep/Properties/RoleArn",
        "-",
        "Reseed sweep has no role of this stack",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/1/Action",
        "[\"xray:PutTraceSegments\", \"s3:GetObject\"]",
        "RealtimeRole is allowed xray:PutTraceSegments s3:GetObject on *",
    ),
    (
        "Resources/ReseedSweepRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition",
        "-",
        "ReseedSweepRole lets any",
    ),
    (
        "Resources/RealtimeRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal",
        "\"*\"",
        "RealtimeRole may be taken by *",
    ),
    (
        "Resources/ChangesRule/Properties/EventPattern/detail/bucket/name/0",
        "another",
        "the rule watches [\"another\"]",
    ),
];
