//! Broken copies that the rule of history, then live, catches.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
    (
        "Resources/Reseed/Properties/Environment/Variables/LIVE_TABLE",
        "-",
        "Reseed LIVE_TABLE is , must be ${LiveTable}",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/BUFFER_MAPPING",
        "-",
        "Reseed BUFFER_MAPPING is , must be ${BufferMapping}",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/BUFFER_URL",
        "!Ref OnFailureQueue",
        "Reseed BUFFER_URL is ${OnFailureQueue}, must be ",
    ),
    (
        "Resources/Realtime/Properties/Timeout",
        "120",
        "Reseed REALTIME_TIMEOUT is 60, must be 120",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/BATCH_WINDOW",
        "\"0\"",
        "Reseed BATCH_WINDOW is 0, must be 1",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/10/1/Condition",
        "-",
        "Reseed may [\"dynamodb:GetItem on ${LiveTable.Arn}\"",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/11",
        "-",
        "Reseed may [",
    ),
    (
        "Resources/ReseedRole/Properties/Policies/0/PolicyDocument/Statement/12/0",
        "IsBuffered",
        "Reseed may [\"sqs:GetQueueAttributes on ${BufferQueue.Arn}\"], needs []",
    ),
];
