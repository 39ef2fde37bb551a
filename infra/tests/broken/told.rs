//! Broken copies that the rule of the jobs' events catches.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
    (
        "Resources/CheckpointTable/Properties/StreamSpecification/StreamViewType",
        "KEYS_ONLY",
        "CheckpointTable stream is KEYS_ONLY",
    ),
    (
        "Resources/JobEventsMapping",
        "-",
        "there is no JobEventsMapping",
    ),
    (
        "Resources/JobEventsMapping/Properties/FunctionName",
        "!Ref Realtime",
        "JobEventsMapping function is Realtime",
    ),
    (
        "Resources/BufferMapping/Properties/FunctionName",
        "!Ref Reseed",
        "BufferMapping invokes Reseed, too",
    ),
    (
        "Resources/JobEventsMapping/Properties/StartingPosition",
        "LATEST",
        "JobEventsMapping starting position is LATEST",
    ),
    // Each heartbeat would invoke the function.
    (
        "Resources/JobEventsMapping/Properties/FilterCriteria",
        "-",
        "JobEventsMapping filter is ,",
    ),
    // None of them, as an attribute's value stands below its type.
    (
        "Resources/JobEventsMapping/Properties/FilterCriteria/Filters/0/Pattern",
        "'{\"dynamodb\":{\"NewImage\":{\"transition\":[{\"exists\":true}]}}}'",
        "JobEventsMapping filter is {\"dynamodb\":{\"NewImage\":{\"transition\":[{",
    ),
    (
        "Resources/JobEventsMapping/Properties/BisectBatchOnFunctionError",
        "false",
        "JobEventsMapping bisects is false",
    ),
    (
        "Resources/JobEventsMapping/Properties/MaximumRecordAgeInSeconds",
        "60",
        "JobEventsMapping record age is 60",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/16/Condition",
        "-",
        "event-bus/default\"}",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/16/Resource",
        "\"*\"",
        "ReseedRole is allowed events:PutEvents on *",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/14/Action",
        "\"dynamodb:GetRecords\"",
        "is allowed, needed is",
    ),
];
