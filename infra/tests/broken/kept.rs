//! Broken copies that the rules of what outlives the stack, and of what comes first, catch.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
    (
        "Resources/Queue/DeletionPolicy",
        "-",
        "Queue is kept as (\"\", \"Retain\"), must be (\"RetainExceptOnCreate\", \"Retain\")",
    ),
    (
        "Resources/PlanBucket/DeletionPolicy",
        "Retain",
        "PlanBucket is kept as (\"Retain\", \"Retain\")",
    ),
    (
        "Resources/CheckpointTable/UpdateReplacePolicy",
        "-",
        "CheckpointTable is kept as (\"RetainExceptOnCreate\", \"\")",
    ),
    (
        "Resources/BufferQueue/DeletionPolicy",
        "Delete",
        "BufferQueue is kept as (\"Delete\", \"Retain\")",
    ),
    (
        "Resources/ReseedLogs/DeletionPolicy",
        "-",
        "ReseedLogs is kept as",
    ),
    (
        "Resources/BucketPolicy/DeletionPolicy",
        "-",
        "BucketPolicy is kept as",
    ),
    (
        "Resources/EventsPolicy/DeletionPolicy",
        "-",
        "EventsPolicy is kept as",
    ),
    (
        "Resources/Bucket/DependsOn/0",
        "-",
        "Bucket may be there before RealtimeNotificationPermission",
    ),
    (
        "Resources/Bucket/DependsOn",
        "RealtimeNotificationPermission",
        "Bucket may be there before QueuePolicy",
    ),
    (
        "Resources/ChangesRule/DependsOn",
        "-",
        "ChangesRule may be there before RealtimeRulePermission",
    ),
    (
        "Resources/ChangesRule/DependsOn/2",
        "-",
        "ChangesRule may be there before OnFailurePolicy",
    ),
    (
        "Resources/StackDashboard/Properties/DashboardName",
        "!Ref \"AWS::StackName\"",
        "StackDashboard is the same in all regions",
    ),
    (
        "Resources/ChangesRule/Properties/Name",
        "changes",
        "ChangesRule is named changes, must hold the stack's name",
    ),
    (
        "Resources/Realtime/Properties/FunctionName",
        "!Sub \"${AWS::StackName}-realtime-${AWS::Region}\"",
        "Realtime has a name of 80 characters in a stack of 55, may have 64",
    ),
];
