//! Broken copies that the rules of roles and policies catch.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/17/1/Resource",
        "!Sub \"arn:${AWS::Partition}:s3:::*/*\"",
        "ReseedRole is allowed s3:GetObject on",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/17/1/Resource",
        "!Sub \"arn:${AWS::Partition}:s3:::plans/*\"",
        "ReseedRole is allowed s3:GetObject on",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/5/1/Condition",
        "-",
        "RealtimeRole may use the key by itself",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/10/1/Condition",
        "{\"StringEquals\": {\"dynamodb:LeadingKeys\": [stream]}}",
        "StringEquals dynamodb:LeadingKeys is no condition that is known",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/5/1/Condition/StringEquals/kms:ViaService/0",
        "!Sub \"ec2.${AWS::Region}.${AWS::URLSuffix}\"",
        "the key is used by {\"dynamodb\", \"ec2\"}",
    ),
    (
        "Resources/RealtimeNotificationPermission/Properties/SourceAccount",
        "\"123456789012\"",
        "lets 123456789012 in",
    ),
    ("Resources/BucketPolicy", "-", "Bucket has no policy"),
    (
        "Resources/PlanBucketPolicy/Properties/PolicyDocument/Statement/0/Effect",
        "Allow",
        "PlanBucket has no policy",
    ),
    (
        "Resources/ReseedSweepRole/Properties/Path",
        "-",
        "ReseedSweepRole has not the path and boundary of RealtimeRole",
    ),
    (
        "Resources/OnFailurePolicy",
        "-",
        "OnFailureQueue has no policy",
    ),
    (
        "Resources/QueuePolicy/Properties/Queues",
        "[]",
        "BufferQueue has no policy",
    ),
    (
        "Resources/EventsPolicy/Properties/PolicyDocument/Statement/0/Condition",
        "-",
        "Queue has no policy",
    ),
    (
        "Resources/QueuePolicy/Properties/Queues",
        "[!Ref BufferQueue, !Ref OnFailureQueue]",
        "QueuePolicy is of 2 queues",
    ),
    (
        "Resources/OnFailurePolicy/Properties/PolicyDocument/Statement/0/Resource",
        "[!GetAtt OnFailureQueue.Arn, !GetAtt BufferQueue.Arn]",
        "OnFailurePolicy is of ${OnFailureQueue} and speaks of ${BufferQueue.Arn}",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/5/1/Condition/StringEquals/kms:ViaService/0",
        "!Sub \"sqs.${AWS::Region}.amazonaws.com\"",
        "RealtimeRole uses the key by sqs.${AWS::Region}.amazonaws.com",
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
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/4/Resource",
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
        "RuleFillsQueue allows sqs:*",
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
];
