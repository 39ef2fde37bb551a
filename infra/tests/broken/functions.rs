//! Broken copies that the rules of functions and their schedule catch.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
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
        "Reseed FAILURE_QUEUE_URL is not the OnFailure queue",
    ),
    (
        "Resources/Reseed/Properties/EventInvokeConfig/MaximumRetryAttempts",
        "-",
        "Reseed retries is 2, must be 0",
    ),
    (
        "Resources/Reseed/Properties/EventInvokeConfig/MaximumEventAgeInSeconds",
        "-",
        "Reseed event age is 21600, must be 60",
    ),
    (
        "Resources/Reseed/Properties/EventInvokeConfig",
        "{MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60, DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt OnFailureQueue.Arn}}}",
        "Reseed fills a queue with failed sweeps",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/BUCKET_NAME",
        "!Ref Bucket",
        "Reseed BUCKET_NAME is Bucket, which is not deployed",
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
];
