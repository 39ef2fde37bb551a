//! Broken copies that the rules of the queues catch.

use crate::Broken;

pub(super) const BROKEN: &[Broken] = &[
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
        "Resources/BufferQueue/Properties/MessageRetentionPeriod",
        "1209600",
        "dead letters of BufferQueue may be gone when they arrive",
    ),
    (
        "Resources/Reseed/Properties/Environment/Variables/BUFFER_RETENTION",
        "-",
        "Reseed BUFFER_RETENTION is , must be 1036800",
    ),
    (
        "Resources/DeadLetterQueue/Properties/RedriveAllowPolicy",
        "-",
        "others than Queue may send their dead letters there",
    ),
    (
        "Resources/OnFailureQueue/Properties/RedriveAllowPolicy/redrivePermission",
        "allowAll",
        "others than BufferQueue may send their dead letters there",
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
];
