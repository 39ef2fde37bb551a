//! Broken copies that the rule of the live table catches.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
    (
        "Resources/LiveTable",
        "-",
        "LiveTable is neither a parameter nor a resource",
    ),
    (
        "Resources/LiveTable/Condition",
        "-",
        "LiveTable is there and nobody uses it",
    ),
    (
        "Resources/LiveTable/Condition",
        "IsBuffered",
        "LiveTable is missing",
    ),
    (
        "Resources/Realtime/Properties/Environment/Variables/LIVE_ORDER",
        "-",
        "Realtime LIVE_ORDER is \"\"",
    ),
    (
        "Resources/Realtime/Properties/Environment/Variables/LIVE_TABLE",
        "-",
        "Realtime LIVE_TABLE is , must be ${LiveTable}",
    ),
    (
        "Resources/Realtime/Properties/Environment/Variables/LIVE_TABLE",
        "!Ref LiveTable",
        "Realtime LIVE_TABLE is ${LiveTable}, must be ",
    ),
    (
        "Resources/Realtime/Properties/Environment/Variables/LIVE_TABLE",
        "!Ref CheckpointTable",
        "Realtime LIVE_TABLE is ${CheckpointTable}, must be ${LiveTable}",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/6",
        "-",
        "Realtime may [], needs",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/6/0",
        "IsBuffered",
        "Realtime may [\"dynamodb:GetItem on ${LiveTable.Arn}\", \"dynamodb:UpdateItem on ${LiveTable.Arn}\"], needs []",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/6/1/Action",
        "[\"dynamodb:GetItem\", \"dynamodb:UpdateItem\", \"dynamodb:DeleteItem\"]",
        "\"dynamodb:DeleteItem on ${LiveTable.Arn}\"], needs",
    ),
    (
        "Resources/RealtimeRole/Properties/Policies/0/PolicyDocument/Statement/6/1/Resource",
        "!GetAtt CheckpointTable.Arn",
        "Realtime may [\"dynamodb:GetItem on ${CheckpointTable.Arn}\"",
    ),
    (
        "Resources/RealtimeHistoryPolicy",
        "-",
        "RealtimeHistoryPolicy is missing",
    ),
    (
        "Resources/RealtimeHistoryPolicy/Condition",
        "HasLiveTable",
        "RealtimeHistoryPolicy is there and nobody uses it",
    ),
    (
        "Resources/RealtimeHistoryPolicy/Properties/Roles/0",
        "!Ref ReseedRole",
        "RealtimeHistoryPolicy roles is ${ReseedRole}, must be ${RealtimeRole}",
    ),
    (
        "Resources/RealtimeHistoryPolicy/Properties/PolicyDocument/Statement/0/Action/0",
        "s3:ListBucket",
        "RealtimeHistoryPolicy allows [\"s3:ListBucket on",
    ),
    (
        "Resources/RealtimeHistoryPolicy/Properties/PolicyDocument/Statement/0/Resource",
        "!GetAtt PlanBucket.Arn",
        "RealtimeHistoryPolicy allows [\"s3:ListBucketVersions on ${PlanBucket.Arn}\"",
    ),
    (
        "Resources/LiveTable/Properties/KeySchema/0/AttributeName",
        "jobId",
        "LiveTable key is jobId HASH ",
    ),
    (
        "Resources/LiveTable/Properties/AttributeDefinitions/0/AttributeType",
        "B",
        "LiveTable key is id HASH B",
    ),
];
