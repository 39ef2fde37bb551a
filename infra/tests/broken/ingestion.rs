//! Broken copies that the rules of a change's way to realtime catch.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
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
        "visibility timeout is 60 s, must be at least 361 s",
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
    (
        "Resources/BufferQueue/Properties/VisibilityTimeout/1",
        "360",
        "visibility timeout is 360 s, must be at least 361 s",
    ),
    (
        "Resources/BufferQueue",
        "{Type: \"AWS::SQS::Queue\", Condition: IsBuffered, Properties: {QueueName: buffer}}",
        "there is no BufferQueue",
    ),
    (
        "Resources/QueuePolicy/Properties/PolicyDocument/Statement/1/0",
        "IsBuffered",
        "s3.amazonaws.com may not fill BufferQueue",
    ),
    (
        "Resources/QueuePolicy/Properties/PolicyDocument/Statement/2",
        "-",
        "events.amazonaws.com may not fill BufferQueue",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/4",
        "-",
        "Realtime may not empty BufferQueue",
    ),
    (
        "Resources/Bucket/Properties/NotificationConfiguration/1/QueueConfigurations/0/Filter",
        "{S3Key: {Rules: [{Name: prefix, Value: a/}]}}",
        "s3:ObjectCreated:* is told of keys with prefix \"a/\" only",
    ),
    (
        "Resources/ChangesRule/Properties/EventPattern/detail/object",
        "{key: [{prefix: a/}, {suffix: b}]}",
        "the rule's keys is prefix a/ or suffix b, must be all",
    ),
    (
        "Resources/ChangesRule/Properties/EventPattern/detail/bucket/name/0",
        "another",
        "the rule watches [\"another\"]",
    ),
];
